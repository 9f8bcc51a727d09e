"""Variants, the balanced schedule, the block runner, and the store of results."""
