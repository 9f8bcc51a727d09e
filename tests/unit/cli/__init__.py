"""Command lines, notebooks, bad input."""
