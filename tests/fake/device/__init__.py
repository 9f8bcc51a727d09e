"""Tests of device on stand-in devices."""
