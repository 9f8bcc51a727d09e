"""One trace as the metrics see it: its window, threads, counters, and whether it is whole."""
