"""What is compared: the kinds of kernel under test, and how each gets onto a device."""
