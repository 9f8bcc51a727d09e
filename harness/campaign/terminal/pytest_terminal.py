"""pytest and a campaign on one terminal: which view to use, and who writes when."""

from __future__ import annotations

import locale
import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from harness.campaign.terminal.screen import Screen

from harness.campaign.terminal.lines import Lines, wants_screen
from harness.device.command_log import listen

_STDOUT: Final = 1


def view_of(config: pytest.Config) -> Lines | Screen:
    """The view for this run: a drawn screen on a terminal, else plain lines.

    Call it while pytest captures nothing, as in pytest_configure: drawing goes to the terminal of that
    moment, past pytest's capturing. With ``-v`` the view also shows every command sent to a device.
    Side effect: registers a plugin that keeps pytest's own output and the view apart.
    """
    view = _view_of(config)
    config.pluginmanager.register(_StepAside(view, config), "reclaim-suite-terminal")
    if config.getoption("verbose", 0) > 0:
        config.add_cleanup(listen(lambda text: view.line(f"    $ {text}")))
    return view


def _view_of(config: pytest.Config) -> Lines | Screen:
    def write(text: str) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if capture is None or reporter is None:
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text, flush=True)

    # A worker of xdist has no terminal; --color=no asks for plain text.
    option = config.getoption
    plain = hasattr(config, "workerinput") or option("color", "no") == "no" or option("collectonly", False)
    if plain:
        return Lines(write)
    stream = os.fdopen(
        os.dup(_STDOUT), "w", encoding=locale.getpreferredencoding(False), errors="replace", newline=""
    )
    if not wants_screen(stream, os.environ):
        stream.close()
        return Lines(write)
    # Import rich only if it is needed.
    from harness.campaign.terminal.screen import Screen

    config.add_cleanup(stream.close)
    return Screen(stream, write)


class _StepAside:
    """Hides the drawn part while pytest's own reporter writes."""

    def __init__(self, view: Lines | Screen, config: pytest.Config) -> None:
        self._view = view
        self._config = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        with self._view.aside():
            result = yield
            reporter = self._config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.flush()
            return result

    pytest_runtest_logreport = pytest_runtest_logfinish = pytest_runtest_logstart

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._view.close()

    pytest_keyboard_interrupt = pytest_internalerror = pytest_unconfigure = pytest_sessionfinish
