"""The page a reviewer reads, and the plots in it."""
