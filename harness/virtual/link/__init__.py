"""Lock-step control of a virtual device: its time stands still while the host decides what comes next."""
