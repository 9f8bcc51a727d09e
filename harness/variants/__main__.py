"""``python -m harness.variants``: print docs/variants.md, the page of all kinds of variant."""

from __future__ import annotations

from harness.variants.reference import reference

if __name__ == "__main__":
    print(reference(), end="")
