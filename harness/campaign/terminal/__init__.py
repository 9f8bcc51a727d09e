"""What a user sees of a running campaign."""
