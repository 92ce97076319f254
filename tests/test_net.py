"""The guard for addresses that a caller names: which are public, and that a connection goes to the one checked."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chatterbox_worker import net
from chatterbox_worker.net import client as net_client
from chatterbox_worker.net.client import open_client
from support.addresses import NOT_PUBLIC, PUBLIC
from support.certificates import certificate
from support.http_server import QuietHandler, serving
from support.network import DEAD, SERVED, FakeNetwork

HOST = "speech.example"


class _Echo(QuietHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = f"{self.headers['Host']} {self.path} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNetwork]:
    with serving(_Echo) as port:
        yield FakeNetwork(monkeypatch, port)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_the_registries_do_not_call_globally_reachable_is_not_public(address: str) -> None:
    assert not net.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_globally_reachable_address_is_public(address: str) -> None:
    assert net.is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.0.0.1", "1.2.3.4.5", "[::1]"])
def test_what_is_not_an_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        net.is_public(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "::1", "localhost"])
def test_every_way_to_write_the_loopback_address_is_refused(host: str) -> None:
    with pytest.raises(net.AddressError, match="is not a public address"):
        net.resolve_public(host)


def test_a_name_is_refused_if_one_of_its_addresses_is_not_public(network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED, "10.0.0.1")]

    with pytest.raises(net.AddressError, match="is not a public address") as refused:
        net.resolve_public(HOST)

    assert refused.value.host == HOST


@pytest.mark.parametrize("host", ["no-such-name.example", "", "a" * 64 + ".example", "\x00"])
def test_a_name_without_an_address_is_refused(network: FakeNetwork, host: str) -> None:
    network.answers["no-such-name.example"] = [()]

    with pytest.raises(net.AddressError, match="cannot be resolved"):
        net.resolve_public(host)


def test_a_request_goes_to_the_address_that_was_checked_and_carries_the_host(network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED,), ("127.0.0.1",)]

    with open_client(allow_private=False) as client:
        answer = client.put(f"http://{HOST}:8080/a?b=c", content=b"12345")

    assert answer.text == f"{HOST}:8080 /a?b=c 5"
    assert (network.lookups, network.connections) == ([HOST], [SERVED])


def test_a_name_that_changes_to_a_private_address_is_not_connected_to(network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED,), ("127.0.0.1",)]

    with open_client(allow_private=False) as client:
        client.put(f"http://{HOST}/", content=b"1")
        with pytest.raises(net.AddressError):
            client.put(f"http://{HOST}/", content=b"2")

    assert network.connections == [SERVED]


def test_the_next_address_is_tried_if_one_refuses_the_connection(network: FakeNetwork) -> None:
    network.answers[HOST] = [(DEAD, SERVED)]

    with open_client(allow_private=False) as client:
        assert client.put(f"http://{HOST}/", content=b"12").text == f"{HOST} / 2"
        network.answers[HOST] = [(DEAD,)]
        with pytest.raises(httpx.ConnectError):
            client.put(f"http://{HOST}/", content=b"12")

    assert network.connections == [DEAD, SERVED, DEAD]


def test_a_connection_after_the_time_is_up_is_closed() -> None:
    with serving(_Echo) as port, open_client(allow_private=True, within_s=0.01) as client:
        time.sleep(0.05)
        with pytest.raises(httpx.TransportError):
            client.put(f"http://127.0.0.1:{port}/", content=b"1")


def test_redirects_are_not_followed_and_proxies_not_used(network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    network.answers[HOST] = [(SERVED,)]

    with open_client(allow_private=False) as client:
        assert client.get(f"http://{HOST}/").status_code == 302

    assert network.connections == [SERVED]


def test_private_addresses_are_reached_if_the_operator_allows_it() -> None:
    with serving(_Echo) as port, open_client(allow_private=True) as client:
        assert client.put(f"http://127.0.0.1:{port}/", content=b"1").status_code == 200


def test_tls_verifies_the_name_although_the_connection_goes_to_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path, HOST)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setattr(net_client, "_tls", httpx.create_ssl_context)  # the shared one may exist already
    with serving(_Echo, context) as port:
        network = FakeNetwork(monkeypatch, port)
        network.answers = {HOST: [(SERVED,)], f"{HOST}.": [(SERVED,)], "other.example": [(SERVED,)]}
        with open_client(allow_private=False) as client:
            assert client.put(f"https://{HOST}/", content=b"123").text == f"{HOST} / 3"
            assert client.put(f"https://{HOST}./", content=b"123").status_code == 200
            with pytest.raises(httpx.ConnectError, match=r"other\.example"):  # although a connection to SERVED was open
                client.put("https://other.example/", content=b"123")
            with pytest.raises(httpx.ConnectError, match=SERVED):
                client.put(f"https://{SERVED}/", content=b"123")
