"""Which models a developer's machine serves by default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbox_worker import local
from chatterbox_worker.errors import NotReady
from chatterbox_worker.server.__main__ import main
from support.http_server import QuietHandler, serving


class _Hub(QuietHandler):
    def do_HEAD(self) -> None:
        self.send_response(int(self.path.rsplit("/", 1)[1]))
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with serving(_Hub) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU, no weights, a hub that answers in half a second or not at all."""
    monkeypatch.setattr(local, "_NVIDIA_DRIVER", tmp_path / "none")
    monkeypatch.setattr(local, "_is_available", lambda *_: False)
    monkeypatch.setattr(local, "_HUB_ANSWERS_WITHIN_S", 0.5)


@pytest.mark.parametrize("status", [200, 302, 404])
def test_nano_is_served_if_the_hub_can_be_reached(hub: str, status: int) -> None:
    assert local.local_models({"HF_ENDPOINT": f"{hub}/{status}"}) == ("nano",)


@pytest.mark.parametrize("endpoint", ["/500", "/503"])
def test_the_preview_is_served_if_the_hub_is_broken(hub: str, endpoint: str) -> None:
    assert local.local_models({"HF_ENDPOINT": hub + endpoint}) == ("preview",)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "file:///etc", "http://", "http://[::1", "http://x\x00y", "no URL"]
)
def test_the_preview_is_served_if_there_is_no_hub_at_that_address(url: str) -> None:
    assert local.local_models({"HF_ENDPOINT": url}) == ("preview",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("ALL_PROXY", "nonsense://127.0.0.1:9"),
        ("SSL_CERT_FILE", "/missing.pem"),
    ],
)
def test_the_preview_is_served_if_the_environment_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert local.local_models({"HF_ENDPOINT": "http://hub.example.org"}) == ("preview",)


def test_the_hub_is_not_asked_offline(hub: str) -> None:
    assert local.local_models({"HF_ENDPOINT": f"{hub}/200", "HF_HUB_OFFLINE": "1"}) == ("preview",)


def test_two_models_are_served_with_a_gpu(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_NVIDIA_DRIVER", tmp_path)
    assert local.local_models({"HF_ENDPOINT": f"{hub}/200"}) == ("multilingual", "turbo")


def test_weights_on_the_machine_need_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_is_available", lambda name, _: name == "nano")
    assert local.local_models({"HF_ENDPOINT": "http://127.0.0.1:9"}) == ("nano",)


def test_a_deleted_working_folder_is_an_error_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(NotReady, match="the working folder has been deleted"):
        local.local_environment({})
    monkeypatch.setattr(local, "VOLUME", tmp_path / "none")
    with pytest.raises(NotReady, match="the working folder has been deleted"):
        local.with_folders({})
    assert main(["--local"]) == 2
