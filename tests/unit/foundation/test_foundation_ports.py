"""Free ports."""

from __future__ import annotations

import socket

from foundation.ports import LOOPBACK, free_port


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, free_port()))


def test_a_port_to_avoid_is_drawn_again() -> None:
    class NotTheFirst:
        def __init__(self) -> None:
            self.asked: list[object] = []

        def __contains__(self, port: object) -> bool:
            self.asked.append(port)
            return len(self.asked) == 1

    avoid = NotTheFirst()
    port = free_port(avoid)
    assert len(avoid.asked) == 2
    assert port == avoid.asked[1]
