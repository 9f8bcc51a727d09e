"""Tests of kind unit."""
