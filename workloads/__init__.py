"""What a device is made to do: app switching, the memory eater, and the CPU burner next to them."""
