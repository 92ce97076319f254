"""Fixtures for the tests of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatterbox_worker.client import RunPodServerlessClient
from chatterbox_worker.localqueue import LocalQueue
from support.clients import client_of


@pytest.fixture
def client(queue: LocalQueue) -> Iterator[RunPodServerlessClient]:
    with client_of(queue) as client:
        yield client
