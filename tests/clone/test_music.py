"""Music behind speech is found in the pauses; noise, hum and a machine's whine are not called music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.music import find_notes
from chatterbox_worker.clone.findings import examine
from support.recorded import RATE, talk, wav
from support.speakers import ANN, SENTENCES, PitchEncoder

_TALK = talk(ANN, SENTENCES[:4], pause_s=0.6)
_TIME = np.arange(len(_TALK)) / RATE
_CHORDS = ((262.3, 329.6, 392.2), (220.7, 261.6, 329.6), (174.6, 221.3, 261.6), (196.3, 246.9, 293.7))


def _tones(*hertz: float) -> Samples:
    total: Samples = np.sum([np.sin(2 * np.pi * each * _TIME) for each in hertz], axis=0).astype(np.float32)
    return total


def _chords() -> Samples:
    """A chord every 2 s."""
    number = (_TIME // 2).astype(int) % len(_CHORDS)
    return np.choose(number, [_tones(*chord) for chord in _CHORDS]).astype(np.float32)


def _behind(sound: Samples, db: float) -> Samples:
    """The speech with `sound`, `db` below it."""
    level_dbfs = speech_level(Audio(_TALK, RATE))
    assert level_dbfs is not None
    gain = np.float32(10 ** ((level_dbfs - db) / 20) / np.sqrt(np.square(sound).mean()))
    return (_TALK + gain * sound).astype(np.float32)


def _share(sound: Samples) -> float:
    return float(find_notes(Audio(sound, RATE)).has_notes.mean())


@pytest.mark.parametrize("db", [20.0, 25.0, 35.0])
def test_chords_far_below_the_voice_are_found(db: float) -> None:
    assert _share(_behind(_chords(), db)) > 0.6


_NOISE = np.random.default_rng(0).standard_normal(len(_TALK)).astype(np.float32)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros_like(_TALK),
        _NOISE,
        _tones(*(50.0 * each for each in range(1, 40))),
        _tones(*(60.02 * each for each in range(1, 40))),
        _tones(1234.5) + 0.1 * _NOISE,
        _tones(823.4, 1646.8, 2470.2) + 0.1 * _NOISE,
    ],
    ids=["silence", "noise", "hum of 50 Hz", "hum of 60 Hz", "whine", "whine with overtones"],
)
def test_what_stays_at_its_frequency_or_has_none_is_no_music(sound: Samples) -> None:
    assert _share(_behind(sound, 25.0) if sound.any() else _TALK) < 0.1


def test_no_speech_and_no_pause_have_no_windows() -> None:
    for sound in (np.zeros(RATE, np.float32), _tones(200.0)):
        assert len(find_notes(Audio(sound, RATE)).at_s) == 0


def test_speech_with_music_is_left_out_by_name_unless_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "clean.wav").write_bytes(wav(_TALK))
    (tmp_path / "music.wav").write_bytes(wav(_behind(_chords(), 25.0)))
    faults = {each.segment.file: each.fault for each in examine(tmp_path, None).assessed}
    assert faults["clean.wav"] is None
    assert (faults["music.wav"] or "").startswith("music: ")
    assert "--allow-music" in (faults["music.wav"] or "")
    assert len(examine(tmp_path, None, allow_music=True).kept) == len(examine(tmp_path, None).assessed)


def test_music_under_the_beginning_affects_only_the_beginning_and_no_decision_who_speaks(tmp_path: Path) -> None:
    (tmp_path / "podcast.wav").write_bytes(wav(np.concatenate([_behind(_chords(), 20.0), *[_TALK] * 2])))
    findings = examine(tmp_path, PitchEncoder())
    faults = [each.fault for each in findings.assessed]
    assert (faults[0] or "").startswith("music: ")
    assert faults[-1] is None
    assert findings.diarisation is not None
    assert findings.diarisation.windows[0].start_s > findings.assessed[0].segment.end_s
