"""Tests of perfetto ui."""
