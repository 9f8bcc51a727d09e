"""Tests of kind virtual."""
