"""The virtual device: QEMU, a real kernel, and a guest with the programs that phones run."""
