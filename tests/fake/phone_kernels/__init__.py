"""Kernels on a phone: started from memory or a slot, proved, rolled back, put back; and what fails."""
