"""A folder of everything: the right parts are kept, the rest is named with its reason, and what comes of it is a voice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.clone import summary
from chatterbox_worker.clone.findings import ENOUGH_S, Findings, examine
from chatterbox_worker.clone.voice import make
from chatterbox_worker.errors import InvalidRequest
from support.recorded import talk, wav, write_folder
from support.speakers import ANN, BOB, SENTENCES, PitchEncoder

EAR = PitchEncoder()
REFUSED = {
    "empty.wav": "is empty",
    "good-1.wav": "is the same file as copy.wav",
    "letter.wav": "is not audio",
    "long.flac": "is longer than 600 s",
    "silence.wav": "is silent",
    "telephone.wav": "has a sample rate of 8000 Hz",
}
LEFT = {
    "bob.wav": "other voice",
    "clipped.wav": "clipped",
    "noisy.wav": "noisy",
    "quiet.wav": "too quiet",
    "short.wav": "too short",
    "storm.wav": "no voice",
}
KEPT = {"copy.wav": 8, "deep/good-4.ogg": 8, "good-2.flac": 4, "good-3.mp3": 4, "talk.wav": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def findings(folder: Path) -> Findings:
    return examine(folder, EAR)


def test_what_cannot_be_used_is_refused_by_name_and_the_rest_goes_on(findings: Findings) -> None:
    told = {refused.name: refused.why for refused in findings.refused}
    assert set(told) == set(REFUSED)
    assert all(why.startswith(f"{name} {REFUSED[name]}") for name, why in told.items())


def test_the_right_segments_are_kept(findings: Findings) -> None:
    kept = [segment.file for segment in findings.kept]
    assert {name: kept.count(name) for name in kept} == KEPT
    assert max(each.end_s for each in findings.kept if each.file == "talk.wav") < 10  # then another speaks
    assert findings.doubt is None


def test_the_rest_is_left_out_with_its_reason(findings: Findings) -> None:
    for name, reason in LEFT.items():
        told = [each.fault or "kept" for each in findings.judged if each.segment.file == name]
        assert told
        assert all(fault.startswith(reason) for fault in told), told
    others = [each.fault for each in findings.judged if each.segment.file == "talk.wav" and each.fault]
    assert len(others) == 2
    assert all(fault.startswith("other voice: similarity") for fault in others)


def test_the_words_name_every_file_and_every_reason(findings: Findings) -> None:
    text = "\n".join(summary.lines(findings))
    assert all(name in text for name in (*REFUSED, *LEFT, *KEPT))
    assert "hidden" not in text
    assert ".DS_Store" not in text
    assert summary.total(findings).startswith(
        f"kept {findings.kept_s:.1f} s in 26 of 44 segments, of 195.9 s in 11 files"
    )


def test_the_voice_is_the_average_of_what_was_kept_and_says_where_it_is_from(findings: Findings) -> None:
    made = make(findings, consent="asked and agreed")
    about, speaker = made.bundle.about, made.bundle.speaker
    assert speaker is not None
    assert speaker.made_by == EAR.made_by
    assert float(np.linalg.norm(speaker.embedding)) == pytest.approx(1.0)
    assert all(float(speaker.embedding @ findings.heard[each].embedding) > 0.9 for each in findings.kept)
    assert 10 <= made.bundle.clip.duration_s <= 15
    assert about["consent"] == "asked and agreed"
    assert about["encoder"] == EAR.name
    assert {source["file"] for source in about["sources"]} == set(KEPT)
    assert all(len(source["sha256"]) == 64 for source in about["sources"])
    assert sum(source["kept_s"] for source in about["sources"]) == pytest.approx(about["speech_s"], abs=0.3)


def test_the_same_folder_gives_the_same_voice(folder: Path, findings: Findings, tmp_path: Path) -> None:
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "long.flac").unlink()
    assert make(examine(again, EAR)).bundle.digest == make(findings).bundle.digest


def test_too_little_speech_is_no_voice(findings: Findings) -> None:
    with pytest.raises(InvalidRequest, match=r"99\.\d s of good speech are left; 120 s are wanted"):
        make(findings, least_s=120)


@pytest.fixture(scope="module")
def couple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("couple")
    (folder / "ann.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    (folder / "bob.wav").write_bytes(wav(talk(BOB, SENTENCES[:3])))
    return folder


def test_nobody_is_cloned_while_it_is_not_clear_who_is_meant(couple: Path) -> None:
    doubtful = examine(couple, EAR)
    with pytest.raises(InvalidRequest, match=r"two speakers .* as in ann\.wav at .* as in bob\.wav at .*--like"):
        make(doubtful, least_s=6)


def test_a_recording_says_who_is_meant(couple: Path, tmp_path: Path) -> None:
    (tmp_path / "like.wav").write_bytes(wav(talk(BOB, SENTENCES[6:7])))
    meant = examine(couple, EAR, like=tmp_path / "like.wav")
    assert {segment.file for segment in meant.kept} == {"bob.wav"}
    assert make(meant, least_s=6).bundle.speaker is not None


def test_on_trust_everybody_is_kept_and_no_speaker_is_averaged(couple: Path) -> None:
    trusted = examine(couple, None)
    assert {segment.file for segment in trusted.kept} == {"ann.wav", "bob.wav"}
    assert make(trusted, least_s=6).bundle.speaker is None
    assert "taken on trust" in summary.total(trusted)


def test_five_minutes_are_enough_and_the_best_are_taken(findings: Findings, tmp_path: Path) -> None:
    spoken = wav(talk(ANN))
    for number in range(11):
        data = bytearray(spoken)
        data[-2] = number  # the last sample: no two files are the same
        (tmp_path / f"{number:02}.wav").write_bytes(bytes(data))
    humming = talk(ANN, SENTENCES[:4])
    humming += 0.003 * np.sin(np.arange(len(humming), dtype=np.float32))
    (tmp_path / "worst.wav").write_bytes(wav(humming))
    plenty = examine(tmp_path, EAR)
    assert ENOUGH_S - 5 < plenty.kept_s <= ENOUGH_S
    worst = [each.fault or "kept" for each in plenty.judged if each.segment.file == "worst.wav"]
    assert worst
    assert all(fault.startswith("not needed: 300 s") for fault in worst)


@pytest.mark.parametrize("name", ["nowhere", "nothing"])
def test_a_folder_without_files_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidRequest, match="input_dir") as refused:
        examine(tmp_path / name, EAR)
    assert refused.value.field == "input_dir"
