"""Packages of any Debian suite and architecture, whatever the host runs; nothing is installed."""
