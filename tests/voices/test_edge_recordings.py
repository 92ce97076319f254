"""Recordings as people send them: what becomes a voice, what is refused, and what is said about it."""

from __future__ import annotations

import base64
import errno
import io
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.activity import trim_silence
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.clipping import clipped_share
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, VolumeFailed
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.bundle import Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import RATE, tone, wav_base64, wav_bytes
from support.edge_recordings import NAMES, RECORDINGS, sound_file, spoken


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=[pytest.mark.slow] * edge.is_long) for name, edge in RECORDINGS.items()]
)
def test_a_recording_becomes_the_right_voice_or_is_refused_for_the_right_reason(tmp_path: Path, what: str) -> None:
    edge, library = RECORDINGS[what], VoiceLibrary(tmp_path)
    if edge.duration_s is None:
        with pytest.raises(InvalidRequest, match=edge.refusal) as refused:
            library.save("alice", edge.make(), field="file")
        assert refused.value.field == "file"
        assert list(tmp_path.iterdir()) == []
        return
    saved = library.save("alice", edge.make(), field="file")
    about = library.describe(saved)

    assert saved.duration_s == pytest.approx(edge.duration_s(), abs=0.25)
    assert len(about["warnings"]) == len(edge.warnings), about["warnings"]
    for pattern, warning in zip(edge.warnings, about["warnings"], strict=True):
        assert re.search(pattern, warning), warning
    read = VoiceLibrary(tmp_path).get("alice")
    assert read.digest == saved.digest
    assert read.clip is not None
    assert read.clip.sample_rate <= 48_000
    assert np.max(np.abs(read.clip.samples)) <= 1.0
    if edge.rms is not None:
        assert _rms(read.clip.samples) == pytest.approx(edge.rms * _rms(spoken()), rel=0.03)
    assert library.delete("alice") == saved.digest
    assert list(tmp_path.iterdir()) == []


def test_a_trimmed_recording_is_not_trimmed_again() -> None:
    samples = np.concatenate([np.zeros(5 * RATE, np.float32), spoken(), np.zeros(5 * RATE, np.float32)])
    once = trim_silence(Audio(samples, RATE))
    assert len(once.samples) < len(samples)
    assert trim_silence(once) is once


@pytest.mark.parametrize("ends_s", [0.0, 0.1, 0.25])
def test_a_recording_without_silence_stays_as_it_is(ends_s: float) -> None:
    ends = np.zeros(round(ends_s * RATE), np.float32)
    clip = Audio(np.concatenate([ends, spoken(), ends]), RATE)
    assert trim_silence(clip) is clip
    assert trim_silence(tone(3.0)).duration_s == 3.0


def test_16_bits_are_stored_without_a_change(tmp_path: Path) -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32768, 3 * RATE).astype(np.int16)
    VoiceLibrary(tmp_path).save("alice", sound_file(pcm), field="file")
    stored, rate = soundfile.read(tmp_path / "alice.flac", dtype="int16")
    assert rate == RATE
    assert np.array_equal(stored, pcm)


def test_what_a_lossy_codec_overshoots_is_scaled_and_not_cut_off() -> None:
    loud = encode(Audio(np.clip(spoken() * np.float32(8), -1, 1), RATE), "mp3", RATE)
    raw, _ = soundfile.read(io.BytesIO(loud))
    assert np.max(np.abs(raw)) > 1.01
    decoded = decode(loud, field="file", max_s=60)
    assert np.max(np.abs(decoded.samples)) == pytest.approx(1.0)
    assert clipped_share(decoded) < 0.0005


def test_a_voice_file_with_silence_at_its_ends_is_trimmed_too(tmp_path: Path) -> None:
    silent_first = Audio(np.concatenate([np.zeros(10 * RATE, np.float32), spoken()]), RATE)
    library = VoiceLibrary(tmp_path)
    saved = library.save("alice", pack(Bundle(silent_first, None, {})), field="file")
    assert saved.duration_s == pytest.approx(len(spoken()) / RATE, abs=0.25)
    assert library.delete("alice") == saved.digest


@pytest.mark.parametrize("name", NAMES)
def test_a_name_becomes_a_clean_id_and_is_kept(tmp_path: Path, name: str) -> None:
    library = VoiceLibrary(tmp_path)
    saved = library.save(name, wav_bytes(), field="file")
    about = library.describe(saved)
    assert (about["voice"], about["name"]) == NAMES[name]
    assert [(entry.id, entry.name) for entry in VoiceLibrary(tmp_path).list()] == [NAMES[name]]
    assert library.get(saved.id).digest == saved.digest
    library.save(name, wav_bytes(pitch=300.0), field="file")
    assert len(library.list()) == 1
    library.delete(saved.id)
    assert list(tmp_path.iterdir()) == []


