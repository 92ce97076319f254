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
        ("METADATA.CSV", "one|First, spoken.\ntwo|Second one.\n"),
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


def test_a_spreadsheets_unicode_text_is_read_and_other_encodings_are_not(tmp_path: Path) -> None:
    table = _write(tmp_path, "m.tsv", "")
    table.write_bytes("file_name\ttext\r\nwavs/one.wav\tÁrbol.\r\n".encode("utf-16"))
    assert [row.text for row in rows_of(table)] == ["Árbol."]
    table.write_bytes("file_name\ttext\nwavs/one.wav\tÁrbol.\n".encode("latin-1"))
    with pytest.raises(InvalidRequest, match=r"m\.tsv: the file is not UTF-8; save it as UTF-8"):
        rows_of(table)


def test_files_of_one_name_in_two_folders_are_two_clips(tmp_path: Path) -> None:
    table = _write(tmp_path, "m.csv", "file_name,text\na/1.wav,x\nb/1.wav,y\n,z\n")
    assert [row.id for row in rows_of(table)] == ["1", "b/1.wav", "line 4"]


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


def test_a_line_of_csv_with_a_stray_comma_or_quotation_mark_is_refused_and_not_trained(tmp_path: Path) -> None:
    table = _write(
        tmp_path,
        "m.csv",
        "file_name,text\nwavs/one.wav,Good.,\n\nwavs/two.wav,Hello, you.\n"
        'wavs/one.wav,"Good day\nwavs/two.wav,he said.\nwavs/one.wav,"Now",\nwavs/two.wav,Last.\n',
    )
    good, comma, mark, last = rows_of(table)
    assert [row.where for row in (good, comma, mark, last)] == [f"m.csv, line {line}" for line in (2, 4, 5, 8)]
    assert good.read() == b"sound of one"
    assert last.read() == b"sound of two"
    with pytest.raises(InvalidRequest, match="more fields than the header: a text with ',' needs quotation marks"):
        comma.read()
    with pytest.raises(InvalidRequest, match="runs on to line 7: a quotation mark at the start of a field is not clos"):
        mark.read()


def test_json_may_have_the_line_separators_of_unicode(tmp_path: Path) -> None:
    table = _write(tmp_path, "m.jsonl", '{"file_name": "wavs/one.wav", "text": "one\u2028two"}\n')
    assert [row.text for row in rows_of(table)] == ["one\u2028two"]


def test_a_row_whose_recording_cannot_be_read_says_why(tmp_path: Path) -> None:
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(500_000_001)
    names = ("", "long.wav", "a\0.wav", ".")
    table = _write(tmp_path, "m.jsonl", "".join(f"{json.dumps({'audio': name, 'text': 'x'})}\n" for name in names))
    reasons = ("names no audio file", "has 500 MB; cut it", "cannot be read: embedded null byte", "Is a directory")
    for row, why in zip(rows_of(table), reasons, strict=True):
        with pytest.raises(InvalidRequest, match=why):
            row.read()


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("metadata.csv", "METADATA.CSV")])
def test_with_two_tables_one_must_be_named(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
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


def test_a_name_that_no_file_can_have_is_a_fault_of_its_row(tmp_path: Path) -> None:
    table = _write(tmp_path, "metadata.csv", f"{'x' * 300}|Too long.\none|First, spoken.\n")

    bad, good = rows_of(table)

    with pytest.raises(InvalidRequest, match="cannot be read: File name too long"):
        bad.read()
    assert _contents([good]) == [ONE]


def test_an_entry_that_is_given_twice_is_a_fault_of_its_row(tmp_path: Path) -> None:
    lines = '{"audio": "wavs/one.wav", "text": "First, spoken."}\n{"audio": "wavs/two.wav", "text": "a", "text": "b"}\n'

    good, bad = rows_of(_write(tmp_path, "metadata.jsonl", lines))

    with pytest.raises(InvalidRequest, match="'text' appears twice"):
        bad.read()
    assert _contents([good]) == [ONE]


def test_a_table_of_binary_data_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no column for the audio") as refused:
        list(rows_of(_write(tmp_path, "metadata.csv", f"{'a,' * 3000}{'b' * 5000}\n1,2\n")))

    assert len(refused.value.message) < 700
