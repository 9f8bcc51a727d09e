"""The documentation says what the suite does."""
