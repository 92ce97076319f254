"""What clients do on the wire: old and odd requests, and those that do not read or do not send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect

from chatterbox_worker.server import connection, limits
from support import http_calls
from support.serving import HeldEngine, wait_for

SPEECH = {"input": "Hello there.", "response_format": "pcm"}
LONG = "A sentence that is spoken again and again. " * 1100
"""47 000 characters: 470 s of audio, 22 MB of samples, which is more than the sockets' buffers hold."""
_JAVA = (
    "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    "Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.13\r\n"
)  # as java.net.http.HttpClient of JDK 11 to 25 sends them with a request by http


def _request(url: str, body: dict[str, Any], headers: str = "", version: str = "1.1") -> bytes:
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/audio/speech HTTP/{version}\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n{headers}\r\n"
    )
    return head.encode() + data


@contextmanager
def _open(url: str, *, receive_bytes: int = 0) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.socket() as client:
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(120)
        client.connect((parts.hostname, parts.port))
        yield client


@contextmanager
def _open_web_socket(url: str, *, receive_bytes: int = 0) -> Iterator[socket.socket]:
    with _open(url, receive_bytes=receive_bytes) as client:
        client.sendall(
            f"GET /tts/stream HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode()
        )
        assert b" 101 " in client.recv(1000)
        yield client


def _frame(kind: int, content: bytes) -> bytes:
    """A frame as clients send it, masked with zeros. `kind`: the first byte (RFC 6455 section 5.2)."""
    return bytes([kind, 0x80 | len(content)]) + bytes(4) + content


def _send_all(client: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # closed meanwhile
        client.sendall(data)


def _read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1_000_000), b""))


def _read_what_is_there(client: socket.socket) -> int:
    received = 0
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1_000_000):
            received += len(data)
    return received


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1000) == b""
    except ConnectionResetError:
        return True


def _inside(url: str) -> int:
    inside: int = http_calls.get(f"{url}/health").json()["requests"]["inside"]
    return inside


@pytest.mark.parametrize("stream", [False, True])
def test_a_post_that_offers_another_protocol_is_answered(live_url: str, stream: bool) -> None:
    with _open(live_url) as client:
        client.sendall(_request(live_url, SPEECH | {"stream": stream}, _JAVA.replace("Upgrade, ", "close, Upgrade, ")))
        head, _, body = _read_all(client).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) > 5000


def test_a_connection_that_offered_another_protocol_is_used_again(live_url: str) -> None:
    with _open(live_url) as client:
        for _ in range(2):
            client.sendall(_request(live_url, {"input": ""}, _JAVA))
            answer = HTTPResponse(client)
            answer.begin()
            assert answer.status == 400
            assert answer.read()


