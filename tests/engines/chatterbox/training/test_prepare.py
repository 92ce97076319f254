"""A recording is listened to once, as serving listens to a reference, whatever becomes of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.training.corpus import TrainingClip
from chatterbox_worker.engines.chatterbox.training.prepare import Preparer
from chatterbox_worker.errors import InvalidRequest
from support.audio_clips import tone
from support.tiny_engine import parts


class _Ears:
    """In the encoders' place: counts what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def tokens(self, speech: Samples, *, limit: int | None = None) -> torch.Tensor:
        self.heard.append(len(speech))
        count = len(speech) // 640
        return torch.arange(count if limit is None else min(count, limit))[None]

    def speaker(self, speech: Samples) -> torch.Tensor:
        return torch.ones(1, 256) / 16

    def flow_prompt(self, speech: Samples) -> Any:
        raise AssertionError("training needs none")


def _preparer(folder: Path, ears: _Ears, model: str = "english", revision: str = "r1") -> Preparer:
    return Preparer(LAYOUTS[model], revision, parts(model).tokenizer, ears, folder, text_positions=60)


def _clip(preparer: Preparer, text: str = "Hello there.", audio: Audio | None = None) -> TrainingClip:
    sound = audio or tone(8.0)
    return preparer.clip("a", b"bytes", lambda _: sound, text=text, language="en", person="ann")


def test_a_recording_is_heard_once_for_a_revision(tmp_path: Path) -> None:
    ears = _Ears()
    first = _clip(_preparer(tmp_path, ears))
    assert ears.heard == [8 * 16_000, 6 * 16_000]
    again = _clip(_preparer(tmp_path, ears), text="Something else.")
    assert len(ears.heard) == 2
    assert torch.equal(again.speech, first.speech)
    assert not torch.equal(again.text, first.text)
    _clip(_preparer(tmp_path, ears, revision="r2"))
    assert len(ears.heard) == 4


def test_a_clip_is_what_t3_learns_from(tmp_path: Path) -> None:
    made = _clip(_preparer(tmp_path, _Ears()))
    ids = parts("english").tokenizer.encode("Hello there.", "en")
    assert made.text.tolist() == [START_TEXT, *ids, STOP_TEXT]
    assert (len(made.speech), len(made.prompt)) == (200, 150)
    assert made.duration_s == 8.0
    assert made.peak == pytest.approx(0.3, abs=1e-3)
    turbo = _clip(_preparer(tmp_path, _Ears(), "turbo"))
    assert turbo.text.tolist() == parts("turbo").tokenizer.encode("Hello there.", "en")


def test_a_quiet_recording_is_brought_to_the_loudness_that_turbo_hears(tmp_path: Path) -> None:
    heard: list[float] = []

    class Loud(_Ears):
        def speaker(self, speech: Samples) -> torch.Tensor:
            heard.append(float(np.sqrt(np.mean(np.square(speech)))))
            return super().speaker(speech)

    for peak, name in ((0.01, "a"), (0.5, "b")):
        _clip(_preparer(tmp_path / name, Loud(), "turbo"), audio=tone(8.0, peak=peak))
    assert heard[0] == pytest.approx(heard[1], rel=0.01)


def test_a_killed_preparation_leaves_nothing_half_done(tmp_path: Path) -> None:
    class Dying(_Ears):
        def speaker(self, speech: Samples) -> torch.Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _clip(_preparer(tmp_path, Dying()))
    assert not list(tmp_path.glob("*.safetensors"))
    assert len(_clip(_preparer(tmp_path, _Ears())).speech) == 200


@pytest.mark.parametrize(
    ("text", "seconds", "why"),
    [
        ("Word after word. " * 40, 8.0, "tokens; the model has 60 positions"),
        ("Every one of these words in half a second?", 0.5, r"cannot be said in 0\.5 s"),
        ("...", 8.0, "nothing"),
    ],
)
def test_a_transcript_that_cannot_be_learnt_is_refused(tmp_path: Path, text: str, seconds: float, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        _clip(_preparer(tmp_path, _Ears()), text, tone(seconds))