def test_two_names_never_share_an_id(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    ids = {library.save(name, wav_bytes(), field="file").id for name in ("Zoë", "Zoé", "Zo e", "Zoe?", "李雷", "李磊")}
    assert len(ids) == 6
    assert library.save("Zoé", wav_bytes(), field="file").id in ids
    assert len(library.list()) == 6


def test_five_hundred_voices_are_listed_and_found_at_once(tmp_path: Path) -> None:
    recording = encode(tone(1.0), "flac", RATE)
    for number in range(500):
        (tmp_path / f"voice-{number}.flac").write_bytes(recording)
        (tmp_path / f"voice-{number}.name").write_text(f"Voice {number}")
    library = VoiceLibrary(tmp_path)
    library.list()
    started = time.process_time()
    listed = library.list()
    listing_s = time.process_time() - started
    library.get("voice-499")
    started = time.process_time()
    library.get("voice-499")
    lookup_s = time.process_time() - started
    assert listed[-1].name == "Voice 99"
    assert listing_s < 0.2
    assert lookup_s < 0.02


@pytest.mark.parametrize("failing", ["write_bytes", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_voice_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    library = VoiceLibrary(tmp_path)
    old = library.save("My Voice", wav_bytes(), field="file", details=VoiceDetails("Old words."))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        if failing == "fsync":
            broken.setattr(os, "fsync", fail)
        else:
            broken.setattr(Path, failing, fail)
        with pytest.raises(VolumeFailed, match="No space left"):
            library.save("My Voice", wav_bytes(pitch=330.0), field="file", details=VoiceDetails("New words."))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    if failing == "replace":
        after["My-Voice.txt"] = before["My-Voice.txt"]  # a crash between two renames may lose words, never mix them
    assert after == before
    assert library.get(old.id).digest == old.digest


def test_a_file_with_a_suffix_in_capitals_can_be_read_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "alice.WAV").write_bytes(wav_bytes())
    library = VoiceLibrary(tmp_path)
    assert [entry.id for entry in library.list()] == ["alice"]
    assert library.get("alice").duration_s == 6.0
    library.delete("alice")
    with pytest.raises(VoiceNotFound):
        library.get("alice")


def test_a_file_that_is_too_large_says_so_and_can_be_deleted(tmp_path: Path) -> None:
    with (tmp_path / "alice.wav").open("wb") as file:
        file.truncate(70_000_000)
    library = VoiceLibrary(tmp_path)
    with pytest.raises(InvalidRequest, match="a file of 70000000 bytes") as refused:
        library.get("alice")
    assert refused.value.field == "voice"
    library.delete("alice")
    assert library.list() == []


@pytest.mark.slow
def test_a_long_voice_is_exported_at_a_rate_that_fits(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    library.save("alice", RECORDINGS["299 s at 48 kHz"].make(), field="file")
    exported = library.export("alice")
    assert len(exported) < 25_000_000
    assert library.save("bob", exported, field="file").duration_s == pytest.approx(299.0, abs=0.25)


@pytest.mark.parametrize("field", ["voice", "reference_audio"])
@pytest.mark.parametrize("from_engine", ["reference_audio", "voice"])
def test_an_engines_error_about_the_voice_names_the_callers_field(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch, field: str, from_engine: str
) -> None:
    def refuse(_: object) -> Any:
        raise InvalidRequest("the reference audio is too short", field=from_engine)

    synthesizer.library.save("alice", wav_bytes(), field="file")
    for engine in synthesizer.engines.values():
        monkeypatch.setattr(engine, "submit", refuse)
    own = {"voice": "alice"} if field == "voice" else {"reference_audio": wav_base64()}
    request = parse({"text": "Hello.", **own}, settings)
    assert isinstance(request, SpeechRequest)
    with pytest.raises(InvalidRequest) as caught:
        synthesizer.speak(request, CancelScope())
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["voice", "reference_audio"])
def test_silence_does_not_count_towards_what_a_model_needs(
    settings: Settings, synthesizer: Synthesizer, field: str
) -> None:
    silent_first = sound_file(np.concatenate([np.zeros(5 * RATE, np.float32), spoken()[: 3 * RATE]]))
    synthesizer.library.save("alice", silent_first, field="file")
    (settings.voices_dir / "alice.flac").unlink()
    (settings.voices_dir / "alice.wav").write_bytes(silent_first)  # as copied into the folder
    own = {"voice": "alice"} if field == "voice" else {"reference_audio": base64.b64encode(silent_first).decode()}
    request = parse({"text": "Hello.", "model": "turbo", **own}, settings)
    assert isinstance(request, SpeechRequest)
    with pytest.raises(InvalidRequest, match=rf"{field} lasts 3\.\d s without the silence.*longer than 5 s") as caught:
        synthesizer.speak(request, CancelScope())
    assert caught.value.field == field
