"""The doctor: what a device can measure, what it cannot, and why. Changes nothing."""
