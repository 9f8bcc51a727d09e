"""Links of the pages that leave docs/ have no target on the site, and are written out there."""

from __future__ import annotations

import re
from typing import Any, Final

_TO_CODE: Final = re.compile(r"\[([^\]]*)\]\(\.\./([^)\s]+)\)")
_TO_RAW_RESULTS: Final = re.compile(r"\[([^\]]*)\]\((findings(?:/[^)\s]*)?)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to the code and to raw results become their text, with the path in the repository."""
    markdown = _TO_CODE.sub(r"\1 (`\2`)", markdown)
    return _TO_RAW_RESULTS.sub(r"\1 (`\2`)", markdown)
