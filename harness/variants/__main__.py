"""``python -m harness.variants``: print the page of all kinds of variant (docs/variants.md)."""

from __future__ import annotations

from harness.variants.reference import reference

if __name__ == "__main__":
    print(reference(), end="")
