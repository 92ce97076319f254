"""Fixtures for the tests of the RunPod edge."""

from __future__ import annotations

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer


@pytest.fixture
def worker(settings: Settings, synthesizer: Synthesizer) -> Worker:
    return Worker(settings, synthesizer)
