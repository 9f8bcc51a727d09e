"""Paired statistics over blocks: exact tests, their intervals, and verdicts."""
