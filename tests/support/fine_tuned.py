"""Voices with an adapter of random numbers, for models of random weights."""

from __future__ import annotations

from typing import Any

from chatterbox_worker.engine import Adapter, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.voices.bundle import Bundle, pack
from chatterbox_worker.voices.contents import voice_of
from support.audio_clips import tone
from support.tiny_engine import found
from tools.synthetic_adapter import random_adapter


def tiny_adapter(model: str, **options: Any) -> Adapter:
    """An adapter for the tiny checkpoint of a model."""
    tiny = found(model)
    return random_adapter(load_t3_state(tiny), model=model, **{"base": tiny.t3_digest, **options})


def voice_file(adapter: Adapter | None, pitch: float = 220.0) -> bytes:
    return pack(Bundle(tone(6.0, pitch), None, {}, adapter))


def fine_tuned(model: str, name: str = "alice", **options: Any) -> Voice:
    return voice_of(name, voice_file(tiny_adapter(model, **options)), field="voice")
