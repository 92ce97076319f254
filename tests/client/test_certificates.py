"""A server on this machine with a certificate of its own, and a proxy in the environment that must not be asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbox_worker.client import AsyncRunPodServerlessClient, Patience, RunPodServerlessClient, Unavailable
from support.certificates import certificate
from support.http_server import QuietHandler, serving

_ONCE = Patience(attempts=1)
_HEALTH = {"jobs": {}, "workers": {"ready": 1}}


class _Endpoint(QuietHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(_HEALTH).encode())


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return certificate(tmp_path, "localhost")


@pytest.fixture
def url(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority)
    with serving(_Endpoint, context) as port:
        yield f"https://localhost:{port}/v2"


def test_an_authority_of_the_environment_is_trusted(url: str, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        RunPodServerlessClient("x", "k", base_url=url, patience=_ONCE) as client,
        pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.health()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with RunPodServerlessClient("x", "k", base_url=url, patience=_ONCE) as client:
        assert client.health() == _HEALTH


def test_a_caller_may_give_a_context_of_its_own(url: str, authority: Path) -> None:
    context = ssl.create_default_context(cafile=authority)
    with RunPodServerlessClient("x", "k", base_url=url, patience=_ONCE, verify=context) as client:
        assert client.health() == _HEALTH

    async def ask() -> object:
        async with AsyncRunPodServerlessClient("x", "k", base_url=url, patience=_ONCE, verify=context) as client:
            return await client.health()

    assert asyncio.run(ask()) == _HEALTH


def test_a_file_without_certificates_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("missing.pem", "empty.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        for base_url in ("https://localhost/v2", "https://speech.example/v2"):
            with pytest.raises(ValueError, match="SSL_CERT_FILE has no certificates that can be used"):
                RunPodServerlessClient("x", "k", base_url=base_url)
        RunPodServerlessClient("x", "k", base_url="http://localhost/v2").close()  # which needs none
