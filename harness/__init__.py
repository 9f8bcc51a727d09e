"""All that touches a device."""
