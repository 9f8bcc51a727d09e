"""The guest's adb daemon, run on this host."""
