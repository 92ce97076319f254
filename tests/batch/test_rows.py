"""A file or a folder of texts becomes rows; bad rows are reported and do not affect the others."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.batch.fields import parse_value
from chatterbox_worker.batch.names import LONGEST_BYTES, stem_of
from chatterbox_worker.batch.rows import BadRow, BatchRow, read
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import fields_of
from support.audio_clips import wav_bytes


def rows_of(path: Path, **defaults: Any) -> list[BatchRow | BadRow]:
    return read(path, defaults, fields_of)


def row(path: Path, **defaults: Any) -> BatchRow:
    (only,) = rows_of(path, **defaults)
    assert isinstance(only, BatchRow), only
    return only


def lines(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


def test_a_line_is_a_request_with_an_id(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "intro", "text": "Hello.", "seed": 7, "format": "mp3"}, "", {"text": "No id."})

    first, second = rows_of(path, format="flac", language="en")

    assert isinstance(first, BatchRow)
    assert isinstance(second, BatchRow)
    assert (first.where, first.id, first.stem) == (f"{path}:1", "intro", "intro")
    assert first.request() == {"text": "Hello.", "seed": 7, "format": "mp3", "language": "en"}
    assert (second.where, second.id, second.request()["format"]) == (f"{path}:3", "00003", "flac")


@pytest.mark.parametrize(
    ("line", "field", "message"),
    [
        ("{", None, "not JSON"),
        ('{"text": "a", "text": "b"}', "text", "'text' appears twice"),
        ({"text": "a", "reference": "a\0b"}, "reference", "cannot be read: embedded null byte"),
        ("[" * 100_000, None, "not JSON"),
        ('"text"', None, "must be a JSON object"),
        ({"id": "a"}, "text", "text is required"),
        ({"text": 5}, "text", "text must be a string, not 5"),
        ({"text": "a", "colour": 1}, "colour", "unknown field 'colour'; known fields are"),
        ({"text": "a", "speed": 9}, "speed", "speed must be a number from 0.25 to 4, not 9"),
        ({"text": "a", "output": "s3"}, "output", "is always written to its file"),
        ({"text": "a", "action": "info"}, "action", "cannot be set here"),
        ({"text": "a", "prompt": "b"}, "prompt", "not both"),
        ({"text": "a", "id": ""}, "id", "no character that a file name can contain"),
        ({"text": "a", "id": "../.."}, "id", "no character that a file name can contain"),
        ({"text": "a", "id": ["x"]}, "id", "must be a text"),
        ({"text": "a", "id": True}, "id", "must be a text"),
        ({"text": "a", "id": "x" * 300}, "id", "too long for a file name"),
        ({"text": "a", "id": "GOOD"}, "id", "has the same file name as"),
        ({"text": "a", "reference": "missing.wav"}, "reference", "cannot be read: No such file"),
        ({"text": "a", "reference": 5}, "reference", "must be the path"),
        ({"text": "a", "reference": "v.wav", "voice": "b"}, "reference", "give one of reference and voice"),
    ],
    ids=str,
)
def test_a_bad_line_is_reported_and_does_not_affect_the_others(
    tmp_path: Path, line: Any, field: str | None, message: str
) -> None:
    path = lines(tmp_path, {"id": "good", "text": "One."}, line, {"id": "too", "text": "Two."})

    first, bad, last = rows_of(path)

    assert isinstance(first, BatchRow)
    assert isinstance(last, BatchRow)
    assert isinstance(bad, BadRow)
    assert bad.field == field
    assert str(bad).startswith(f"{path}:2: ")
    assert message in bad.message
    assert "\n" not in bad.message


def test_a_line_that_is_not_utf_8_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"text": "With a mark."}\n{"text": "caf\xe9"}\n')

    good, bad = rows_of(path)

    assert isinstance(good, BatchRow)
    assert bad == BadRow(f"{path}:2", "the line is not UTF-8")


def test_a_table_has_a_field_in_each_column(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        'id,text,seed,speed,split_text,voice\n1,"Two\nlines, quoted.",7,1.5,false,\n2,Plain.,,,,alice\n3,Bad.,x,,,\n'
        "4,Bad.,,,maybe,\n5,Too,,,,,many\n,,,,,\n6,Good.\n",
        encoding="utf-8-sig",
    )

    first, second, seed, switch, many, last = rows_of(path)

    assert isinstance(first, BatchRow)
    assert first.request() == {"text": "Two\nlines, quoted.", "seed": 7, "speed": 1.5, "split_text": False}
    assert isinstance(second, BatchRow)
    assert (second.where, second.fields["voice"]) == (f"{path}:4", "alice")
    assert seed == BadRow(f"{path}:5", "seed must be a whole number, not 'x'", "seed")
    assert switch == BadRow(f"{path}:6", "split_text must be true or false, not 'maybe'", "split_text")
    assert many == BadRow(f"{path}:7", "the row has 7 cells, but the header has 6")
    assert isinstance(last, BatchRow)
    assert last.where == f"{path}:9"


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t")])
def test_a_table_may_have_other_separators(tmp_path: Path, name: str, separator: str) -> None:
    (tmp_path / name).write_text(f"id{separator}text\na{separator}One, two.\n", encoding="utf-8")

    assert row(tmp_path / name).request() == {"text": "One, two."}


def test_a_cell_that_is_not_utf_8_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text\ncaf\xe9\ncaf\xc3\xa9\n")

    bad, good = rows_of(path)

    assert bad == BadRow(f"{path}:2", "text is not UTF-8", "text")
    assert isinstance(good, BatchRow)
    assert good.fields["text"] == "café"


@pytest.mark.parametrize(
    ("header", "message"), [("text,colour", "unknown field 'colour'"), ("text,text", "'text' appears twice")]
)
def test_a_table_with_a_bad_header_is_rejected(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "rows.csv").write_text(f"{header}\na,b\n", encoding="utf-8")

    with pytest.raises(InvalidRequest, match=message):
        rows_of(tmp_path / "rows.csv")


def test_a_folder_has_a_text_in_each_file(tmp_path: Path) -> None:
    (tmp_path / "part 1").mkdir()
    (tmp_path / "b.txt").write_text("Second.", encoding="utf-8")
    (tmp_path / "part 1" / "größe.txt").write_text("Third.", encoding="utf-8")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / ".hidden.txt").write_text("Not this.", encoding="utf-8")
    (tmp_path / "notes.md").write_text("Nor this.", encoding="utf-8")

    bad, second, third = rows_of(tmp_path)

    assert bad == BadRow(str(tmp_path / "a.txt"), "the file is not UTF-8; save it as UTF-8", "text")
    assert isinstance(second, BatchRow)
    assert (second.id, second.fields["text"]) == ("b", "Second.")
    assert isinstance(third, BatchRow)
    assert (third.id, third.stem) == ("part 1/größe", "part_1_größe")


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "folder"])
def test_an_input_without_texts_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.json").write_text("{}", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("\n", encoding="utf-8")

    with pytest.raises(InvalidRequest):
        rows_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("chapter 1", "chapter_1"), ("../../etc/passwd", "etc_passwd"), ("/abs", "abs"), ("a\\b:c*d", "a_b_c_d"),
        ("..", None), ("a\0b", "a_b"), (".hidden", "hidden"), ("con", "_con"), ("NUL.txt", "_NUL.txt"),
        ("日本語", "日本語"), ("e\u0301te\u0301", "été"), ("हिन्दी", "हिन्दी"), ("a.", "a"),
        ("é" * (LONGEST_BYTES // 2), "é" * (LONGEST_BYTES // 2)), ("\ud800", None),
    ],
)  # fmt: skip
def test_an_id_becomes_a_safe_name(tmp_path: Path, name: str, stem: str | None) -> None:
    if stem is None:
        with pytest.raises(InvalidRequest):
            stem_of(name)
        return
    assert stem_of(name) == stem
    (tmp_path / f"{stem}.wav").write_bytes(b"")
    assert [path.parent for path in tmp_path.rglob("*.wav")] == [tmp_path]


def test_a_recording_is_given_by_its_path_and_identified_by_its_content(tmp_path: Path) -> None:
    recording = wav_bytes()
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "alice.wav").write_bytes(recording)
    (tmp_path / "bob.wav").write_bytes(recording + b"x")
    path = lines(
        tmp_path,
        {"id": "own", "text": "One.", "reference": "voices/alice.wav"},
        {"id": "shared", "text": "Two."},
        {"id": "named", "text": "Three.", "voice": "carol"},
    )

    own, shared, named = (r for r in rows_of(path, reference=str(tmp_path / "bob.wav")) if isinstance(r, BatchRow))

    assert own.fields["reference_audio"] == "sha256:" + hashlib.sha256(recording).hexdigest()
    assert base64.b64decode(own.request()["reference_audio"]) == recording
    assert base64.b64decode(shared.request()["reference_audio"]) == recording + b"x"
    assert named.request() == {"text": "Three.", "voice": "carol"}


def test_a_row_with_candidates_is_several_with_seeds_of_their_own(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "a", "text": "Hello.", "candidates": 3, "seed": 7}, {"id": "b", "text": "Bye."})
    rows = [each for each in rows_of(path) if isinstance(each, BatchRow)]
    assert [each.id for each in rows] == ["a-1", "a-2", "a-3", "b"]
    assert rows[0].request() == {"text": "Hello.", "seed": 7}
    assert len({each.request().get("seed") for each in rows}) == 4


def test_candidates_by_default_are_the_same_in_every_run(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "a", "text": "Hello."}, {"id": "b", "text": "Bye.", "candidates": 1})
    first, second = ([(each.id, each.key) for each in rows_of(path, candidates=2)] for _ in range(2))  # type: ignore[union-attr]
    assert first == second
    assert [name for name, _ in first] == ["a-1", "a-2", "b"]


@pytest.mark.parametrize("count", [0, 9, True, "2"])
def test_a_row_with_a_wrong_number_of_candidates_is_reported(tmp_path: Path, count: object) -> None:
    (bad,) = rows_of(lines(tmp_path, {"id": "a", "text": "Hello.", "candidates": count}))
    assert isinstance(bad, BadRow)
    assert (bad.field, bad.id) == ("candidates", "a")


@pytest.mark.parametrize(("field", "value"), [("seed", "x"), ("seed", -1), ("seed", True), ("id", ["a"])])
def test_what_a_row_with_candidates_has_wrong_is_reported_once(tmp_path: Path, field: str, value: object) -> None:
    (bad,) = rows_of(lines(tmp_path, {"id": "a", "text": "Hello.", "candidates": 3} | {field: value}))
    assert isinstance(bad, BadRow)
    assert bad.field == field


def test_the_key_changes_with_the_id_and_the_whole_request(tmp_path: Path) -> None:
    cases = [
        ({"id": "a", "text": "One."}, {}), ({"id": "b", "text": "One."}, {}), ({"id": "a", "text": "Two."}, {}),
        ({"id": "a", "text": "One."}, {"format": "mp3"}), ({"id": "a", "text": "One.", "seed": 1}, {}),
    ]  # fmt: skip
    keys = [row(lines(tmp_path, line), **defaults).key for line, defaults in cases]

    assert len(set(keys)) == len(keys)
    assert row(lines(tmp_path, {"prompt": "One.", "id": "a"})).key == keys[0]
    assert row(lines(tmp_path, {"text": "One.", "id": "a", "format": "mp3"})).key == keys[3]


def test_a_cell_may_hold_an_object() -> None:
    assert parse_value("pronunciations", '{"Nguyen": "Nwin"}') == {"Nguyen": "Nwin"}
    with pytest.raises(InvalidRequest, match="a JSON object"):
        parse_value("pronunciations", "Nguyen")
