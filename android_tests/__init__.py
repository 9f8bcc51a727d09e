"""All that touches a device, and the questions asked of its kernel."""
