"""Kernels for the virtual device: Debian's stock one, and the same with the compression thread."""
