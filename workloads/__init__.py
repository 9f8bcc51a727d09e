"""What a device is made to do: app switching, and the CPU burner beside it."""
