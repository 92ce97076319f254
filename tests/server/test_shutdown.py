"""A stop while clients do not read what is streamed to them, or while models are loaded."""

from __future__ import annotations

import json
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chatterbox_worker import command
from chatterbox_worker.config import Settings
from chatterbox_worker.server.__main__ import _Server
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.backend import Backend
from support.serving import HeldEngine, free_port, on_a_socket, wait_for

_LONG = "A sentence that is spoken again and again. " * 1100
"""470 s of audio, more than the sockets' buffers hold."""
_OPENAI = {"input": _LONG}
_STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "pcm": ("/v1/audio/speech", _OPENAI | {"response_format": "pcm", "stream": True}),
    "sse": ("/v1/audio/speech", _OPENAI | {"stream_format": "sse"}),
    "whole": ("/v1/audio/speech", _OPENAI | {"response_format": "wav", "cache": False}),
    "captioned": ("/dev/captioned_speech", _OPENAI | {"response_format": "pcm", "stream": True}),
    "dialogue": ("/dialogue", {"turns": [{"text": _LONG}], "format": "pcm", "stream": True}),
    "held": ("/v1/audio/speech", {"input": "Hi."}),
}


def _request(path: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def _is_whole(client: socket.socket) -> bool:
    try:
        answer = HTTPResponse(client)
        answer.begin()
        answer.read()
    except (ConnectionError, HTTPException):
        return False
    return True


@pytest.mark.parametrize("name", _STREAMS)
def test_a_stop_cuts_off_a_stream_that_is_not_read(
    settings: Settings,
    backend: Callable[[Settings], Backend],
    engine: HeldEngine,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    path, body = _STREAMS[name]
    if name == "held":
        engine.hold_after(0)
    with socket.socket() as client:
        with on_a_socket(create_app(settings, backend(settings)), shutdown_s=0.3) as url:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect((urlsplit(url).hostname, urlsplit(url).port))
            client.sendall(_request(path, body))
            wait_for(lambda: bool(engine.takes))
        assert not _is_whole(client)
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in caplog.records if "cut off" in each.getMessage()] == [
        "1 connections were cut off: their answers took more than 0.3 s"
    ]


def test_a_stop_closes_a_web_socket_that_is_not_read(
    settings: Settings, backend: Callable[[Settings], Backend], engine: HeldEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as opened:
        with on_a_socket(create_app(settings, backend(settings)), shutdown_s=0.3) as url:
            ws = opened.enter_context(connect(f"{url.replace('http', 'ws')}/tts/stream", max_queue=1))
            ws.send(json.dumps({"text": _LONG[:4000]}))
            wait_for(lambda: len(engine.takes) > 2)
        with pytest.raises(ConnectionClosed):
            list(iter(ws.recv, None))
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_models_are_loaded_ends_the_server_at_once(
    settings: Settings,
    backend: Callable[[Settings], Backend],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(command, "end", ended.append)
    loading = backend(settings)
    server = _Server(create_app(settings, loading), loading, host="127.0.0.1", port=free_port(), shutdown_s=0)
    assert loading.condition.state == "starting"
    server.handle_exit(number, None)
    assert ended == [number]
