"""One module a kind; its ``KINDS`` are all that `registry` reads."""
