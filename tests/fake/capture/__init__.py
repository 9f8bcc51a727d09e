"""Tests of capture on stand-in devices."""
