"""A voice as one file: it is packed and unpacked unchanged, and an invalid one is rejected."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Speaker
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.bundle import Bundle, is_bundle, pack, unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import tone, wav_bytes
from support.fakes import ToneEngine


def a_bundle(*, has_speaker: bool = True, note: str = "asked and agreed") -> Bundle:
    embedding = np.abs(np.random.default_rng(1).standard_normal(256)).astype(np.float32)
    speaker = Speaker(embedding / np.float32(np.linalg.norm(embedding)), "ab" * 32)
    return Bundle(tone(6.0), speaker if has_speaker else None, {"consent": note})


@pytest.mark.parametrize("has_speaker", [True, False])
def test_unpacking_returns_what_was_packed(has_speaker: bool) -> None:
    packed = a_bundle(has_speaker=has_speaker)
    data = pack(packed)
    got = unpack(data, field="voice")

    assert is_bundle(data)
    assert got.clip.sample_rate == packed.clip.sample_rate
    assert got.clip.pcm16() == packed.clip.pcm16()
    assert (got.speaker is not None) is has_speaker
    if got.speaker is not None and packed.speaker is not None:
        assert np.array_equal(got.speaker.embedding, packed.speaker.embedding)
        assert got.speaker.made_by == packed.speaker.made_by
    assert got.about == {"consent": "asked and agreed"}
    assert got.digest == packed.digest
    assert pack(got) == data


def test_the_digest_covers_everything_that_changes_the_sound() -> None:
    voice = a_bundle()
    speaker = voice.speaker
    assert speaker is not None

    assert a_bundle(note="something else").digest == voice.digest
    assert a_bundle(has_speaker=False).digest != voice.digest
    assert replace(voice, clip=tone(6.0, 441.0)).digest != voice.digest
    assert replace(voice, clip=Audio(voice.clip.samples, 22_050)).digest != voice.digest
    assert replace(voice, speaker=replace(speaker, made_by="cd" * 32)).digest != voice.digest


def _file(metadata: object, **tensors: object) -> bytes:
    packed: bytes = save(tensors, metadata={"chatterbox_worker_voice": json.dumps(metadata)})
    return packed


CLIP = np.full(24_000, 1000, np.int16)
METADATA = {"version": 1, "sample_rate": 24_000, "about": {}}
SPEAKER = np.full(256, 1 / 16, np.float32)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"RIFF", "without a voice"),
        (save({"weight": SPEAKER}), "without a voice"),
        (_file([1], clip=CLIP), "without a voice"),
        (save({"clip": CLIP}, metadata={"chatterbox_worker_voice": "[" * 100_000}), "without a voice"),
        (_file(METADATA | {"version": 2}, clip=CLIP), "version is 2"),
        (_file(METADATA | {"sample_rate": 1}, clip=CLIP), "sample rate is 1"),
        (_file(METADATA | {"about": []}, clip=CLIP), "`about` is not a JSON object"),
        (_file(METADATA, speaker=SPEAKER), "no 16-bit clip"),
        (_file(METADATA, clip=CLIP.astype(np.float32)), "no 16-bit clip"),
        (_file(METADATA, clip=CLIP[:100]), "lasts 0.00 s"),
        (_file(METADATA, clip=CLIP * 0), "is silent"),
        (_file(METADATA, clip=CLIP, speaker=SPEAKER[:9]), "not 256"),
        (_file(METADATA, clip=CLIP, speaker=SPEAKER * 2), "not of length 1"),
        (_file(METADATA, clip=CLIP, speaker=SPEAKER * np.float32("nan")), "not of length 1"),
        (_file(METADATA, clip=CLIP, speaker=SPEAKER), "which encoder"),
        (pack(a_bundle())[:-9], "damaged"),
    ],
)
def test_an_invalid_voice_file_is_rejected_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        unpack(data, field="file")
    assert caught.value.field == "file"


def test_recordings_are_not_taken_for_voice_files() -> None:
    assert not is_bundle(wav_bytes())
    assert not is_bundle(b"")
    assert not is_bundle(b'{"text": 1, "more": "and more"}')


def test_a_voice_file_copied_into_the_folder_is_a_voice_at_once(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    (tmp_path / "alice.safetensors").write_bytes(pack(a_bundle()))
    got = library.get("alice")

    assert [entry.id for entry in library.list()] == ["alice"]
    assert got.digest == a_bundle().digest
    assert got.duration_s == 6.0
    assert got.speaker is not None


def test_a_voice_file_can_be_saved_and_replaced_and_deleted(tmp_path: Path) -> None:
    forgotten: list[str] = []
    library = VoiceLibrary(tmp_path, forget=forgotten.append)
    replaced = library.save("alice", wav_bytes(), field="file")
    saved = library.save("alice", pack(a_bundle()), field="file")

    assert [path.name for path in tmp_path.iterdir()] == ["alice.safetensors"]
    assert library.delete("alice") == saved.digest
    assert forgotten == [replaced.digest, saved.digest]
    assert list(tmp_path.iterdir()) == []

    library.save("alice", pack(a_bundle()), field="file")
    library.save("alice", wav_bytes(), field="file")
    assert [path.name for path in tmp_path.iterdir()] == ["alice.flac"]


def test_a_damaged_voice_file_is_rejected_and_can_be_deleted(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    (tmp_path / "alice.safetensors").write_bytes(save({"weight": SPEAKER}))

    with pytest.raises(InvalidRequest, match="without a voice"):
        library.get("alice")
    library.delete("alice")
    assert library.list() == []


def test_a_library_exports_what_another_can_import(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    library.save("file", pack(a_bundle()), field="file")
    library.save("recording", wav_bytes(), field="file")

    assert library.export("file") == pack(a_bundle())
    assert unpack(library.export("recording"), field="file").clip.duration_s == 6.0
    with pytest.raises(InvalidRequest, match="nothing to export"):
        library.export("default")
    with pytest.raises(VoiceNotFound, match="file or recording"):
        library.export("unknown")


def test_a_recording_too_long_to_be_imported_again_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatterbox_worker.voices.library.MAX_BYTES", 250_000)
    soundfile.write(tmp_path / "long.flac", tone(6.0).samples, 24_000)
    with pytest.raises(InvalidRequest, match=r"makes a file of 288\d+ bytes, and at most 250000 are accepted"):
        VoiceLibrary(tmp_path).export("long")


def test_a_voice_file_may_come_with_the_request(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    encoded = base64.b64encode(pack(a_bundle())).decode()
    request = parse({"text": "Hello.", "reference_audio": encoded}, settings)
    assert isinstance(request, SpeechRequest)
    synthesizer.speak(request, CancelScope())

    voice = engine.takes[0].utterance.voice
    assert voice.digest == a_bundle().digest
    assert voice.speaker is not None
