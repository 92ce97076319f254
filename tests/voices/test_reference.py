"""References by base64 and by URL: bounded, and never a way into the inside."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices import reference
from chatterbox_worker.voices.reference import fetch, from_base64

SOUND = b"RIFF" + bytes(range(256)) * 40


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/hop"):
            left = int(self.path[4:])
            self._redirect(f"/hop{left - 1}" if left else "/sound?a=b")
        elif self.path == "/inside":
            self._redirect("http://169.254.169.254/latest/meta-data")
        elif self.path == "/file":
            self._redirect("file:///etc/passwd")
        elif self.path == "/sound?a=b":
            self._send(SOUND)
        elif self.path == "/huge":
            self._send(b"x" * (reference.MAX_BYTES + 1))
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        else:
            self.send_error(404)

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client hung up, as it should
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("head", ["", "data:audio/wav;base64,", "data:audio/mpeg;codecs=mp3;base64,"])
def test_base64_and_data_uris_are_read(head: str) -> None:
    assert from_base64(head + base64.b64encode(SOUND).decode(), field="reference_audio") == SOUND


def test_line_breaks_in_base64_are_fine() -> None:
    assert from_base64(base64.encodebytes(SOUND).decode(), field="reference_audio") == SOUND


def test_too_much_base64_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InvalidRequest, match="more than 25000000 bytes"):
        from_base64("A" * (reference.MAX_BYTES * 4 // 3 + 8), field="reference_audio")


def test_a_url_is_fetched_through_redirects_with_its_query(site: str) -> None:
    assert fetch(f"{site}/hop3", allow_private=True) == SOUND


@pytest.mark.parametrize(
    ("path", "said"),
    [("/nothing", "answered 404"), ("/hop9", "redirects more than"), ("/file", "must be an http"),
     ("/huge", "more than 25000000 bytes")],
)  # fmt: skip
def test_a_url_that_will_not_do_says_why(site: str, path: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        fetch(site + path, allow_private=True)

    assert refused.value.field == "voice_url"


def test_a_slow_url_is_given_up(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_TIMEOUT_S", 0.3)
    started_s = time.monotonic()

    with pytest.raises(InvalidRequest):
        fetch(site + "/drip", allow_private=True)

    assert time.monotonic() - started_s < 3


def test_a_private_address_is_not_reached(site: str) -> None:
    with pytest.raises(InvalidRequest, match="not a public address"):
        fetch(site + "/sound?a=b")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
     "64:ff9b::7f00:1", "ff02::1"],
)  # fmt: skip
def test_no_inner_address_counts_as_public(address: str) -> None:
    assert not reference._is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_outer_addresses_count_as_public(address: str) -> None:
    assert reference._is_public(address)
