"""Stand-ins on real sockets: a phone behind adb, and its bootloader. They prove faults, never truth."""
