"""Tests of workloads on stand-in devices."""
