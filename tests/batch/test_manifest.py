"""The manifest survives a kill at any byte, and never states anything false."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from chatterbox_worker.batch.manifest import NAME, Manifest, ManifestEntry
from chatterbox_worker.errors import Busy, InvalidRequest


def done(key: str, file: str, content: bytes = b"sound") -> ManifestEntry:
    digest = hashlib.sha256(content).hexdigest()
    return ManifestEntry(
        key, f"id of {key}", "done", file=file, size_bytes=len(content), sha256=digest, duration_s=1.0, seed=7
    )


def manifest_lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / NAME).read_text(encoding="utf-8").splitlines()]


def test_recorded_entries_are_read_by_the_next_run(tmp_path: Path) -> None:
    error = {"code": "x", "message": "why", "field": None}
    with Manifest(tmp_path / "new" / "out") as manifest:
        manifest.record(ManifestEntry("a", "1", "submitted", job="j1"))
        manifest.record(ManifestEntry("b", "2", "submitted", job="j2"))
        manifest.write_file(b"sound", "b.wav")
        manifest.record(done("b", "b.wav"))
        manifest.record(ManifestEntry("c", "3", "failed", error=error))

    with Manifest(tmp_path / "new" / "out") as again:
        assert again.entries["a"] == ManifestEntry("a", "1", "submitted", job="j1")
        assert again.entries["b"] == done("b", "b.wav")
        assert again.entries["c"].error == error
        assert (again.has("a"), again.has("b"), again.has("c"), again.has("d")) == (False, True, False, False)


def test_a_kill_in_the_middle_of_a_line_loses_only_that_line(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        manifest.record(ManifestEntry("a", "1", "submitted", job="j1"))
        manifest.record(ManifestEntry("b", "größe", "submitted", job="j2"))
    whole = (tmp_path / NAME).read_bytes()
    first = whole.index(b"\n") + 1

    for length in range(first, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:length])
        with Manifest(tmp_path) as again:
            assert list(again.entries) == ["a"]
            again.record(ManifestEntry("c", "3", "submitted", job="j3"))
        with Manifest(tmp_path) as later:
            assert list(later.entries) == ["a", "c"]


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"key": "a"}', '{"id": "a", "state": "done"}', '{"key": "a", "x": 1}']
)
def test_a_file_that_is_not_a_manifest_is_not_changed(tmp_path: Path, line: str) -> None:
    content = '{"key": "a", "id": "1", "state": "submitted", "job": "j"}\n' + line + "\n"
    (tmp_path / NAME).write_text(content, encoding="utf-8")

    with pytest.raises(InvalidRequest, match=f"{NAME}:2 is not a line of a manifest"):
        Manifest(tmp_path).__enter__()
    assert (tmp_path / NAME).read_text(encoding="utf-8") == content


def test_a_folder_is_locked_by_one_run_at_a_time(tmp_path: Path) -> None:
    with Manifest(tmp_path), pytest.raises(Busy, match="another run writes to"):
        Manifest(tmp_path).__enter__()
    with Manifest(tmp_path):
        pass


def test_a_missing_file_or_one_of_another_size_is_not_done(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        manifest.write_file(b"sound", "a.wav")
        manifest.record(done("a", "a.wav"))
        assert manifest.has("a")
        (tmp_path / "a.wav").write_bytes(b"soun")
        assert not manifest.has("a")
        (tmp_path / "a.wav").unlink()
        assert not manifest.has("a")


def test_a_file_belongs_to_the_row_that_wrote_it_last(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        for key in ("old", "new"):
            manifest.write_file(b"sound", "a.wav")
            manifest.record(done(key, "a.wav"))
        assert (manifest.has("old"), manifest.has("new")) == (False, True)
    with Manifest(tmp_path) as again:
        assert (again.has("old"), again.has("new")) == (False, True)


def test_drafts_that_a_kill_left_are_deleted(tmp_path: Path) -> None:
    (tmp_path / ".a.wav.draft").write_bytes(b"half")
    (tmp_path / ".mine").write_bytes(b"not a draft")

    with Manifest(tmp_path):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", NAME]


def test_it_is_compacted_to_one_line_per_row_in_the_rows_order(tmp_path: Path) -> None:
    refused = {"state": "refused", "where": "rows.jsonl:3", "id": None, "error": {"code": "x"}}
    with Manifest(tmp_path) as manifest:
        for key in ("other", "b", "a", "changed"):
            manifest.record(ManifestEntry(key, key, "submitted", job="j"))
            manifest.write_file(b"sound", f"{key}.wav")
            manifest.record(done(key, f"{key}.wav"))
        manifest.record(ManifestEntry("changed now", "id of changed", "failed", error={"code": "x"}))
        manifest.compact(["a", "b", "changed now", "never begun"], [refused])
        manifest.record(ManifestEntry("later", "later", "submitted", job="j"))

    assert [line.get("key", "refused") for line in manifest_lines(tmp_path)] == [
        "other", "a", "b", "changed now", "refused", "later",
    ]  # fmt: skip
    with Manifest(tmp_path) as again:
        assert list(again.entries) == ["other", "a", "b", "changed now", "later"]
