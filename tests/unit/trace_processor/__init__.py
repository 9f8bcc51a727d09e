"""Tests of trace processor."""
