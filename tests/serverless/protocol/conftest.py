"""A local queue without workers, and a worker that posts to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.protocol import send
from chatterbox_worker.serverless.protocol.outbox import Outbox
from support.posting import Caller


@pytest.fixture(scope="module")
def queue() -> Iterator[LocalQueue]:
    with LocalQueue(workers=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "pause_s", lambda *_, **__: 0.001)


@pytest.fixture
def kept(tmp_path: Path) -> Outbox:
    return Outbox(Volume(tmp_path / "outputs", max_age_s=3600), "here")


@pytest.fixture
def caller(queue: LocalQueue, kept: Outbox) -> Caller:
    return Caller(queue, kept)
