"""The kinds of variant: the suite finds every `VariantKind` in these modules that has a ``word``."""
