"""Recordings without transcripts become a data set, and a run that was stopped goes on where it was."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chatterbox_worker.asr import SpeechRecognizer, TranscribedWord, Transcript
from chatterbox_worker.audio.activity import find_loud, find_stretches, measure_levels
from chatterbox_worker.audio.clip import Audio, silence
from chatterbox_worker.clone.recordings import files_in
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.train import transcribe
from chatterbox_worker.train.rows import rows_of
from chatterbox_worker.train.spoken_language import OtherLanguage, other_language
from chatterbox_worker.train.transcribe import RATE, find_recordings, main, make_dataset
from support.audio_clips import tone
from support.training_clips import wav


class _Recognizer:
    """Writes a sentence for every sound; `stop_at`: the call that is stopped by Ctrl-C; `german`: sounds this long."""

    name = "base"

    def __init__(self, stop_at: int = 0, german: Sequence[float] = ()) -> None:
        self.calls, self._stop_at, self._german = 0, stop_at, german

    def detect_language(self, audio: Audio) -> dict[str, float]:
        is_german = round(audio.duration_s, 1) in self._german
        return {"de": 0.97, "en": 0.01} if is_german else {"en": 0.5, "de": 0.3}

    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript:
        self.calls += 1
        if self.calls == self._stop_at:
            raise KeyboardInterrupt
        assert audio.sample_rate == RATE
        sounds = find_stretches(find_loud(measure_levels(audio)))
        words = tuple(TranscribedWord(f"Sound{n}.", start / 100, end / 100) for n, (start, end) in enumerate(sounds, 1))
        return Transcript(" ".join(word.text for word in words), language or "es", words)


def _talk(sounds: int) -> Audio:
    """Sounds of 4 s at 16 kHz with pauses of 0.6 s."""
    parts = [part for _ in range(sounds) for part in (tone(4.0, rate=16_000).samples, silence(0.6, 16_000).samples)]
    return Audio(np.concatenate(parts), 16_000)


def _table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, audio: Audio) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(audio))


def test_a_folder_of_recordings_becomes_a_data_set(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "in" / "set"
    _write(source / "ann" / "hello.wav", tone(2.0))
    _write(source / "ann" / "hello.flac", tone(3.0))  # a wav, whatever its name
    _write(source / "talk.wav", _talk(9))
    _write(source / "telephone.wav", tone(2.0, rate=8_000))
    _write(source / ".hidden.wav", tone(2.0))
    (source / "broken.mp3").write_bytes(b"not sound")
    (source / "notes.txt").write_text("no recording")
    lines: list[str] = []
    refused = make_dataset(source, out, _Recognizer(), lines.append)

    table = _table(out)
    assert [(row["id"], row["text"], row["language"], row["speaker"]) for row in table] == [
        ("ann-hello", "Sound1.", "es", "ann"),
        ("ann-hello-wav", "Sound1.", "es", "ann"),
        *((f"talk-{n:04}", f"Sound{2 * n - 1}. Sound{2 * n}.", "es", "") for n in range(1, 5)),
        ("talk-0005", "Sound9.", "es", ""),
    ]
    assert [each.where for each in refused] == ["broken.mp3", "telephone.wav"]
    assert "sample rate of 8000 Hz; it must be 16000" in refused[1].why
    assert lines[-1].startswith(f"{out / 'metadata.csv'}: 7 clips, 0.7 minutes, from 5 recordings")
    rows = list(rows_of(out))
    assert [(row.id, row.text, row.language) for row in rows] == [(row["id"], row["text"], "es") for row in table]
    for row, line in zip(rows, table, strict=True):
        (out / "clip").write_bytes(row.read())
        sound, rate = soundfile.read(out / "clip")
        assert (len(sound) / rate, rate) == (pytest.approx(float(line["seconds"]), abs=0.01), RATE)
    assert float(table[2]["seconds"]) == pytest.approx(8.7, abs=0.05)
    assert not (out / "transcribed.jsonl").exists()
    assert next(find_recordings(source / "talk.wav")).id == "talk"
    assert len(list(find_recordings(source))) == 5  # not the clips, for any other run
    assert {path.name for path in files_in(source)} >= {"talk.wav", "notes.txt", "metadata.csv"}  # `clone`'s
    assert not any(path.suffix == ".flac" and "set" in path.parts for path in files_in(source))
    assert len(list(find_recordings(out / "clips"))) == 7  # named, they are meant
    with pytest.raises(InvalidRequest, match="delete it if an earlier run wrote them, or name another folder than"):
        make_dataset(out / "clips", source / ".." / out.relative_to(tmp_path), _Recognizer(), print)
    make_dataset(source, source, _Recognizer(), print)  # next to the recordings
    assert len(_table(source)) == 7


def test_a_recording_named_like_a_clip_of_another_is_a_clip_of_its_own(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "ep.wav", _talk(9))
    _write(tmp_path / "in" / "ep-0002.wav", tone(2.0))
    make_dataset(tmp_path / "in", tmp_path / "set", _Recognizer(), print)
    assert [row["id"] for row in _table(tmp_path / "set")] == [
        "ep-0002", "ep-0001", "ep-0002-2", "ep-0003", "ep-0004", "ep-0005",
    ]  # fmt: skip
    assert len({row.read() for row in rows_of(tmp_path / "set")}) == 6


def test_a_run_that_was_stopped_does_not_transcribe_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribe, "_PART", 500)  # 20 s
    _write(tmp_path / "talk.wav", _talk(9))
    whole = _Recognizer()
    make_dataset(tmp_path / "talk.wav", tmp_path / "unbroken", whole, print, language="en")
    assert whole.calls == 2

    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path / "talk.wav", out, _Recognizer(stop_at=2), print, language="en")
    with (out / "transcribed.jsonl").open("a") as file:
        file.write('{"id": "ta')
    journal = (out / "transcribed.jsonl").read_text()
    other, rest = _Recognizer(), _Recognizer()
    make_dataset(tmp_path / "talk.wav", out, other, print, language="de")
    assert other.calls == 2
    assert {row["language"] for row in _table(out)} == {"de"}

    (out / "transcribed.jsonl").write_text(journal)
    make_dataset(tmp_path / "talk.wav", out, rest, print, language="en")
    assert rest.calls == 1
    assert _table(out) == _table(tmp_path / "unbroken")
    assert len(_table(out)) > 3


def test_recordings_in_another_language_are_named_and_most_are_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "set"
    for seconds in (2.0, 3.0, 4.0):
        _write(source / f"{seconds:.0f}.wav", tone(seconds))
    (source / "broken.wav").write_bytes(b"not sound")  # is not counted
    with pytest.raises(InvalidRequest, match=r"as en, and 2 of 3 sound .*2\.wav like de \(0\.97\), .*4\.wav like de"):
        make_dataset(source, out, _Recognizer(german=(2.0, 4.0)), print, language="en")
    assert not (out / "metadata.csv").exists()
    again, lines = _Recognizer(), list[str]()
    with pytest.raises(InvalidRequest, match="as en, and 2 of 3 "):  # also from what was transcribed before
        make_dataset(source, out, again, print, language="en")
    assert again.calls == 0
    (source / "broken.wav").unlink()
    first = _Recognizer(german=(2.0, 3.0, 4.0))
    with pytest.raises(InvalidRequest, match="as en, and 2 of 3 "):
        make_dataset(source, tmp_path / "other", first, print, language="en")
    assert first.calls == 2  # the third is not transcribed
    make_dataset(source, tmp_path / "few", _Recognizer(german=(3.0,)), lines.append, language="en")
    warning = f"  {source / '3.wav'}: it sounds like de (probability 0.97) and was transcribed as en: check its lines"
    assert [line for line in lines if "sounds like" in line] == [f"{warning}, or leave it out"]
    for language in ("de", None):
        make_dataset(source, tmp_path / f"as {language}", _Recognizer(german=(2.0, 4.0)), print, language=language)


@pytest.mark.parametrize(
    ("probabilities", "wanted", "found"),
    [
        ({"de": 0.81, "en": 0.019}, "en", OtherLanguage("de", 0.81)),
        ({"de": 0.79, "en": 0.019}, "en", None),
        ({"de": 0.81, "en": 0.021}, "en", None),
        ({"de": 0.81, "en": 0.019}, "de", None),
        ({"de": 0.81, "en": 0.19}, "tlh", None),
        ({}, "en", None),
    ],
)
def test_only_a_clearly_different_language_counts(
    probabilities: dict[str, float], wanted: str, found: OtherLanguage | None
) -> None:
    assert other_language(probabilities, wanted) == found


def test_the_command_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SpeechRecognizer, "load", lambda _: None)
    monkeypatch.setattr(SpeechRecognizer, "transcribe", lambda *_: Transcript("", "en"))
    assert main([str(tmp_path / "gone"), str(tmp_path / "set")]) == 2
    assert "there is no" in capsys.readouterr().err
    assert main([str(tmp_path), str(tmp_path / "set")]) == 2
    assert "has neither a table of transcripts nor recordings" in capsys.readouterr().err
    _write(tmp_path / "noise.wav", tone(2.0))
    assert main([str(tmp_path), str(tmp_path / "set"), "--language", "fa"]) == 2  # any language, not the models' only
    assert "can be used: noise.wav: no speech was recognised in it" in capsys.readouterr().err
    (tmp_path / "set" / "metadata.csv").write_text("corrected by hand")
    assert main([str(tmp_path), str(tmp_path / "set")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "set" / "metadata.csv").read_text() == "corrected by hand"
    with pytest.raises(InvalidRequest, match="neither a table"):
        next(find_recordings(tmp_path / "set"))
