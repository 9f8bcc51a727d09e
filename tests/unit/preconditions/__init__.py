"""Tests of the preconditions of a block."""
