"""The stand-ins answer as real devices do."""
