"""Kernel modules: what files say, what a device has loaded, and whether one may replace another."""
