"""What a variant is, kind by kind."""
