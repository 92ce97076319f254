"""Whole engines with small weights sound as with the weights that these stand for.

The profiles are for GPUs, so the tests choose the precision in their place: the same layers, in float32 on a CPU.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance
from chatterbox_worker.engines.chatterbox import pack
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.errors import NotReady
from chatterbox_worker.serverless.information import JobCounts, info
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.wiring import build
from support.checkpoints import checkpoint
from support.community import bases, entry
from support.small_weights import write_dequantized
from support.tiny_engine import say, sound_of

TEXTS = ("Hello there, my friend.", "Good evening.", "One, two, three.")

Choose = Callable[[Precision], None]
Spoken = list[tuple[tuple[int, ...], Samples]]
"""Of each text the tokens and the sound."""


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Iterator[Choose]:
    """Sets the precision of the profile nf4."""
    threads = torch.get_num_threads()

    def set_precision(precision: Precision) -> None:
        monkeypatch.setattr(
            pack, "precision_of", lambda profile, _: precision if profile == "nf4" else Precision(profile)
        )

    yield set_precision
    torch.set_num_threads(threads)  # an engine sets its own


def settings_of(root: Path, model: str, weights: Path, **more: str) -> Settings:
    variables = {
        "MODELS": model, "WEIGHTS_DIR": str(weights), "DEVICE": "cpu", "THREADS": "1", "PROFILE": "nf4",
        "PREPARED_WEIGHTS": "off", "CACHE_DIR": str(root / "cache"), "VOICES_DIR": str(root / "voices"), **more,
    }  # fmt: skip
    return Settings.from_env({f"CHATTERBOX_{name}": value for name, value in variables.items()})


def utterances(family: str) -> list[Utterance]:
    return [replace(say(family, text, seed=seed), max_s=0.6) for seed, text in enumerate(TEXTS)]


def engine_of(synthesizer: Synthesizer) -> ChatterboxEngine:
    (engine,) = synthesizer.engines.values()
    assert isinstance(engine, ChatterboxEngine)
    return engine


def spoken(takes: Iterable[ChatterboxTake]) -> Spoken:
    return [(take.facts.tokens, sound) for take in takes for sound in [sound_of(take)]]


def speak(synthesizer: Synthesizer, family: str) -> Spoken:
    """All texts in one batch."""
    return spoken([engine_of(synthesizer).submit(each) for each in utterances(family)])


def speak_alone(synthesizer: Synthesizer, family: str) -> Spoken:
    return spoken(engine_of(synthesizer).submit(each) for each in utterances(family))


def assert_same(these: Spoken, those: Spoken) -> None:
    """Equal tokens, and the sound of them; sums in the decoder may differ in their last bits."""
    for (tokens, sound), (other_tokens, other) in zip(these, those, strict=True):
        assert tokens == other_tokens
        assert len(set(tokens)) > 5
        np.testing.assert_allclose(sound, other, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "precision"),
    [("multilingual", Precision.NF4), ("turbo", Precision.INT8_WEIGHTS), ("flash", Precision.NF4)],
)
def test_a_request_sounds_as_with_the_dequantised_weights_alone_and_in_a_batch(
    model: str, precision: Precision, choose: Choose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    choose(precision)
    reference = build(settings_of(tmp_path, model, write_dequantized(model, precision, tmp_path), PROFILE="exact"))
    expected = speak_alone(reference, model)
    reference.close()
    settings = settings_of(tmp_path, model, checkpoint(model))
    with caplog.at_level(logging.INFO, logger="chatterbox_worker"):
        synthesizer = build(settings)
    together, alone = speak(synthesizer, model), speak_alone(synthesizer, model)
    shown = info(settings, synthesizer, JobCounts())["models"][model]
    synthesizer.close()

    assert_same(together, expected)
    assert_same(alone, expected)
    assert shown["revision"].endswith(f"/{precision.value}")
    weights = shown["weights"]
    assert weights["stored_bytes"] < weights["unquantized_bytes"]
    assert 0 < weights["relative_error"] < {Precision.INT8_WEIGHTS: 0.02, Precision.NF4: 0.12}[precision]
    assert "T3's weights take" in caplog.text
    assert f"relative error of {100 * weights['relative_error']:.2f} %" in caplog.text


@pytest.mark.slow
def test_a_custom_model_is_quantised_offloaded_prepared_and_sounds_the_same(choose: Choose, tmp_path: Path) -> None:
    choose(Precision.NF4)
    settings = settings_of(
        tmp_path, "single", bases(tmp_path / "bases"), CUSTOM_MODELS=entry(tmp_path, "single"), IDLE_UNLOAD_S="9",
        IDLE_UNLOAD="offload", PREPARED_WEIGHTS=str(tmp_path / "prepared"),
    )  # fmt: skip
    synthesizer = build(settings)
    before, figures = speak_alone(synthesizer, "english"), engine_of(synthesizer).small_weights
    assert figures is not None
    synthesizer.offload()()
    woken, same = speak_alone(synthesizer, "english"), engine_of(synthesizer).small_weights
    synthesizer.close()
    again = build(settings)
    prepared = speak_alone(again, "english")
    again.close()

    assert same == figures == engine_of(again).small_weights
    assert_same(woken, before)
    assert_same(prepared, before)


def test_without_a_gpu_the_start_is_refused_with_what_to_choose(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"nf4 is for GPUs: set CHATTERBOX_PROFILE to int8"):
        build(settings_of(tmp_path, "nano", checkpoint("nano")))
