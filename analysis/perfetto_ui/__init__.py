"""Perfetto's own UI on this machine: the traces of a pair, at one moment, with reclaim's tracks added."""
