"""A volume that stalls or fails: speech goes on without it, and what needs it gets a clear error in time."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import VoiceNotFound, VolumeFailed
from chatterbox_worker.serverless.protocol.outbox import Outbox, UnpostedAnswer
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_base64, wav_bytes
from support.failing_volume import FailingVolume
from support.worker_jobs import ask

_TEXT = {"text": "Hello there. And a second sentence.", "seed": 1}
_SAVE = {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()}


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingVolume]:
    volume = FailingVolume(tmp_path, monkeypatch)
    yield volume
    volume.release()


@pytest.mark.parametrize("fault", ["stall", errno.EIO, errno.ESTALE])
def test_speech_goes_on_and_what_needs_the_volume_fails_with_the_reason(
    settings: Settings, synthesizer: Synthesizer, volume: FailingVolume, tmp_path: Path, fault: str | int
) -> None:
    worker = Worker(replace(settings, outputs_dir=tmp_path / "outputs"), synthesizer)
    outbox = Outbox(worker._delivery.volume, "here")
    kept = ask(worker, _TEXT)
    assert outbox.put(UnpostedAnswer("job", "worker", False, b'{"output": 1}')) is True
    assert ask(worker, _SAVE)["voice"] == "alice"
    assert ask(worker, {**_SAVE, "voice": "bob"})["voice"] == "bob"
    assert ask(worker, {**_TEXT, "voice": "bob"})["voice"] == "bob"

    if isinstance(fault, int):
        volume.error = fault
    else:
        volume.stall()
    started_s = time.monotonic()
    assert ask(worker, _TEXT)["audio_base64"] == kept["audio_base64"]
    assert outbox.find("job") is None
    for needs in (
        {"action": "voices.list"}, {"action": "voices.delete", "voice": "alice"}, _SAVE, {**_TEXT, "voice": "alice"},
        {"action": "lexicon.save", "entries": {"GIF": "jif"}}, {"action": "outputs.list"},
        {"action": "outputs.get", "path": "a" * 32 + ".wav"},
    ):  # fmt: skip
        answer = ask(worker, needs)
        reason = "answer" if fault == "stall" else "error" if fault == errno.EIO else "Stale"
        assert answer["code"] == "volume_failed", (needs, answer)
        assert reason in answer["error"]
    assert ask(worker, {**_TEXT, "text": "By one who spoke before.", "voice": "bob"})["voice"] == "bob"
    assert ask(worker, {**_TEXT, "output": "volume"})["field"] == "output"
    assert ask(worker, {"action": "info"})["voices"] is None
    assert time.monotonic() - started_s < 5.0

    volume.release()
    _wait_until_answering(worker)
    assert ask(worker, {"action": "info"})["voices"] == ["default", "alice", "bob"]
    assert ask(worker, {**_TEXT, "voice": "alice"})["voice"] == "alice"
    assert ask(worker, _TEXT)["cache_hit"] is True
    assert outbox.find("job") is not None


@pytest.mark.parametrize("fault", ["error", "a part of the file"])
def test_a_lexicon_that_could_not_be_read_is_read_when_it_can_be(
    volume: FailingVolume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    Lexicon(tmp_path / "lexicon.json").save({"GIF": "jif"})
    lexicon = Lexicon(tmp_path / "lexicon.json")
    with monkeypatch.context() as patch:
        volume.error = errno.EIO if fault == "error" else None
        patch.setattr("chatterbox_worker.text.lexicon._bytes_of", lambda path: path.read_bytes()[:3])
        assert lexicon.list() == []
    volume.release()
    lexicon._next_check_s = 0.0
    assert [entry.word for entry in lexicon.list()] == ["GIF"]


def test_a_part_of_a_voice_is_not_the_voice(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    VoiceLibrary(settings.voices_dir).save("alice", wav_bytes(), field="reference_audio")
    library = VoiceLibrary(settings.voices_dir)
    read = Path.read_bytes
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: read(path)[:-100])
        with pytest.raises(VolumeFailed, match="cannot be read: only"):
            library.get("alice")
    assert library.get("alice").duration_s == 6.0


def test_a_deleted_voice_is_not_spoken_from_memory(settings: Settings, volume: FailingVolume) -> None:
    library, other = VoiceLibrary(settings.voices_dir), VoiceLibrary(settings.voices_dir)
    other.save("alice", wav_bytes(), field="reference_audio")
    library.get("alice")
    other.delete("alice")
    with pytest.raises(VoiceNotFound):
        library.get("alice")
    volume.error = errno.EIO
    with pytest.raises(VolumeFailed):
        library.get("alice")


def _wait_until_answering(worker: Worker) -> None:
    deadline_s = time.monotonic() + 60.0
    while ask(worker, {"action": "voices.list"}).get("code") == "volume_failed":
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