def test_a_client_that_offered_another_protocol_and_hangs_up_is_noticed(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    with _open(live_url) as client:
        client.sendall(_request(live_url, SPEECH, _JAVA))
        wait_for(lambda: bool(engine.takes))

    wait_for(engine.takes[0].cancelled.is_set)


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(live_url: str) -> None:
    with _open(live_url) as client:
        client.sendall(_request(live_url, SPEECH | {"stream": True}, version="1.0"))
        head, _, body = _read_all(client).partition(b"\r\n\r\n")

    assert b"chunked" not in head.lower()
    assert len(body) == 2 * round(0.01 * len("Hello there.") * 24_000)


@pytest.mark.parametrize(
    "request_line",
    [b"\x16\x03\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /v\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n"],
)
def test_what_is_no_http_gets_an_error_as_any_other(live_url: str, request_line: bytes) -> None:
    with _open(live_url) as client:
        client.sendall(request_line)
        head, _, body = _read_all(client).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-request-id: " in head.lower()
    assert json.loads(body)["code"] == "invalid_request"


def test_what_follows_an_answer_and_is_no_http_ends_the_connection(
    live_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with _open(live_url) as client:
        client.sendall(b"POST /nope HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 404")
        client.sendall(b"ZZ\r\n")
        assert _is_closed(client)

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/voices"])
def test_a_client_that_hangs_up_in_its_body_is_no_failure_of_the_server(
    live_url: str, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    kind = "application/json" if path.startswith("/v1") else "multipart/form-data; boundary=x"
    with _open(live_url) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n--x\r\n"
        client.sendall(head.encode())
        client.shutdown(socket.SHUT_RDWR)
    counted = f'method="POST",route="{path}",status="499"'
    wait_for(lambda: counted in http_calls.get(f"{live_url}/metrics").text)

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.slow
def test_an_idle_connection_is_kept_for_the_next_request(live_url: str) -> None:
    with _open(live_url) as client:
        for pause_s in (0, 6):  # uvicorn's own limit is 5 s
            time.sleep(pause_s)
            client.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 20")


def test_the_head_of_a_stream_has_no_length(live_url: str, engine: HeldEngine) -> None:
    heads = []
    for method in ("HEAD", "GET"):
        with _open(live_url) as client:
            client.sendall(f"{method} /tts-stream?text=Hola. HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = _read_all(client).partition(b"\r\n\r\n")
            heads.append({line.partition(b":")[0].lower(): line for line in head.splitlines()})
            assert (len(engine.takes), bool(body)) == ((0, False) if method == "HEAD" else (1, True))

    assert heads[0].keys() == heads[1].keys()
    assert heads[0][b"content-type"] == heads[1][b"content-type"] == b"content-type: audio/wav"
    assert b"content-length" not in heads[0]


@pytest.mark.parametrize("setting", ["SILENT_S", "LONGEST_BODY_S"])
@pytest.mark.parametrize("path", ["/v1/audio/speech", "/voices"])
def test_a_body_that_does_not_arrive_is_given_up(
    live_url: str, monkeypatch: pytest.MonkeyPatch, setting: str, path: str
) -> None:
    monkeypatch.setattr(limits, setting, 0.2)
    kind = "application/json" if path.startswith("/v1") else "multipart/form-data; boundary=x"
    with _open(live_url) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n--x\r\n"
        client.sendall(head.encode())
        answer = _read_all(client)  # until the server closes the connection

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in answer


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost: "])
def test_a_connection_without_a_request_is_ended(live_url: str, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connection, "_HEAD_S", 0.2)
    with _open(live_url) as client:
        client.sendall(sent)
        assert _is_closed(client)


def test_a_stream_that_is_not_read_waits_without_a_place(live_url: str, engine: HeldEngine) -> None:
    with _open(live_url, receive_bytes=4096) as client:
        client.sendall(
            _request(live_url, {"input": LONG, "response_format": "pcm", "stream": True}, "Connection: close\r\n")
        )
        wait_for(lambda: bool(engine.takes))
        wait_for(lambda: _inside(live_url) == 0)
        generated_s = sum(len(take.utterance.text) for take in engine.takes) * 0.01
        other = http_calls.post(f"{live_url}/v1/audio/speech", json=SPEECH)
        rest = _read_all(client)

    assert generated_s < 350  # the buffers of the sockets, and a minute more
    assert other.status_code == 200
    assert sum(len(take.utterance.text) for take in engine.takes) * 0.01 > 450
    assert len(rest) > 21_000_000


@pytest.mark.slow
@pytest.mark.parametrize("body", [{"stream": True}, {"stream_format": "sse"}, {"cache": False}])
def test_a_client_that_takes_nothing_is_disconnected(
    live_url: str, engine: HeldEngine, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.2)
    is_dropped = threading.Event()
    check = connection._DropsStalled._check

    def watched(server: connection._DropsStalled, before_bytes: int) -> None:
        check(server, before_bytes)
        if server.transport.is_closing():
            is_dropped.set()

    monkeypatch.setattr(connection._DropsStalled, "_check", watched)
    with _open(live_url, receive_bytes=4096) as client:
        client.sendall(_request(live_url, {"input": LONG, "response_format": "wav", **body}))
        wait_for(lambda: bool(engine.takes))
        wait_for(lambda: _inside(live_url) == 0)
        assert is_dropped.wait(60)
        received = _read_what_is_there(client)

    assert received < 20_000_000  # what the sockets' buffers hold


def test_a_slow_reader_is_not_disconnected(live_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.3)
    text = LONG[:4000]
    received = 0
    with _open(live_url, receive_bytes=4096) as client:
        client.sendall(_request(live_url, {"input": text, "response_format": "pcm"}, "Connection: close\r\n"))
        while data := client.recv(20_000):
            received += len(data)

    assert received > 1_900_000


def test_pings_of_a_client_that_reads_nothing_are_not_answered(live_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting_bytes: list[int] = []
    handle = connection.WebSocketConnection.handle_ping

    def watched(server: connection.WebSocketConnection) -> None:
        handle(server)
        waiting_bytes.append(server.transport.get_write_buffer_size())

    monkeypatch.setattr(connection.WebSocketConnection, "handle_ping", watched)
    ping = _frame(0x89, b"p" * 125)
    with _open_web_socket(live_url, receive_bytes=4096) as client:
        for _ in range(100):
            client.sendall(ping * 100)
        wait_for(lambda: len(waiting_bytes) == 10_000)

    assert 0 < max(waiting_bytes) < 400_000  # of 1.3 MB


@pytest.mark.parametrize("kind", [0x89, 0x8A], ids=["ping", "pong"])
def test_a_flood_of_tiny_frames_leaves_the_server_to_others(live_url: str, kind: int) -> None:
    with _open_web_socket(live_url) as client:
        flood = threading.Thread(target=_send_all, args=(client, _frame(kind, b"") * 2_000_000))
        flood.start()
        took_s = []
        for _ in range(5):
            started_s = time.process_time()  # of the server, too: what it does before it answers
            http_calls.get(f"{live_url}/health")
            took_s.append(time.process_time() - started_s)
        client.shutdown(socket.SHUT_RDWR)
        flood.join()

    assert (
        statistics.median(took_s) < 0.25
    )  # one read may be 40 000 frames, which take 0.2 s; an answer waits for several


def test_a_message_in_too_many_fragments_is_refused(live_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_MOST_FRAGMENTS", 100)
    with _open_web_socket(live_url) as client:
        client.sendall(_frame(0x01, b"") + _frame(0x00, b"") * 1000)
        closing = _read_all(client)

    assert closing[:4] == b"\x88\x27\x03\xf0"  # a close frame of 39 bytes, code 1008
    assert closing[4:] == b"a message has more than 100 fragments"


@pytest.mark.anyio
async def test_web_sockets_that_are_not_read_hold_no_places(live_url: str, engine: HeldEngine) -> None:
    url = live_url.replace("http", "ws") + "/tts/stream"
    open_sockets = [await connect(url, max_queue=1) for _ in range(3)]
    for ws in open_sockets:
        await ws.send(json.dumps({"type": "start"}))
        await ws.send(json.dumps({"type": "text", "text": LONG[:4000]}))
    await asyncio.to_thread(wait_for, lambda: len(engine.takes) >= 9)
    await asyncio.to_thread(wait_for, lambda: _inside(live_url) == 0)
    answer = await asyncio.to_thread(http_calls.post, f"{live_url}/v1/audio/speech", json=SPEECH)
    for ws in open_sockets:
        ws.transport.abort()

    assert answer.status_code == 200
