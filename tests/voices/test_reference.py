"""References by base64 and by URL: bounded, and without access to private addresses."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import ConversionRequest, parse
from chatterbox_worker.synthesis.conversion import recording_of
from chatterbox_worker.voices import reference
from chatterbox_worker.voices.reference import fetch, from_base64
from chatterbox_worker.voices.source import reference_bytes
from support.addresses import NOT_PUBLIC
from support.http_server import QuietHandler, serving
from support.network import DEAD, SERVED, FakeNetwork

SOUND = b"RIFF" + bytes(range(256)) * 40


_SLOW = {"/drip": b"\r\nx", "/headers": b"X: a\r\n"}  # sent again and again after the first line


class _Site(QuietHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/hop"):
            left = int(self.path[4:])
            self._redirect(f"/hop{left - 1}" if left else "/sound?a=b")
        elif self.path == "/inside":
            self._redirect("http://169.254.169.254/latest/meta-data")
        elif self.path == "/late":
            self._redirect("/drip")
        elif self.path == "/file":
            self._redirect("file:///etc/passwd")
        elif self.path == "/sound?a=b":
            self._send(SOUND)
        elif self.path == "/huge":
            self._send(b"x" * (reference.MAX_BYTES + 1))
        elif self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x")
        elif self.path in _SLOW:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(1000):  # 50 s
                self.wfile.write(_SLOW[self.path])
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


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving(_Site) as port:
        yield f"http://127.0.0.1:{port}"


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
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(10)  # not the 20 s that the whole fetch may take
        assert not timer.is_alive()


def test_the_recording_of_a_request_is_in_it_or_behind_its_url(site: str) -> None:
    url, encoded = f"{site}/hop0", base64.b64encode(SOUND).decode()
    assert reference_bytes(None, url, allow_private_urls=True) == (SOUND, "voice_url")
    assert reference_bytes(encoded, None, allow_private_urls=False) == (SOUND, "reference_audio")
    with pytest.raises(InvalidRequest, match="not a public address"):
        reference_bytes(None, url, allow_private_urls=False)
    request = parse({"action": "convert", "audio_url": url}, Settings())
    assert isinstance(request, ConversionRequest)
    assert recording_of(request, allow_private_urls=True) == (SOUND, "audio_url")
    with pytest.raises(InvalidRequest, match=r"audio_url: .* is not a public address"):
        recording_of(request, allow_private_urls=False)


@pytest.mark.parametrize(
    ("path", "message"),
    [("/nothing", "answered 404"), ("/hop9", "redirects more than"), ("/file", "must be an http"),
     ("/huge", "more than 25000000 bytes")],
)  # fmt: skip
def test_a_url_that_will_not_do_says_why(site: str, path: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        fetch(site + path, allow_private=True)

    assert refused.value.field == "voice_url"


@pytest.mark.parametrize("path", ["/drip", "/headers", "/late"])
def test_a_slow_url_is_given_up(site: str, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(reference, "_TIMEOUT_S", 0.3)
    started_s = time.monotonic()

    with pytest.raises(InvalidRequest, match="took longer"):
        fetch(site + path, allow_private=True)

    assert time.monotonic() - started_s < 30


def test_a_private_address_is_not_reached(site: str) -> None:
    with pytest.raises(InvalidRequest, match="not a public address"):
        fetch(site + "/sound?a=b")


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if "%" not in address])
def test_no_address_inside_is_fetched_from(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork(monkeypatch, 0)

    with pytest.raises(InvalidRequest, match="not a public address") as refused:
        fetch(f"http://[{address}]/" if ":" in address else f"http://{address}/")

    assert refused.value.field == "voice_url"
    assert network.connections == []


def test_a_name_is_fetched_from_the_address_that_was_checked(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork(monkeypatch, urlsplit(site).port or 0)
    network.answers["voices.example"] = [(SERVED,), ("127.0.0.1",)]

    assert fetch("http://voices.example/sound?a=b") == SOUND
    assert network.connections == [SERVED]


def test_a_redirect_is_checked_as_the_url_is(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork(monkeypatch, urlsplit(site).port or 0)
    network.answers["voices.example"] = [(SERVED,), (SERVED,), ("127.0.0.1",)]

    with pytest.raises(InvalidRequest, match=r"'169\.254\.169\.254' is not a public address"):
        fetch("http://voices.example/inside")
    with pytest.raises(InvalidRequest, match=r"'voices\.example' is not a public address"):
        fetch("http://voices.example/hop1")

    assert network.connections == [SERVED, SERVED]


def test_a_name_without_an_address_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNetwork(monkeypatch, 0).answers["voices.example"] = [()]

    with pytest.raises(InvalidRequest, match=r"'voices\.example' cannot be resolved"):
        fetch("http://voices.example/")


def test_a_site_that_refuses_the_connection_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNetwork(monkeypatch, 0)

    with pytest.raises(InvalidRequest, match="voice_url cannot be reached: ConnectError"):
        fetch(f"http://{DEAD}/")


def test_an_answer_that_breaks_off_is_not_a_recording(site: str) -> None:
    with pytest.raises(InvalidRequest, match="voice_url broke off: RemoteProtocolError"):
        fetch(site + "/half", allow_private=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://x.example/a", "must be an http or https URL"), ("http:///a", "must be an http or https URL"),
        ("http://x.example:0/", "must be an http or https URL"), ("http://x.example:99999/", "is not a URL"),
        ("http://[::1/", "is not a URL"), ("http://x.example/\x00", "is not a URL"),
        ("http://me:secret@x.example/", "must not carry a user name"), ("http://@x.example/", "must not carry a user"),
        ("http://\ud800.example/", "is not a URL"),
        ("http://xn--/", "is not a URL"),
    ],
)  # fmt: skip
def test_what_is_not_a_usable_url_is_refused_before_a_connection(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FakeNetwork(monkeypatch, 0)

    with pytest.raises(InvalidRequest, match=message):
        fetch(url)

    assert network.connections == []
