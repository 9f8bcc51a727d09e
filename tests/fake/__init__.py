"""Tests of kind fake."""
