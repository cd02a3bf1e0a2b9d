"""Ports to listen on that nobody is given meanwhile."""

from __future__ import annotations

import socket
from random import SystemRandom

_BELOW_THE_EPHEMERAL = range(15_000, 32_000)
"""Who opens a connection gets a port above these, at any moment."""

_given: set[int] = set()


def a_port() -> int:
    """A port of this machine that nobody listens on; never the same one twice."""
    while True:
        port = SystemRandom().choice(_BELOW_THE_EPHEMERAL)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
