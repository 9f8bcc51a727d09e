"""One module a kind: a `VariantKind` here that has a ``word`` is known to the whole suite."""
