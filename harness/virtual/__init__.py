"""The virtual device: QEMU, a real kernel, a guest that answers adb as Android does."""
