"""The first minute with a device: what it can measure, what it cannot, and why. Changes nothing."""
