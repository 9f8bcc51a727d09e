"""Entrance of pytest: options and fixtures, nothing else."""
