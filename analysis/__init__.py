"""From traces and counters to a verdict and a page; needs no device."""
