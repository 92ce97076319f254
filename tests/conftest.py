"""Fixtures for every folder of tests."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the process that starts the others would import them for nothing, before it starts them
    from chatterbox_worker.config import Settings
    from chatterbox_worker.localqueue import LocalQueue
    from chatterbox_worker.synthesis.synthesizer import Synthesizer
    from support.fakes import ToneEngine


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without collections of garbage, which took an eighth of the CPU time: nearly everything that is made is kept."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)  # Python's 700, 10, 10 took 14 s of 320 in the tests


@pytest.fixture(autouse=True, scope="module")
def a_light_heap() -> Iterator[None]:
    """Freeze what a module's tests leave behind, mostly libraries, so that later collections do not traverse it."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_packs_in_shared_checkpoints() -> Iterator[None]:
    """A pack that one test leaves there would be read by others, which are to compute their tensors."""
    from support.checkpoints import shared_folder

    yield
    packs = sorted(shared_folder().glob("*/chatterbox-worker-*"))
    assert not packs, "delete these packs, and give the engine that wrote them a folder of `linked`"


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalQueue]:
    """The real worker with the preview voice. All files of a process share it: look at your own jobs only."""
    from support.preview_queue import preview_queue

    with preview_queue(tmp_path_factory.mktemp("volume")) as queue:
        yield queue


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: threads that share busy cores wait for each other at every layer."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    from chatterbox_worker.config import Settings

    return Settings(
        models=("multilingual", "turbo"),
        cache_dir=tmp_path / "cache",
        voices_dir=tmp_path / "voices",
        lexicon=tmp_path / "lexicon.json",
        concurrency=4,
        check="off",  # a tone is no speech; tests/checks switches it on
    )


@pytest.fixture
def engine() -> ToneEngine:
    from support.fakes import ToneEngine

    return ToneEngine()


@pytest.fixture
def synthesizer(settings: Settings, engine: ToneEngine) -> Synthesizer:
    from chatterbox_worker.cache import AudioCache
    from chatterbox_worker.synthesis.synthesizer import Synthesizer
    from chatterbox_worker.voices.library import VoiceLibrary

    return Synthesizer(
        {"multilingual": engine, "turbo": engine},
        VoiceLibrary(settings.voices_dir),
        AudioCache(settings.cache_dir, max_bytes=settings.cache_max_bytes, max_age_s=settings.cache_max_age_s),
        allow_private_urls=settings.allow_private_urls,
    )
