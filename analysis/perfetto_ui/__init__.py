"""Perfetto's own UI on this machine: the traces of a pair at one moment, with tracks of reclaim added."""
