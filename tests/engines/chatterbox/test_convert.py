"""The engine's voice conversion, compared with upstream's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engine import DEFAULT_VOICE, Passage, Voice
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise
from chatterbox_worker.engines.chatterbox.serving import render
from chatterbox_worker.errors import Cancelled, InvalidRequest, SynthesisFailed
from support.checkpoints import checkpoint, upstream_may_warn, upstream_s3gen
from support.recordings import buzz
from support.sounds import assert_same_sound
from support.tiny_engine import own_voice, say, sound_of, tiny_engine
from support.upstream_noise import draw


def upstream_conversion(model: str, recording: Path, reference: Path | None, seed: int) -> Samples:
    """What `ChatterboxVC.generate` returns, without a watermark."""
    from chatterbox.vc import ChatterboxVC

    own = own_voice(model)
    lengths = {"prompt_token_len": torch.tensor([own.prompt_token.shape[1]]), "prompt_feat_len": None}
    names = ("prompt_token", "prompt_feat", "embedding")
    with upstream_may_warn():
        vc = ChatterboxVC(upstream_s3gen(checkpoint(model)), "cpu", {n: getattr(own, n) for n in names} | lengths)
        vc.watermarker.apply_watermark = lambda wav, sample_rate: wav
        torch.manual_seed(seed)
        sound: Samples = vc.generate(str(recording), None if reference is None else str(reference))[0].numpy()
    return sound


class UpstreamNoise:
    """In the place of `SeededNoise`: upstream's random numbers for the seed."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed = seed

    def whole(self, prompt: Prompt, tokens: int) -> Noise:
        return draw(tokens, prompt, torch.Generator().manual_seed(self._seed), meanflow=False)


@pytest.mark.slow  # upstream's imports
@pytest.mark.parametrize(("model", "has_reference"), [("english", False), ("english", True), ("multilingual", True)])
def test_a_recording_is_converted_as_upstream_converts_it(
    model: str, has_reference: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, reference = buzz(1.3, 16_000), buzz(6.0, 24_000, level=0.05)
    paths = tmp_path / "recording.wav", tmp_path / "reference.wav"
    for path, audio in zip(paths, (recording, reference), strict=True):
        soundfile.write(path, audio.samples, audio.sample_rate, subtype="FLOAT")
    theirs = upstream_conversion(model, paths[0], paths[1] if has_reference else None, seed=7)
    monkeypatch.setattr(render, "SeededNoise", UpstreamNoise)
    engine = tiny_engine(model, tmp_path / "store")
    voice = Voice("own", "1", reference) if has_reference else DEFAULT_VOICE
    ours = sound_of(engine.convert(Passage(recording, voice, 7)))
    engine.close()
    assert len(ours) == len(theirs) == 33 * 960
    assert theirs.std() > 0.01
    assert_same_sound(ours, theirs)


def test_every_chatterbox_model_converts_beside_speech_with_the_same_sound_for_a_seed(tmp_path: Path) -> None:
    recording = buzz(1.0, 16_000)
    for model in ("english", "turbo"):
        engine = tiny_engine(model, tmp_path / model)
        alone = sound_of(engine.convert(Passage(recording, DEFAULT_VOICE, 1)))
        spoken = engine.submit(say(model))
        takes = [engine.convert(Passage(recording, DEFAULT_VOICE, seed)) for seed in (1, 2)]
        again, other = (sound_of(take) for take in takes)
        assert len(sound_of(spoken)) > 0
        engine.close()
        assert len(alone) == 25 * 960
        np.testing.assert_array_equal(alone, again)
        assert not np.array_equal(alone, other)
        assert {"queue_s", "s3gen_s", "vocoder_s", "watermark_s"} <= set(takes[0].timings)


def test_a_voice_that_cannot_be_encoded_fails_only_its_own_take(tmp_path: Path) -> None:
    engine = tiny_engine("english", tmp_path)
    silent = Voice("silent", "0", Audio(np.zeros(48_000, np.float32), 24_000))
    with pytest.raises(InvalidRequest, match="holds no sound"):
        list(engine.convert(Passage(buzz(0.5, 16_000), silent, 1)))
    assert len(sound_of(engine.convert(Passage(buzz(0.5, 16_000), DEFAULT_VOICE, 1)))) == 13 * 960
    engine.close()


def test_a_failure_of_the_tokenizer_fails_its_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_engine("english", tmp_path)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(engine._base_model.voices, "_tokenize", fail)
    with pytest.raises(SynthesisFailed, match="failed while reading the recording"):
        list(engine.convert(Passage(buzz(0.5, 16_000), DEFAULT_VOICE, 1)))
    engine.close()


def test_a_conversion_is_cancelled_and_one_that_waits_ends_with_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny_engine("english", tmp_path)
    is_held, may_go_on = threading.Event(), threading.Event()
    tokenize = engine._base_model.voices._tokenize

    def hold(speech: Audio) -> list[int]:
        is_held.set()
        assert may_go_on.wait(60)
        return tokenize(speech)

    monkeypatch.setattr(engine._base_model.voices, "_tokenize", hold)
    first, second = (engine.convert(Passage(buzz(0.5, 16_000), DEFAULT_VOICE, seed)) for seed in (1, 2))
    assert is_held.wait(60)
    first.cancel()
    with pytest.raises(Cancelled):
        list(first)
    closing = threading.Thread(target=engine.close)
    closing.start()
    engine._scheduler._thread.join(30)
    may_go_on.set()
    closing.join(60)
    with pytest.raises((Cancelled, SynthesisFailed)):
        list(second)
