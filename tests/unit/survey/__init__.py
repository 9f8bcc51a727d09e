"""The parts of a survey that need no device."""
