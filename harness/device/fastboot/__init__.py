"""Kernels on a phone: booted from memory or written to a slot over fastboot, and removed afterwards."""
