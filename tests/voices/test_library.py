"""The voice library: a folder of recordings that other processes may change."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile

from chatterbox_worker.engine import DEFAULT_VOICE, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, VolumeFailed
from chatterbox_worker.voices import library as library_module
from chatterbox_worker.voices.bundle import Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import tone, wav_bytes


def test_without_a_folder_there_is_only_the_models_own_voice(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path / "none")

    assert library.list() == []
    assert library.get("default") is DEFAULT_VOICE
    with pytest.raises(VoiceNotFound, match="there are default"):
        library.get("alice")


def test_of_many_voices_an_error_names_the_first(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"v{number:02}.wav").touch()
    library = VoiceLibrary(tmp_path)

    for look_up in (library.get, library.id_named):
        with pytest.raises(VoiceNotFound, match=r"not found; there are default, v00, .*, v18 and 81 more$"):
            look_up("alice")


def test_a_saved_voice_can_be_used_by_another_worker(tmp_path: Path) -> None:
    saved = VoiceLibrary(tmp_path / "voices").save("alice", wav_bytes(), field="reference_audio")
    got = VoiceLibrary(tmp_path / "voices").get("alice")

    assert got.digest == saved.digest
    assert got.clip is not None
    assert got.duration_s == 6.0
    assert soundfile.info(tmp_path / "voices" / "alice.flac").channels == 1


def test_a_file_copied_into_the_folder_is_a_voice_at_once(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    (tmp_path / "bob.wav").write_bytes(wav_bytes())
    (tmp_path / "not a voice.wav").write_bytes(wav_bytes())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.wav").write_bytes(wav_bytes())

    assert [entry.id for entry in library.list()] == ["bob"]
    assert library.get("bob").duration_s == 6.0


def test_a_replaced_recording_is_read_again_and_nothing_is_kept_of_the_old_one(tmp_path: Path) -> None:
    forgotten: list[str] = []
    library = VoiceLibrary(tmp_path, forget=forgotten.append)
    first = library.save("alice", wav_bytes(pitch=220), field="reference_audio")
    library.save("bob", wav_bytes(pitch=220), field="reference_audio")
    library.save("alice", wav_bytes(pitch=220), field="reference_audio")
    assert forgotten == []

    second = library.save("alice", wav_bytes(seconds=7, pitch=330), field="reference_audio")

    assert forgotten == [first.digest] != [second.digest]
    assert library.get("alice").duration_s == 7.0
    assert library.get("bob").digest == first.digest  # its embedding is computed once more


def test_saving_replaces_a_copied_file_of_another_format(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    soundfile.write(tmp_path / "alice.wav", [0.1, -0.1] * 24_000, 24_000)
    library.save("alice", wav_bytes(), field="reference_audio")

    assert [path.name for path in tmp_path.iterdir()] == ["alice.flac"]


def test_a_deleted_voice_is_gone(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    saved = library.save("alice", wav_bytes(), field="reference_audio")

    assert library.delete("alice") == saved.digest
    assert library.list() == []
    with pytest.raises(VoiceNotFound):
        library.delete("alice")


@pytest.mark.parametrize("voice", ["", "../alice", "a/b", "/etc/passwd", ".alice", "a\0", "a b", "ä", "a" * 65])
def test_an_invalid_id_touches_no_file(tmp_path: Path, voice: str) -> None:
    library = VoiceLibrary(tmp_path / "voices")
    for action in (library.get, library.delete, library.export, library.entry):
        with pytest.raises((InvalidRequest, VoiceNotFound)) as caught:
            action(voice)
        assert caught.value.field == "voice"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "../alice",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a\0",
        "a\nb",
        "a" * 101,
        "\ud800",
        pytest.param("a" + "\u0301\u0323" * 30_000, id="accents"),
    ],
)
def test_a_path_or_control_characters_are_no_name(tmp_path: Path, name: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidRequest, match="is not a name") as caught:
        VoiceLibrary(tmp_path / "voices").save(name, wav_bytes(), field="reference_audio")
    assert time.process_time() - started < 1.0
    assert caught.value.field == "voice"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_to_outside_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "secret.wav").write_bytes(wav_bytes())
    library = VoiceLibrary(tmp_path / "voices")
    for name in ("alice.wav", "dan.WAV"):
        (library.folder / name).symlink_to(tmp_path / "secret.wav")
    (library.folder / "bob.wav").write_bytes(wav_bytes())
    (library.folder / "carol.wav").symlink_to("bob.wav")

    for voice in ("alice", "dan"):
        with pytest.raises(VoiceNotFound):
            library.get(voice)
    assert [entry.id for entry in library.list()] == ["bob", "carol"]
    assert library.get("carol").digest == library.get("bob").digest


def test_a_voice_takes_a_look_at_the_folder_and_one_at_each_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, other = VoiceLibrary(tmp_path), VoiceLibrary(tmp_path)
    other.save("alice", wav_bytes(), field="file", details=VoiceDetails("Her words."))
    now_s = time.monotonic()
    for later_s in (0, 3):
        monkeypatch.setattr(time, "monotonic", lambda later_s=later_s: now_s + later_s)
        library.get("alice")
    looks: list[str] = []
    stat = os.stat

    def look(path: Path, **options: Any) -> os.stat_result:
        looks.append(path.name)
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", look)
    for name in ("scandir", "open"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("there was no need to"))
    assert library.get("alice").details.transcript == "Her words."
    assert sorted(looks) == sorted([tmp_path.name, "alice.flac", "alice.txt"])


def test_what_another_worker_changes_is_seen(tmp_path: Path) -> None:
    library, other = VoiceLibrary(tmp_path), VoiceLibrary(tmp_path)
    other.save("alice", wav_bytes(), field="file", details=VoiceDetails("Her words."))
    assert library.get("alice").details.transcript == "Her words."
    other.save("alice", wav_bytes(pitch=300.0), field="file")
    assert library.get("alice").details.transcript is None
    assert library.get("alice").digest == other.get("alice").digest
    other.save("Bob B.", wav_bytes(), field="file")
    assert {entry.name for entry in library.list()} == {"alice", "Bob B."}
    other.delete("alice")
    with pytest.raises(VoiceNotFound):
        library.get("alice")


def test_a_folder_whose_time_does_not_change_is_read_again_while_new_and_each_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = VoiceLibrary(tmp_path)
    library.save("alice", wav_bytes(), field="file")
    changed_ns = tmp_path.stat().st_mtime_ns
    now_s = time.monotonic()
    words = "One."

    def transcript_after(seconds: float) -> str | None:
        monkeypatch.setattr(time, "monotonic", lambda: now_s + seconds)
        return library.get("alice").details.transcript

    assert transcript_after(0) is None
    (tmp_path / "alice.txt").write_text(words)  # as in the same second, where times have seconds
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    assert [transcript_after(seconds) for seconds in (1, 3)] == [words, words]
    (tmp_path / "alice.txt").unlink()
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    (tmp_path / "bob.wav").write_bytes(wav_bytes())
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    assert library.get("bob").clip is not None  # what is not in the list is looked for
    (tmp_path / "bob.txt").write_text(words)
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    assert library.get("bob").details.transcript is None
    (tmp_path / "alice.flac").rename(tmp_path / "alice.ogg")
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    assert library.get("alice").clip is not None  # and so is what is not there any more
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 64)
    assert library.get("bob").details.transcript == words


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "voices").write_text("a file where the folder should be")

    with pytest.raises(VolumeFailed, match="cannot be written"):
        VoiceLibrary(tmp_path / "voices").save("alice", wav_bytes(), field="reference_audio")


def test_an_invalid_recording_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        VoiceLibrary(tmp_path).save("alice", b"not audio" * 100, field="reference_audio")

    assert caught.value.field == "reference_audio"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_in_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.wav").write_bytes(b"not a voice" * 100)
    with pytest.raises(InvalidRequest, match="voice 'old' is not audio") as caught:
        VoiceLibrary(tmp_path).get("old")
    assert caught.value.field == "voice"


def test_what_killed_workers_left_is_removed_at_the_next_save(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    for age_s in (7200, 60):
        draft = tmp_path / f".alice.flac.{age_s:016}.draft"
        draft.write_bytes(b"half a recording")
        os.utime(draft, (time.time() - age_s, time.time() - age_s))

    library.save("bob", wav_bytes(), field="file")

    assert sorted(path.name for path in tmp_path.iterdir()) == [".alice.flac.0000000000000060.draft", "bob.flac"]


def test_nothing_is_kept_in_memory_about_voices_that_are_gone(tmp_path: Path) -> None:
    library, other = VoiceLibrary(tmp_path), VoiceLibrary(tmp_path)
    for number in range(5):
        other.save(f"Reader number {number}", wav_bytes(0.6), field="file")
    other.save("file", pack(Bundle(tone(0.6), None, {})), field="file")
    voices = library.list()
    assert len(library._files._known) == 6
    for voice in voices:
        other.delete(voice.id)

    assert library.list() == []
    assert not library._files._known


def test_loaded_recordings_take_a_bounded_memory_and_deleted_ones_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_module, "_CACHED_BYTES", 200_000)  # three of 0.6 s at 24 kHz in float32
    library = VoiceLibrary(tmp_path)
    for number in range(6):
        library.save(f"v{number}", wav_bytes(0.6), field="file")
        library.get(f"v{number}")
    assert [voice.id for voice in library._clips.values()] == ["v3", "v4", "v5"]
    kept = library.get("v3")
    assert library.get("v3") is kept

    library.delete("v4")

    assert [voice.id for voice in library._clips.values()] == ["v5", "v3"]
    assert library._clips_bytes == sum(voice.clip.samples.nbytes for voice in library._clips.values() if voice.clip)


def test_two_workers_that_save_one_voice_at_once_leave_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording and a voice file have other suffixes, so each save removes what the other has just written."""
    file = pack(Bundle(tone(0.6, 330.0), None, {}, details=VoiceDetails("A file.")))
    other = threading.Thread(target=VoiceLibrary(tmp_path).save, args=("alice", file), kwargs={"field": "file"})
    unlink = Path.unlink

    def unlink_after_the_other(path: Path, missing_ok: bool = False) -> None:
        if path.name == "alice.safetensors" and other.ident is None:
            other.start()
            other.join(0.3)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_after_the_other)
    VoiceLibrary(tmp_path).save("alice", wav_bytes(0.6), field="file", details=VoiceDetails("A recording."))
    other.join()

    assert [path.name for path in tmp_path.iterdir()] == ["alice.safetensors"]
    assert VoiceLibrary(tmp_path).get("alice").details.transcript == "A file."
