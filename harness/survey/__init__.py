"""The survey of a phone: the facts that the suite's assumptions rest on, in one folder without names."""
