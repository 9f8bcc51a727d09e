"""The questions asked of a kernel: one file each, and the entrances of the commands."""
