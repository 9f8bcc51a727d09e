"""An executed notebook as Markdown, small enough for a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

_PLOTLY: Final = "application/vnd.plotly.v1+json"


def as_markdown(book: Any, into: Path) -> str:
    """Text, code and output. A figure becomes a link to ``<name>-<number>.png`` next to ``into``.

    Does not write the pictures.
    """
    parts: list[str] = []
    figures = 0
    for cell in book.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        if "hidden" not in cell.metadata.get("tags", ()) and cell.id != "injected":
            parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if _PLOTLY in data:
                figures += 1
                parts.append(f"![figure {figures}]({into.stem}-{figures}.png)")
                continue
            text = output.get("text") or data.get("text/markdown") or data.get("text/plain", "")
            if "text/markdown" in data:
                parts.append(str(text).strip())
            elif text:
                lines = "\n".join(line.rstrip() for line in str(text).rstrip().splitlines())
                parts.append(f"```text\n{lines}\n```")
    return "\n\n".join(parts) + "\n"
