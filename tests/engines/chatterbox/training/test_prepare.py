"""A recording is encoded once, as serving encodes a reference, even if the run is interrupted."""

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


class _Encoders:
    """In the encoders' place: records the lengths that it encodes."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def tokens(self, speech: Samples, *, limit: int | None = None) -> torch.Tensor:
        self.lengths.append(len(speech))
        count = len(speech) // 640
        return torch.arange(count if limit is None else min(count, limit))[None]

    def speaker(self, speech: Samples) -> torch.Tensor:
        return torch.ones(1, 256) / 16

    def flow_prompt(self, speech: Samples) -> Any:
        raise AssertionError("training does not need a flow prompt")


def _preparer(
    folder: Path, encoders: _Encoders, model: str = "english", revision: str = "r1", *, in_words: bool = True
) -> Preparer:
    tokenizer = parts(model).tokenizer
    return Preparer(LAYOUTS[model], revision, tokenizer, encoders, folder, text_positions=60, in_words=in_words)


def _clip(preparer: Preparer, text: str = "Hello there.", audio: Audio | None = None) -> TrainingClip:
    sound = audio or tone(8.0)
    return preparer.clip("a", b"bytes", lambda _: sound, text=text, language="en", person="ann")


def test_a_recording_is_encoded_once_for_a_revision(tmp_path: Path) -> None:
    encoders = _Encoders()
    first = _clip(_preparer(tmp_path, encoders))
    assert encoders.lengths == [8 * 16_000, 6 * 16_000]
    again = _clip(_preparer(tmp_path, encoders), text="Something else.")
    assert len(encoders.lengths) == 2
    assert torch.equal(again.speech, first.speech)
    assert not torch.equal(again.text, first.text)
    _clip(_preparer(tmp_path, encoders, revision="r2"))
    assert len(encoders.lengths) == 4


def test_a_clip_has_what_t3_trains_on(tmp_path: Path) -> None:
    clip = _clip(_preparer(tmp_path, _Encoders()))
    ids = parts("english").tokenizer.encode("Hello there.", "en")
    assert clip.text.tolist() == [START_TEXT, *ids, STOP_TEXT]
    assert (len(clip.speech), len(clip.prompt)) == (200, 150)
    assert clip.duration_s == 8.0
    assert clip.peak == pytest.approx(0.3, abs=1e-3)
    turbo = _clip(_preparer(tmp_path, _Encoders(), "turbo"))
    assert turbo.text.tolist() == parts("turbo").tokenizer.encode("Hello there.", "en")


@pytest.mark.parametrize("model", ["english", "turbo"])
def test_a_transcript_is_read_as_speech_reads_it_unless_it_has_the_words_already(tmp_path: Path, model: str) -> None:
    encoders = _Encoders()
    read = _clip(_preparer(tmp_path, encoders, model), text="It's 25 km.").text
    in_words = _clip(_preparer(tmp_path, encoders, model), text="It's twenty-five kilometers.").text
    as_written = _clip(_preparer(tmp_path, encoders, model, in_words=False), text="It's 25 km.").text
    assert torch.equal(read, in_words)
    assert not torch.equal(as_written, in_words)


def test_a_quiet_recording_is_brought_to_turbos_loudness(tmp_path: Path) -> None:
    levels: list[float] = []

    class LevelMeter(_Encoders):
        def speaker(self, speech: Samples) -> torch.Tensor:
            levels.append(float(np.sqrt(np.mean(np.square(speech)))))
            return super().speaker(speech)

    for peak, name in ((0.01, "a"), (0.5, "b")):
        _clip(_preparer(tmp_path / name, LevelMeter(), "turbo"), audio=tone(8.0, peak=peak))
    assert levels[0] == pytest.approx(levels[1], rel=0.01)


def test_a_killed_preparation_leaves_no_incomplete_file(tmp_path: Path) -> None:
    class Killed(_Encoders):
        def speaker(self, speech: Samples) -> torch.Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _clip(_preparer(tmp_path, Killed()))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(_clip(_preparer(tmp_path, _Encoders())).speech) == 200


@pytest.mark.parametrize(
    ("text", "seconds", "why"),
    [
        ("Word after word. " * 40, 8.0, "tokens; the model has 60 positions"),
        ("Every one of these words in half a second?", 0.5, r"is too long for 0\.5 s"),
        ("...", 8.0, "nothing"),
        ("Доброе утро.", 8.0, "english has no token for any letter of .* for Russian ask for .* multilingual"),
    ],
)
def test_an_unusable_transcript_is_refused(tmp_path: Path, text: str, seconds: float, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        _clip(_preparer(tmp_path, _Encoders()), text, tone(seconds))


def test_a_fast_speaker_is_accepted(tmp_path: Path) -> None:
    """The limit is 50 tokens a second."""
    clip = _clip(_preparer(tmp_path, _Encoders()), "As many words as can be said in a second.", tone(1.0))
    assert 30 < len(clip.text) <= 50
