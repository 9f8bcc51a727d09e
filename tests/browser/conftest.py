"""Headless Chromium: the system's, else playwright's own (Ubuntu packages none outside snap)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Request, sync_playwright

# Not Ubuntu's chromium-browser: without snap it is a script that only says so.
_PROGRAMS = ("chromium", "google-chrome", "google-chrome-stable")


@dataclass
class Traffic:
    """What a page asked for: addresses that left loopback, and those that its policy stopped."""

    left: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("requestfailed", self._failed)
        page.on("requestfinished", self._finished)

    def _failed(self, request: Request) -> None:
        if self._is_local(request.url):
            return
        # Stopped before it became traffic.
        target = self.stopped if request.failure == "csp" else self.left
        target.append(request.url)

    def _finished(self, request: Request) -> None:
        if not self._is_local(request.url):
            self.left.append(request.url)

    @staticmethod
    def _is_local(url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("data", "blob", "about", "file") or parts.hostname == "127.0.0.1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    with sync_playwright() as driver:
        # Names resolve to nothing: what gets past a page's policy fails instead of leaving.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        reason = ""
        try:
            made = driver.chromium.launch(executable_path=program, args=arguments)
        except Error as error:
            if program is not None:
                raise
            reason = error.message.splitlines()[0]
        if reason:
            pytest.fail(
                "no Chromium here: put chromium or google-chrome on PATH, or run "
                f"`.venv/bin/python -m playwright install --with-deps chromium` ({reason})",
                pytrace=False,
            )
        yield made
        made.close()


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def page(browser: Browser, traffic: Traffic) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1600, "height": 1100})
    traffic.watch(made)
    yield made
    made.close()
