"""Large answers on the volume: they come in pieces, and no other file can be reached."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.worker_jobs import ask, stream


@pytest.fixture
def with_volume(settings: Settings, synthesizer: Synthesizer, tmp_path: Path) -> Worker:
    small = replace(settings, outputs_dir=tmp_path / "outputs", payload_limit_bytes=20_000, runsync_limit_bytes=20_000)
    return Worker(small, synthesizer)


def test_a_file_on_the_volume_comes_in_pieces_that_fit_is_listed_and_deleted(with_volume: Worker) -> None:
    path = ask(with_volume, {"text": "A sentence of some length. " * 10, "output": "volume"})["audio_path"]
    whole = Path(path).read_bytes()
    data = b""
    piece: dict[str, Any] = {"next_offset": 0}
    while piece["next_offset"] is not None:
        piece = ask(with_volume, {"action": "outputs.get", "path": path, "offset": piece["next_offset"]})
        assert len(json.dumps(piece)) < 20_000
        data += base64.b64decode(piece["data_base64"])
    listed = ask(with_volume, {"action": "outputs.list"})
    deleted = ask(with_volume, {"action": "outputs.delete", "path": path})
    gone = [ask(with_volume, {"action": action, "path": path}) for action in ("outputs.get", "outputs.delete")]

    assert data == whole
    assert (piece["size_bytes"], listed["count"]) == (len(whole), 1)
    assert [(file["path"], file["size_bytes"]) for file in listed["outputs"]] == [(path, len(whole))]
    assert deleted == {"path": path, "deleted": True}
    assert [answer["code"] for answer in gone] == ["output_not_found"] * 2
    assert ask(with_volume, {"action": "outputs.list"}) == {"outputs": [], "count": 0}


@pytest.mark.parametrize("action", ["outputs.get", "outputs.delete"])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../secret.wav", "{folder}/../secret.wav", "{folder}/" + "a" * 32 + ".wav/../../secret.wav",
        "..",
        "{folder}", "{folder}/", ".", "a\0b.wav", "{folder}/.unposted/" + "a" * 32 + ".json", "a" * 31 + "/.wav",
        "a" * 32 + ".wav\n", "%2e%2e/secret.wav", "a" * 32, "ａ" * 32 + ".wav", "~root/" + "a" * 32 + ".wav",
    ],
)  # fmt: skip
def test_no_other_file_can_be_reached(with_volume: Worker, tmp_path: Path, action: str, path: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"secret")
    ask(with_volume, {"text": "Hello.", "output": "volume"})

    answer = ask(with_volume, {"action": action, "path": path.replace("{folder}", str(tmp_path / "outputs"))})

    assert (answer["code"], answer["field"]) == ("invalid_request", "path")
    assert secret.read_bytes() == b"secret"


def test_a_link_or_a_pipe_in_the_folder_is_not_read(with_volume: Worker, tmp_path: Path) -> None:
    ask(with_volume, {"text": "Hello.", "output": "volume"})
    (tmp_path / "secret.wav").write_bytes(b"secret")
    link, pipe, folder = (tmp_path / "outputs" / f"{letter * 32}.wav" for letter in "abc")
    link.symlink_to(tmp_path / "secret.wav")
    os.mkfifo(pipe)
    folder.mkdir()

    for path in (link, pipe, folder):
        assert ask(with_volume, {"action": "outputs.get", "path": str(path)})["code"] == "output_not_found"
    assert ask(with_volume, {"action": "outputs.list"})["count"] == 1
    assert ask(with_volume, {"action": "outputs.delete", "path": str(folder)})["code"] == "volume_failed"
    assert folder.is_dir()


@pytest.mark.parametrize("offset", [-1, 10**12, 1.5, "0"])
def test_an_offset_outside_the_file_is_named(with_volume: Worker, offset: Any) -> None:
    path = ask(with_volume, {"text": "Hello.", "output": "volume"})["audio_path"]

    assert ask(with_volume, {"action": "outputs.get", "path": path, "offset": offset})["field"] == "offset"


def test_pieces_for_a_streaming_endpoint_fit_its_stream(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(replace(settings, outputs_dir=tmp_path / "outputs", stream=True), synthesizer)
    (stored,) = stream(worker, {"text": "A sentence of some length. " * 100, "output": "volume"})
    (piece,) = stream(worker, {"action": "outputs.get", "path": stored["audio_path"]})

    assert 500_000 < len(json.dumps(piece)) <= 700_000
    assert piece["next_offset"] is not None
