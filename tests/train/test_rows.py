"""Tables of clips: CSV, JSON lines, LJSpeech, and sets read by `datasets`; a fault stays within its row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.train.hub import rows_of_dataset
from chatterbox_worker.train.rows import TranscriptRow, rows_of
from support.training_clips import write_parquet


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / "wavs").mkdir(exist_ok=True)
    for clip in ("one", "two"):
        (folder / "wavs" / f"{clip}.wav").write_bytes(f"sound of {clip}".encode())
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def _contents(rows: list[TranscriptRow]) -> list[tuple[str, str, bytes, str | None, str | None]]:
    return [(row.id, row.text, row.read(), row.language, row.speaker) for row in rows]


ONE = ("one", "First, spoken.", b"sound of one", None, None)
TWO = ("two", "Second one.", b"sound of two", None, None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "one|First raw|First, spoken.\ntwo|Second one.|\n"),
        ("metadata.csv", "one|First, spoken.\ntwo|Second one.\n"),
        ("metadata.csv", 'file_name,transcription\nwavs/one.wav,"First, spoken."\nwavs/two.wav,Second one.\n'),
        ("metadata.tsv", "path\tsentence\nwavs/one.wav\tFirst, spoken.\nwavs/two.wav\tSecond one.\n"),
        ("list.csv", "Audio;Text\nwavs/one.wav;First, spoken.\nwavs/two.wav;Second one.\n"),
        ("metadata.csv", "\ufeffid|audio|text\none|wavs/one.wav|First, spoken.\ntwo|wavs/two.wav|Second one.\n"),
        (
            "metadata.jsonl",
            (
                '{"file_name": "wavs/one.wav", "text": "First, spoken."}\n\n'
                '{"file_name": "wavs/two.wav", "text": "Second one."}\n'
            ),
        ),
    ],
)
def test_a_table_of_any_kind_gives_the_same_rows(tmp_path: Path, name: str, text: str) -> None:
    table = _write(tmp_path, name, text)
    assert _contents(list(rows_of(table))) == [ONE, TWO]
    assert _contents(list(rows_of(tmp_path))) == [ONE, TWO]


def test_a_row_may_have_a_language_and_a_speaker(tmp_path: Path) -> None:
    line = {"id": "x", "audio": "wavs/one.wav", "text": "Hola.", "language": "es", "speaker": 7}
    table = _write(tmp_path, "m.jsonl", json.dumps(line))
    assert _contents(list(rows_of(table))) == [("x", "Hola.", b"sound of one", "es", "7")]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("metadata.csv", "name,words\na,b\n", "no column for the audio .*it has name, words"),
        ("metadata.csv", "audio,words\na,b\n", r"no column for the text \(any of normalized_text, text"),
        ("metadata.jsonl", "[1]\n", "first line is not an object"),
        ("metadata.jsonl", '{"audio": "a.wav"}\n', "no column for the text"),
        ("notes.md", "hello", "has no table with transcripts"),
        ("metadata.csv", "audio,text\n" + "x" * 140_000 + ",b\n", "field larger than"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_with_its_reason(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    _write(tmp_path, name, text)
    with pytest.raises(InvalidRequest, match=why):
        list(rows_of(tmp_path))


def test_one_bad_line_affects_only_its_own_row(tmp_path: Path) -> None:
    table = _write(
        tmp_path,
        "metadata.jsonl",
        '{"audio": "wavs/one.wav", "text": "Good."}\nnonsense\n{"audio": "gone.wav", "text": "x"}',
    )
    good, broken, gone = rows_of(table)
    assert good.read() == b"sound of one"
    with pytest.raises(InvalidRequest, match="not a JSON object: 'nonsense'"):
        broken.read()
    with pytest.raises(InvalidRequest, match=r"there is no file gone\.wav"):
        gone.read()
    assert gone.where == "metadata.jsonl, line 3"


def test_with_two_tables_one_must_be_named(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        _write(tmp_path, name, "audio,text\n")
    with pytest.raises(InvalidRequest, match="has 2 tables; name one of them"):
        rows_of(tmp_path)


@pytest.fixture
def parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As Elise is stored."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    clips = [("one.wav", b"sound of one", "First, spoken."), ("two.wav", b"sound of two", "Second one.")]
    return write_parquet(tmp_path / "set", clips)


def test_a_dataset_is_read_without_decoding_its_sound(parquet: Path) -> None:
    assert _contents(list(rows_of_dataset(str(parquet)))) == [ONE, TWO]
    assert _contents(list(rows_of_dataset(str(parquet / "train.parquet")))) == [ONE, TWO]


def test_a_missing_dataset_or_split_is_reported(parquet: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"dataset .*nowhere cannot be loaded"):
        list(rows_of_dataset(str(parquet / "nowhere")))
    with pytest.raises(InvalidRequest, match="cannot be loaded: Unknown split"):
        list(rows_of_dataset(str(parquet), split="validation"))
