"""Takes that are sent back when memory runs out: sound, tokens and times are those that they have alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BLOCK
from support.short_memory import limit_memory
from support.tiny_engine import parts, say, sound_of, tiny_engine


@pytest.mark.parametrize(
    ("model", "steps"), [("turbo", 20), ("flash", 4), pytest.param("multilingual", 20, marks=pytest.mark.slow)]
)
def test_it_changes_nothing_that_is_returned(
    model: str, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two streams run together for so many steps; then one fits."""
    heads = () if model == "flash" else ((1, 0), (0, 1))
    engine = tiny_engine(model, tmp_path, max_tokens=40, aligned_heads=heads)
    fewer = {"steps": 2} if model == "flash" else {}  # passes than the default
    sampling = {**MODELS[model].sampling, **fewer}
    utterance = replace(say(model, seed=2), sampling=sampling, timestamps=True)
    utterances = [replace(utterance, streaming=True, turn=1), replace(utterance, seed=3, streaming=True, turn=2)]
    alone = [engine.submit(each) for each in utterances]
    expected = [sound_of(take) for take in alone]

    together = 0

    def fits(rows: int, tokens: int) -> bool:
        nonlocal together
        together += rows > parts(model).t3.rows
        return rows == parts(model).t3.rows or together <= steps

    refused = limit_memory(monkeypatch, fits)
    takes = [engine.submit(each) for each in utterances]
    sounds = [sound_of(take) for take in takes]
    engine.close()
    assert len(refused) == 2, "it tried, and tried again with all memory freed"
    assert refused[0][1] == (BLOCK if model == "flash" else 1)
    for take, other, sound, whole in zip(takes, alone, sounds, expected, strict=True):
        assert take.facts == other.facts
        np.testing.assert_allclose(sound, whole, atol=1e-5)
        np.testing.assert_allclose(take.boundaries_s, other.boundaries_s, atol=1e-5)
        assert (len(take.boundaries_s) > 0) == bool(heads)
