"""Notebooks on a trace, a campaign or several campaigns; their logic is in `analysis`."""
