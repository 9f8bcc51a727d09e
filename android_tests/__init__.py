"""The questions asked of a kernel, one file each, and the entry points of the commands."""
