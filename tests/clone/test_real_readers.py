"""People are distinguished with a trained encoder, in mixtures of readers, single readers and meetings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.speakers import Truth, at_level, meetings, mix, read_people
from chatterbox_worker.audio.activity import measure_levels
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.music import find_notes
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.clone.background import notes_near
from chatterbox_worker.clone.findings import Findings, examine
from chatterbox_worker.clone.quality import LEAST_SNR_DB, SHORTEST_S, fault
from chatterbox_worker.clone.recordings import RATE, SourceRecording
from chatterbox_worker.clone.segments import split
from chatterbox_worker.clone.windows import Encoder
from chatterbox_worker.config import Settings
from chatterbox_worker.wiring import speaker_encoder
from support.recordings import real

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return speaker_encoder(Settings(models=("nano",), weights_dir=real("ear/ve.safetensors").parent, threads=1))


def _seconds(findings: Findings, truth: Truth) -> list[float]:
    """Of the kept speech, by person."""
    seconds = [0.0, 0.0]
    for segment in findings.kept:
        for start_s, end_s, person in truth:
            seconds[person] += max(0.0, min(end_s, segment.end_s) - max(start_s, segment.start_s))
    return seconds


@pytest.mark.parametrize(("turn_s", "gap_s"), [(1.5, 0.12), (4.0, 0.3)])
def test_two_readers_in_one_file_are_refused(tmp_path: Path, encoder: Encoder, turn_s: float, gap_s: float) -> None:
    people = read_people(real("speech"))
    mixed, _ = mix(np.concatenate(people["1688"]), np.concatenate(people["3005"]), turn_s, gap_s)
    soundfile.write(tmp_path / "mixed.wav", mixed, 16_000)
    assert examine(tmp_path, encoder).doubts


def test_the_asked_for_reader_is_kept_alone(tmp_path: Path, encoder: Encoder) -> None:
    people = read_people(real("speech"))
    mixed, truth = mix(np.concatenate(people["1688"][1:]), np.concatenate(people["3005"]), 4.0, 0.3)
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "mixed.wav", mixed, 16_000)
    soundfile.write(tmp_path / "like.wav", people["1688"][0], 16_000)
    findings = examine(tmp_path / "in", encoder, like=tmp_path / "like.wav")
    kept, other = _seconds(findings, truth)
    assert not findings.doubts
    assert kept > 15.0
    assert kept > 0.97 * (kept + other)


def test_a_reader_is_one_person_at_mixed_levels_down_to_minus_45(tmp_path: Path, encoder: Encoder) -> None:
    loud = read_people(real("speech"))["1688"]
    for index in range(len(loud)):
        level = at_level(loud, -45.0 if index % 2 else -23.0)[index]
        soundfile.write(tmp_path / f"{index}.wav", level, 16_000, subtype="FLOAT")
    findings = examine(tmp_path, encoder)
    assert not findings.doubts
    assert findings.kept_s > 0.95 * sum(each.segment.duration_s for each in findings.assessed)


@pytest.mark.parametrize("min_snr_db", [8.0, LEAST_SNR_DB])
def test_no_meeting_is_one_person_without_a_doubt(tmp_path: Path, encoder: Encoder, min_snr_db: float) -> None:
    for case in meetings(real("room")):
        folder = tmp_path / case.name
        folder.mkdir()
        for name, samples in case.files.items():
            soundfile.write(folder / name, samples, 16_000, subtype="FLOAT")
        assert examine(folder, encoder, min_snr_db=min_snr_db).doubts


def _babble(people: dict[str, list[Samples]], size: int) -> Samples:
    """All readers at once."""
    voices = [np.resize(np.concatenate(each), size) for each in people.values()]
    total: Samples = np.sum([voice / np.sqrt(np.square(voice).mean()) for voice in voices], axis=0)
    return total.astype(np.float32)


def test_readers_are_clean_enough_and_become_too_noisy_with_noise_10_db_below_them() -> None:
    people = read_people(real("speech"))
    for name, recordings in people.items():
        speech = Audio(np.concatenate(recordings), 16_000)
        level_dbfs = speech_level(without_rumble(speech))
        assert level_dbfs is not None
        size = len(speech.samples)
        white = np.random.default_rng(0).standard_normal(size).astype(np.float32)
        assert _clean_share(speech) > 0.95, name
        for noise in (white, _babble({key: each for key, each in people.items() if key != name}, size)):
            gain = np.float32(10 ** ((level_dbfs - 10.0) / 20) / np.sqrt(np.square(noise).mean()))
            assert _clean_share(Audio(speech.samples + gain * noise, 16_000)) == 0.0, name


def _clean_share(audio: Audio) -> float:
    """Of the time of segments that are not too short: what is not left out."""
    long = [each for each in split(_recording("x.wav", resample(audio, RATE))) if each.duration_s >= SHORTEST_S]
    return sum(each.duration_s for each in long if fault(each) is None) / sum(each.duration_s for each in long)


def _chords(size: int) -> Samples:
    """A chord with overtones every 2 s."""
    time_s = np.arange(size) / 16_000
    number = (time_s // 2).astype(int) % 4
    roots = np.array([261.6, 220.0, 174.6, 196.0])[number]
    tones = [np.sin(2 * np.pi * roots * ratio * k * time_s) / k for ratio in (1.0, 1.25, 1.5) for k in (1, 2, 3)]
    total: Samples = np.sum(tones, axis=0).astype(np.float32)
    return total


def _reasons(recordings: list[Samples], behind: Samples, db: float) -> set[str]:
    """Why segments are left out with the sound `db` below the speech; "" for those that are kept."""
    speech = Audio(np.concatenate(recordings), 16_000)
    level_dbfs = speech_level(without_rumble(speech))
    assert level_dbfs is not None
    power = float(np.square(without_rumble(Audio(behind, 16_000)).samples).mean())
    gain = np.float32(10 ** ((level_dbfs - db) / 20) / np.sqrt(max(power, 1e-12)))
    ends = np.cumsum([len(each) for each in recordings])
    parts = np.split(speech.samples + gain * behind, ends[:-1])
    known = {
        str(index): _recording(str(index), Audio(part.astype(np.float32), 16_000)) for index, part in enumerate(parts)
    }
    segments = [segment for each in known.values() for segment in split(each)]
    return {(fault(each, notes=notes_near(each, known)) or "").partition(":")[0] for each in segments}


def _recording(name: str, audio: Audio) -> SourceRecording:
    filtered = without_rumble(audio)
    return SourceRecording(name, "", 16_000, audio, np.zeros(0), measure_levels(filtered), None, find_notes(filtered))


def test_music_behind_readers_is_named_and_hum_and_other_people_are_not_music() -> None:
    people = read_people(real("speech"))
    for name in ("1688", "3331"):
        recordings = people[name]
        size = sum(map(len, recordings))
        hum = np.sum([np.sin(2 * np.pi * 60.02 * k * np.arange(size) / 16_000) / k for k in range(1, 40)], axis=0)
        babble = _babble({key: each for key, each in people.items() if key != name}, size)
        assert "" not in _reasons(recordings, _chords(size), 25.0), name
        for other in (np.zeros(size, np.float32), hum.astype(np.float32), babble):
            assert "music" not in _reasons(recordings, other, 25.0), name
