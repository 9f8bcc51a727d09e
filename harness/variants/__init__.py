"""What is compared: each kind of kernel under test, and how it gets onto a device."""
