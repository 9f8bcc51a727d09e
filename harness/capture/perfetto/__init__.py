"""Recording by the device's own Perfetto."""
