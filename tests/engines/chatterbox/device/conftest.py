"""Fixtures for the tests of the device."""

from __future__ import annotations

import pytest

from chatterbox_worker.engines.chatterbox.device import memory, streams
from support.fake_cuda_runtime import FakeRuntime


@pytest.fixture(autouse=True)
def own_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_streams", {})
    monkeypatch.setattr(memory, "_graphs", {})


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    fake = FakeRuntime()
    fake.install(monkeypatch)
    return fake
