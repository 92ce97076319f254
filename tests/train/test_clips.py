"""Clips that cannot be used are refused by name with a reason, and the others are prepared."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.train.clips import RefusedClip, Rules, prepare_rows, refuse_single_clips
from chatterbox_worker.train.rows import TranscriptRow
from support.audio_clips import tone
from support.training_clips import wav

GOOD = wav(tone(2.0))
HALF_AN_HOUR = wav(Audio(np.tile(tone(10.0, rate=16_000).samples, 180), 16_000))


@dataclass
class _PreparedClip:
    id: str
    digest: str
    duration_s: float
    person: str
    language: str


def _prepare(
    name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
) -> _PreparedClip:
    return _PreparedClip(name, str(hash(data)), decode(data).duration_s, person, language)


def _row(
    name: str, data: bytes = GOOD, text: str = "Spoken.", language: str | None = None, speaker: str | None = None
) -> TranscriptRow:
    return TranscriptRow(name, f"line of {name}", text, lambda: data, language, speaker)


def _gone() -> bytes:
    raise InvalidRequest("there is no file gone.wav", field="audio")


def _silence() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(48_000, np.float32), 24_000, format="WAV")
    return buffer.getvalue()


ENGLISH = Rules("english", None, 30.0)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (_row("bad", text=""), "transcript is empty"),
        (_row("bad", b""), "file is empty: 0 bytes"),
        (_row("bad", HALF_AN_HOUR), "longer than 30 s"),
        (_row("bad", wav(tone(2.0, rate=8_000))), "sample rate of 8000 Hz; at least 16000"),
        (_row("bad", wav(tone(0.3))), r"lasts 0\.30 s; at least 0\.5"),
        (_row("bad", b"%PDF-1.4 not sound"), "not audio that can be read .*PDF"),
        (_row("bad", GOOD[:30]), "not audio|no samples|no sound"),
        (_row("bad", _silence()), "silent"),
        (TranscriptRow("bad", "line", "Spoken.", _gone), r"no file gone\.wav"),
        (_row("bad", GOOD), "its recording is the same as that of 'first'"),
        (_row("first", wav(tone(3.0))), "its id 'first' is already used by an earlier clip"),
        (_row("bad", wav(tone(3.0)), language="fr"), "language 'fr' is not one of en"),
    ],
)
def test_a_bad_clip_is_refused_with_its_reason_and_the_others_are_prepared(row: TranscriptRow, why: str) -> None:
    last = _row("last", wav(tone(4.0)))
    first, refused, second = (clip for _, clip in prepare_rows([_row("first"), row, last], ENGLISH, _prepare))
    assert isinstance(first, _PreparedClip)
    assert isinstance(second, _PreparedClip)
    assert isinstance(refused, RefusedClip)
    assert refused.where == row.where
    with pytest.raises(InvalidRequest, match=why):
        raise InvalidRequest(refused.why)


def test_the_multilingual_model_needs_a_language() -> None:
    def prepare(row: TranscriptRow, language: str | None) -> _PreparedClip | RefusedClip:
        return next(iter(prepare_rows([row], Rules("multilingual", language, 30.0), _prepare)))[1]

    refused = prepare(_row("a"), None)
    assert isinstance(refused, RefusedClip)
    assert "language '' is not one of ar, " in refused.why
    for row, default, expected in (
        (_row("a"), "es", "es"),
        (_row("a", language="pt-BR"), "es", "pt"),
        (_row("a", speaker="ann"), "fa", "fa"),  # one that training adds
    ):
        clip = prepare(row, default)
        assert isinstance(clip, _PreparedClip)
        assert (clip.language, clip.person) == (expected, row.speaker or "speaker")


def test_a_clip_of_a_run_with_a_higher_limit_is_refused() -> None:
    def prepare(
        name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> _PreparedClip:
        del data, decode
        return _PreparedClip(name, text, 31.0, person, language)

    ((_, refused),) = prepare_rows([_row("a")], ENGLISH, prepare)
    assert isinstance(refused, RefusedClip)
    assert refused.why == "its recording is longer than 30 s"


def test_a_speaker_with_a_single_clip_is_refused() -> None:
    clips = [
        _PreparedClip("a", "1", 2, "ann", "en"),
        _PreparedClip("b", "2", 2, "ben", "en"),
        _PreparedClip("c", "3", 2, "ann", "en"),
    ]
    kept, single = refuse_single_clips(clips, lambda clip: f"line of {clip.id}")
    assert [clip.id for clip in kept] == ["a", "c"]
    assert single == [RefusedClip("b", "line of b", "it is the only usable clip of 'ben'; at least two are needed")]
