"""The survey of a phone, on stand-ins."""
