"""What is served on loopback, to whom, and until when; and the page's own words."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from analysis.perfetto_ui import server as serving
from analysis.perfetto_ui.derived import Derived, Moment, Switch
from analysis.perfetto_ui.page import Shown, moments_of, pages
from analysis.perfetto_ui.server import UiServer
from analysis.sql import modules
from foundation.errors import HostError
from tests.unit.golden.reading import of_suite, write

_S = 1_000_000_000
_ROOT = Path(__file__).parents[3]


def _derived(switches: tuple[Switch, ...], stall: Moment | None = None) -> Derived:
    window = Moment("repetition", 10 * _S, 20 * _S, "the whole repetition")
    return Derived((), ("kswapd0 42", "kcompressd:0 93"), window, switches, stall)


_BASELINE = _derived(
    (
        Switch(0, 11 * _S, 2 * _S, "app.one", "HOT", 1500.0),
        Switch(1, 14 * _S, 1 * _S, "app.two", "COLD", 800.0),
    ),
    Moment("stall", 12 * _S, _S // 10, "direct reclaim of app.one 7, 100.0 ms"),
)
_PATCHED = _derived(
    (
        Switch(0, 13 * _S, 1 * _S, "app.one", "HOT", 700.0),
        Switch(1, 15 * _S, 1 * _S, "app.two", "COLD", 900.0),
    )
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[UiServer]:
    trace = tmp_path / "0-baseline.pftrace"
    trace.write_bytes(b"a trace")
    made = UiServer({trace.name: trace})
    shown = [
        Shown("baseline", "000/rep-0", trace.name, _BASELINE),
        Shown("patched", "001/rep-0", "1.pftrace", _PATCHED),
    ]
    made.pages.update(pages("a pair", shown, "switch", made.origin))
    thread = threading.Thread(target=made.serve_until_idle, daemon=True)
    thread.start()
    yield made
    made.sign_of_life(trace=trace.name, closing=True)
    with made._lock:
        made._until = 0
    thread.join(30)
    assert not thread.is_alive()


def _ask(
    server: UiServer, path: str = "/", method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, text in headers.items():
            connection.putheader(name.replace("_", "-"), text)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_the_ui_the_page_and_the_trace_are_served(server: UiServer) -> None:
    status, page, headers = _ask(server)
    assert status == 200
    assert b"/page.js" in page
    assert "'unsafe-inline'" not in headers["Content-Security-Policy"].partition("script-src")[2]
    status, index, headers = _ask(server, "/perfetto/index.html")
    assert status == 200
    assert index.index(b"/packages.js") < index.index(b"frontend_bundle.js")
    policy = headers["Content-Security-Policy"]
    assert "connect-src 'self' blob: data:;" in policy
    assert "http:" not in policy
    hook = _ask(server, "/packages.js")[1].decode()
    assert all(json.dumps(sql) in hook for sql in modules().values())
    version = next(server.ui.glob("v*")).name
    status, engine, headers = _ask(server, f"/perfetto/{version}/trace_processor.wasm")
    assert (status, headers["Content-Type"]) == (200, "application/wasm")
    assert engine[:4] == b"\0asm"
    assert not server.read
    assert _ask(server, "/traces/0-baseline.pftrace")[1] == b"a trace"
    assert server.read
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_requests_of_other_sites_are_refused(server: UiServer) -> None:
    port = server.server_port
    assert _ask(server, Host=f"localhost:{port}")[0] == 200
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert _ask(server, "/traces/0-baseline.pftrace", **headers)[:2] == (403, b""), headers
    assert _ask(server, Origin=f"http://127.0.0.1:{port}", Sec_Fetch_Site="same-origin")[0] == 200


def test_only_get_and_only_what_is_ours(server: UiServer) -> None:
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        assert _ask(server, method=method)[0] == 405
    for path in (
        "/etc/passwd",
        "/perfetto/../../__init__.py",
        "/perfetto/%2e%2e/viewer.py",
        "/perfetto//etc/passwd",
        "/perfetto/",
        "/traces/../0-baseline.pftrace",
        "/traces/absent",
        "/service_worker.js",
    ):
        assert _ask(server, path)[0] == 404, path


def test_it_ends_after_the_page_is_closed(server: UiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_CLOSED_S", 0.0)
    ended = threading.Event()
    shutdown = server.shutdown

    def note() -> None:
        ended.set()
        shutdown()

    monkeypatch.setattr(server, "shutdown", note)
    # A page whose trace was not fetched yet may still be loading.
    assert _ask(server, "/closed")[0] == 204
    assert not ended.wait(0.7)
    _ask(server, "/traces/0-baseline.pftrace")
    assert _ask(server, "/alive")[0] == 204
    assert _ask(server, "/closed")[0] == 204
    assert ended.wait(30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            _ask(server, "/alive")
        except OSError:
            return
    pytest.fail("it still answers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_server_leaves_no_copies(number: signal.Signals, tmp_path: Path) -> None:
    trace = write(tmp_path, of_suite().build())
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = [sys.executable, "-m", "analysis", "open", str(trace), "--no-browser"]
    with subprocess.Popen(
        words,
        cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        assert list(temporary.iterdir())
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (130, "interrupted")
    assert list(temporary.iterdir()) == []


def test_a_port_that_is_taken_is_one_line(server: UiServer) -> None:
    with pytest.raises(HostError, match="cannot listen on"):
        UiServer({}, server.server_port)
    with pytest.raises(HostError, match="reserved for trace processors"):
        UiServer({}, 9001)


def test_both_sides_show_the_same_switch() -> None:
    baseline, patched = moments_of([_BASELINE, _PATCHED])
    # Switch 0 is the slowest of all; on the other side it is not the slowest one.
    assert baseline["switch"].label == "#0 app.one HOT 1,500 ms"
    assert patched["switch"].label == "#0 app.one HOT 700 ms"
    assert baseline["switch"].dur == patched["switch"].dur > 2 * _S
    assert baseline["switch"].ts < 11 * _S
    assert "stall" in baseline
    assert "stall" not in patched


def test_the_address_says_what_to_load_to_pin_and_to_show(server: UiServer) -> None:
    view = json.loads(_ask(server, "/view.json")[1])
    assert view["moment"] == "switch"
    assert list(view["moments"]) == ["repetition", "switch", "stall"]
    link = urlsplit(view["sides"][0]["url"])
    assert link.path == "/perfetto/index.html"
    page, _, query = link.fragment.partition("?")
    assert page == "!/viewer"
    words = {key: values[0] for key, values in parse_qs(query, strict_parsing=True).items()}
    assert words["url"] == f"{server.origin}/traces/0-baseline.pftrace"
    assert int(words["visStart"]) == 10_400_000_000
    assert int(words["visEnd"]) == 13_600_000_000
    patterns = [command["args"][0] for command in json.loads(words["startupCommands"])]
    assert patterns[0] == r"^(kswapd0\ 42|kcompressd:0\ 93)$"
    assert "reclaim\\ phases" in patterns[1]
