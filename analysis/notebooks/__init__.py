"""Notebooks on one trace, one campaign, several campaigns: thin, the logic is in `analysis`."""
