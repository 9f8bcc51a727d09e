"""Tests of campaign on stand-in devices."""
