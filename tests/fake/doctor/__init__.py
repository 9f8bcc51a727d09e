"""Tests of doctor on stand-in devices."""
