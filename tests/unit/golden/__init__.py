"""Traces built packet by packet, whose truth is known by construction."""
