"""What every room stands on: the error tree and the host cache."""
