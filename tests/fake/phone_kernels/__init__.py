"""Kernels on a phone: booted from memory or a slot, proved, rolled back, undone; and failures."""
