"""Tests of `analysis.trace_processor`."""
