"""Fixtures for the tests of checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatterbox_worker.custom_models import parse_custom_models
from chatterbox_worker.engines.chatterbox.checkpoint.custom import find_custom
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from support.community import Find, bases


@pytest.fixture
def find(tmp_path: Path) -> Find:
    weights = bases(tmp_path / "bases")

    def search(text: str, weights_dir: Path = weights, *, offline: bool = True) -> Checkpoint:
        (model,) = parse_custom_models(text)
        caches = {"runpod_cache": tmp_path / "runpod", "hub_cache": tmp_path / "hub"}
        return find_custom(model, weights_dir=weights_dir, offline=offline, **caches)

    return search
