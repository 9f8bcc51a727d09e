"""From traces and counters to a verdict and a page. Imports no device code."""
