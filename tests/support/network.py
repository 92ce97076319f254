"""A network whose names and public addresses are the test's own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

SERVED = "93.184.216.34"
"""The public address at which a local server is reached."""
DEAD = "93.184.216.35"
"""A public address that refuses connections."""


class FakeNetwork:
    """Replaces look-ups and connections of this process; numeric hosts and local servers stay as they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        """`port`: of the server on 127.0.0.1 that `SERVED` leads to, whatever the port that is asked for."""
        self.answers: dict[str, list[Sequence[str]]] = {}
        """For each name what its look-ups return, one after the other; the last one from then on."""
        self.lookups: list[str] = []
        """Names, one for each look-up."""
        self.connections: list[str] = []
        """Addresses, one for each connection that was tried."""
        self._port = port
        self._getaddrinfo = socket.getaddrinfo
        connect = socket.socket.connect

        def fake_connect(opened: socket.socket, address: Any) -> None:
            self.connections.append(address[0])
            if address[0] == SERVED:
                address = ("127.0.0.1", self._port)
            elif address[0] == DEAD:
                raise ConnectionRefusedError
            connect(opened, address)

        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(socket.socket, "connect", fake_connect)

    def _look_up(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        try:
            ipaddress.ip_address(name)
        except ValueError:
            pass
        else:
            return self._getaddrinfo(host, port, *args, **options)
        if name not in self.answers:
            return self._getaddrinfo(host, port, *args, **options)
        self.lookups.append(name)
        answers = self.answers[name]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]
