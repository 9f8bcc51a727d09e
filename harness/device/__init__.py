"""One device, a phone or a virtual one: reach it, know its kernel, pin and restore its state."""
