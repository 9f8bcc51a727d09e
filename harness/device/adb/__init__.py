"""A device over adb: server, transport, shell, files."""
