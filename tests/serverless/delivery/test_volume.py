"""Large answers on the volume: whole files, gone when they are old, and no fuss where there is no volume."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from chatterbox_worker.serverless.delivery import volume as volumes
from chatterbox_worker.serverless.delivery.answer import NotDelivered
from chatterbox_worker.serverless.delivery.volume import Volume


def test_a_file_is_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = Volume(tmp_path / "outputs", max_age_s=60).put(b"sound", suffix="mp3")

    assert path.read_bytes() == b"sound"
    assert list((tmp_path / "outputs").iterdir()) == [path]


def test_what_is_too_old_goes_and_the_rest_stays(tmp_path: Path) -> None:
    volume = Volume(tmp_path, max_age_s=60)
    old, new = volume.put(b"old", suffix="wav"), volume.put(b"new", suffix="wav")
    draft = tmp_path / ".writing-of-a-worker-that-died"
    draft.touch()
    for path in (old, draft):
        os.utime(path, (time.time() - 61,) * 2)

    volume.sweep()

    assert list(tmp_path.iterdir()) == [new]


def test_old_files_go_by_themselves_when_new_ones_come(tmp_path: Path) -> None:
    old = tmp_path / "old.wav"
    old.touch()
    os.utime(old, (1, 1))

    Volume(tmp_path, max_age_s=60).put(b"new", suffix="wav")

    deadline = time.monotonic() + 60
    while old.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not old.exists()


def test_a_folder_in_place_of_the_mount_is_no_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "VOLUME", tmp_path)
    (tmp_path / "outputs").mkdir()

    assert not Volume(tmp_path / "outputs", max_age_s=60).is_there


def test_a_missing_or_broken_volume_is_reported_without_a_traceback(tmp_path: Path) -> None:
    in_the_way = tmp_path / "outputs"
    in_the_way.write_text("not a folder")

    with pytest.raises(NotDelivered, match="no volume is attached"):
        Volume(tmp_path / "a" / "b", max_age_s=60).put(b"x", suffix="wav")
    with pytest.raises(NotDelivered, match="cannot be written: "):
        Volume(in_the_way, max_age_s=60).put(b"x", suffix="wav")
