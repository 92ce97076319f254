"""People are distinguished with a trained encoder, in mixtures of readers, single readers and meetings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.speakers import Truth, at_level, meetings, mix, read_people
from chatterbox_worker.clone.findings import Findings, examine
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
    assert findings.kept_s > 0.9 * sum(each.audio.duration_s for each in findings.recordings.values())


def test_no_meeting_is_one_person_without_a_doubt(tmp_path: Path, encoder: Encoder) -> None:
    for case in meetings(real("room")):
        folder = tmp_path / case.name
        folder.mkdir()
        for name, samples in case.files.items():
            soundfile.write(folder / name, samples, 16_000, subtype="FLOAT")
        assert examine(folder, encoder, min_snr_db=8.0).doubts
