"""A folder with every kind of file: the right parts are kept, the others are listed with a reason, a voice is built."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.audio import rumble
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.clone import findings as findings_module
from chatterbox_worker.clone import recordings, summary
from chatterbox_worker.clone.findings import Findings, examine
from chatterbox_worker.clone.voice import build_voice
from chatterbox_worker.errors import InvalidRequest
from support.recorded import in_noise, talk, wav, write_folder
from support.speakers import ANN, BOB, SENTENCES, PitchEncoder

ENCODER = PitchEncoder()
REFUSED = {
    "empty.wav": "is empty",
    "good-1.wav": "is the same file as copy.wav",
    "letter.wav": "is not audio",
    "long.flac": "is longer than 600 s: cut it into files of at most 10 minutes, or keep the best 5",
    "silence.wav": "is silent",
    "telephone.wav": "has a sample rate of 8000 Hz",
}
LEFT_OUT = {
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
    return examine(folder, ENCODER)


def test_one_persons_recordings_are_filtered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    filtered: list[float] = []

    def count(audio: Audio) -> Audio:
        filtered.append(audio.duration_s)
        return without_rumble(audio)

    for module in (recordings, rumble):
        monkeypatch.setattr(module, "without_rumble", count)
    found = examine(tmp_path, ENCODER)
    assert found.kept
    assert filtered == [found.recordings["talk.wav"].audio.duration_s]


def test_a_constant_offset_is_no_part_of_a_recording(tmp_path: Path) -> None:
    speech = talk(ANN, SENTENCES[:1])
    (tmp_path / "a.wav").write_bytes(wav(speech + np.float32(0.1)))
    recording, _ = recordings.read(tmp_path / "a.wav", "a")
    assert np.abs(recording.audio.samples - (speech - speech.mean())).max() < 1e-3


def test_unusable_files_are_refused_by_name_and_the_others_are_read(findings: Findings) -> None:
    reasons = {refused.name: refused.why for refused in findings.refused}
    assert set(reasons) == set(REFUSED)
    assert all(why.startswith(f"{name} {REFUSED[name]}") for name, why in reasons.items())


def test_the_right_segments_are_kept(findings: Findings) -> None:
    kept = [segment.file for segment in findings.kept]
    assert {name: kept.count(name) for name in kept} == KEPT
    assert max(each.end_s for each in findings.kept if each.file == "talk.wav") < 10  # then another person speaks
    assert not findings.doubts


def test_the_other_segments_are_left_out_with_a_reason(findings: Findings) -> None:
    for name, reason in LEFT_OUT.items():
        faults = [each.fault or "kept" for each in findings.assessed if each.segment.file == name]
        assert faults
        assert all(fault.startswith(reason) for fault in faults), faults
    others = [each.fault for each in findings.assessed if each.segment.file == "talk.wav" and each.fault]
    assert len(others) == 2
    assert all(fault.startswith("other voice: similarity") for fault in others)


def test_the_summary_names_every_file_and_every_reason(findings: Findings) -> None:
    text = "\n".join(summary.lines(findings))
    assert all(name in text for name in (*REFUSED, *LEFT_OUT, *KEPT))
    assert "hidden" not in text
    assert ".DS_Store" not in text
    assert summary.total(findings).startswith(
        f"kept {findings.kept_s:.1f} s in 26 of 44 segments, of 195.9 s in 11 files"
    )


def test_the_voice_is_the_average_of_the_kept_segments_and_records_its_sources(findings: Findings) -> None:
    voice = build_voice(findings, consent="asked and agreed")
    about, speaker = voice.bundle.about, voice.bundle.speaker
    assert speaker is not None
    assert speaker.made_by == ENCODER.made_by
    assert float(np.linalg.norm(speaker.embedding)) == pytest.approx(1.0)
    assert all(float(speaker.embedding @ findings.embedded[each].embedding) > 0.9 for each in findings.kept)
    assert 10 <= voice.bundle.clip.duration_s <= 15
    assert about["consent"] == "asked and agreed"
    assert about["encoder"] == ENCODER.name
    assert {source["file"] for source in about["sources"]} == set(KEPT)
    assert all(len(source["sha256"]) == 64 for source in about["sources"])
    assert sum(source["kept_s"] for source in about["sources"]) == pytest.approx(about["speech_s"], abs=0.3)


def test_the_same_folder_gives_the_same_voice(folder: Path, findings: Findings, tmp_path: Path) -> None:
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "long.flac").unlink()
    assert build_voice(examine(again, ENCODER)).bundle.digest == build_voice(findings).bundle.digest


def test_too_little_speech_gives_no_voice(findings: Findings) -> None:
    with pytest.raises(InvalidRequest, match=r"there are only 99\.\d s of good speech; 120 s are needed"):
        build_voice(findings, min_speech_s=120)


@pytest.fixture(scope="module")
def couple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("couple")
    (folder / "ann.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    (folder / "bob.wav").write_bytes(wav(talk(BOB, SENTENCES[:3])))
    return folder


def test_no_voice_is_built_if_the_speaker_is_ambiguous(couple: Path) -> None:
    ambiguous = examine(couple, ENCODER)
    with pytest.raises(InvalidRequest, match=r"two main speakers, .* as in ann\.wav at .* as in bob\.wav at .*--like"):
        build_voice(ambiguous, min_speech_s=6)


def test_a_recording_chooses_the_speaker(couple: Path, tmp_path: Path) -> None:
    (tmp_path / "like.wav").write_bytes(wav(talk(BOB, SENTENCES[6:7])))
    chosen = examine(couple, ENCODER, like=tmp_path / "like.wav")
    assert {segment.file for segment in chosen.kept} == {"bob.wav"}
    assert build_voice(chosen, min_speech_s=6).bundle.speaker is not None


def test_a_conversation_in_one_file_is_not_cloned_as_one_person(tmp_path: Path) -> None:
    turns = [talk(speaker, SENTENCES[at : at + 1], pause_s=0.0) for at in range(6) for speaker in (ANN, BOB)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "talk.wav").write_bytes(wav(np.concatenate(turns)))
    (tmp_path / "like.wav").write_bytes(wav(talk(ANN, SENTENCES[6:])))
    with pytest.raises(InvalidRequest, match=r"two main speakers, .*--like FILE \(--despite-doubts\)"):
        build_voice(examine(tmp_path / "in", ENCODER), min_speech_s=6)
    chosen = examine(tmp_path / "in", ENCODER, like=tmp_path / "like.wav")
    ends_s = np.cumsum([len(turn) for turn in turns]) / 24_000
    assert chosen.kept
    for segment in chosen.kept:
        turn = int(np.searchsorted(ends_s, (segment.start_s + segment.end_s) / 2))
        assert turn % 2 == 0
        assert segment.end_s <= ends_s[turn] + 0.2


def test_a_voice_may_be_written_despite_doubts_and_says_so(couple: Path) -> None:
    ambiguous = examine(couple, ENCODER)
    voice = build_voice(ambiguous, min_speech_s=6, despite_doubts=True)
    assert voice.bundle.about["doubts"] == list(ambiguous.doubts)
    assert "doubt: there are two main speakers" in "\n".join(summary.lines(ambiguous))


def test_noise_is_accepted_if_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "noisy.wav").write_bytes(wav(in_noise(talk(ANN, SENTENCES[:3]), -36.0)))
    refused, accepted = examine(tmp_path, None), examine(tmp_path, None, min_snr_db=12)
    assert all("(--min-snr)" in (each.fault or "") for each in refused.assessed)
    assert len(accepted.kept) == 3


def test_without_an_encoder_every_voice_is_kept_and_no_speaker_is_averaged(couple: Path) -> None:
    unchecked = examine(couple, None)
    assert {segment.file for segment in unchecked.kept} == {"ann.wav", "bob.wav"}
    assert build_voice(unchecked, min_speech_s=6).bundle.speaker is None
    assert "one speaker was assumed" in summary.total(unchecked)


def test_some_minutes_are_enough_and_the_best_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "ENOUGH_S", 80.0)  # not 300, which takes 3 s
    spoken = wav(talk(ANN))
    for number in range(4):
        data = bytearray(spoken)
        data[-2] = number  # the last sample: no two files are the same
        (tmp_path / f"{number:02}.wav").write_bytes(bytes(data))
    humming = talk(ANN, SENTENCES[:4])
    humming += 0.003 * np.sin(np.arange(len(humming), dtype=np.float32))
    (tmp_path / "worst.wav").write_bytes(wav(humming))
    plenty = examine(tmp_path, ENCODER)
    assert 75 < plenty.kept_s <= 80
    worst = [each.fault or "kept" for each in plenty.assessed if each.segment.file == "worst.wav"]
    assert worst
    assert all(fault.startswith("not needed: 80 s") for fault in worst)


@pytest.mark.parametrize("name", ["nowhere", "nothing"])
def test_a_folder_without_files_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidRequest, match="--input-dir") as refused:
        examine(tmp_path / name, ENCODER)
    assert refused.value.field == "input_dir"
