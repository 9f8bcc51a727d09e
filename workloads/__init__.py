"""What a device is made to do: app switching, memory eater, CPU burner."""
