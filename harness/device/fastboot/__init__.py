"""Kernels on a phone: sent over fastboot, started from memory or from a slot, and taken away again."""
