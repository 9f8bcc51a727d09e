"""Native programs: one C source for phones and the virtual device."""
