"""Tests of preconditions on stand-in devices."""
