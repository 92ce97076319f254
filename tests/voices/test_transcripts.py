"""The transcript of a recording: next to it, inside a voice file, or in the request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chatterbox_worker.audio.decode import decode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.bundle import Bundle, pack, unpack
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.source import voice_source
from support.audio_clips import wav_base64, wav_bytes
from support.fakes import ToneEngine

WORDS = "This is what is spoken."


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


def voice_file(transcript: str | None = WORDS) -> bytes:
    return pack(
        Bundle(decode(wav_bytes(), field="test", max_s=60), None, {"date": "today"}, details=VoiceDetails(transcript))
    )


def test_a_text_file_next_to_a_recording_is_its_transcript(library: VoiceLibrary) -> None:
    library.save("alice", wav_bytes(), field="file")
    assert library.get("alice").details.transcript is None
    (library.folder / "alice.txt").write_text(f"\ufeff{WORDS}\n", "utf-8")

    assert library.get("alice").details.transcript == WORDS
    assert [entry.id for entry in library.list()] == ["alice"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfa", b" \n", b"a" * 2001])
def test_an_unusable_transcript_is_ignored_and_the_voice_still_works(library: VoiceLibrary, content: bytes) -> None:
    library.save("alice", wav_bytes(), field="file")
    (library.folder / "alice.txt").write_bytes(content)

    assert library.get("alice").details.transcript is None


def test_a_transcript_is_replaced_and_deleted_with_its_recording(library: VoiceLibrary) -> None:
    library.save("alice", wav_bytes(), field="file", details=VoiceDetails(WORDS))
    assert library.get("alice").details.transcript == WORDS
    library.save("alice", wav_bytes(pitch=300.0), field="file")
    assert library.get("alice").details.transcript is None
    library.save("alice", wav_bytes(), field="file", details=VoiceDetails(WORDS))
    library.delete("alice")
    assert list(library.folder.iterdir()) == []


def test_a_voice_file_contains_its_transcript(library: VoiceLibrary) -> None:
    data = voice_file()
    assert unpack(data, field="test").details.transcript == WORDS
    assert library.save("alice", data, field="file").details.transcript == WORDS
    assert (
        library.save("alice", data, field="file", details=VoiceDetails("Other words.")).details.transcript
        == "Other words."
    )
    assert [path.name for path in library.folder.iterdir()] == ["alice.safetensors"]


def test_the_transcript_is_not_part_of_a_voices_digest() -> None:
    assert unpack(voice_file(), field="test").digest == unpack(voice_file(None), field="test").digest


def test_a_voice_file_with_an_invalid_transcript_is_rejected() -> None:
    with pytest.raises(InvalidRequest, match="transcript"):
        unpack(voice_file("a" * 2001), field="test")


def test_the_requests_own_transcript_takes_precedence(library: VoiceLibrary) -> None:
    library.save("alice", wav_bytes(), field="file", details=VoiceDetails(WORDS))
    settings = Settings(models=("csm",))

    def transcript(**fields: object) -> str | None:
        request = parse({"text": "Hello.", **fields}, settings)
        assert isinstance(request, SpeechRequest)
        source = voice_source(request, library, allow_private_urls=False)
        assert source.load().details.transcript == source.transcript
        return source.transcript

    assert transcript(voice="alice") == WORDS
    assert transcript(voice="alice", reference_transcript="As  spoken\n here.") == "As spoken here."
    assert transcript(reference_audio=wav_base64(), reference_transcript="Mine.") == "Mine."
    assert transcript(reference_audio=wav_base64()) is None


def test_the_key_covers_csms_inputs_and_does_not_change_for_other_models(
    synthesizer: Synthesizer, settings: Settings
) -> None:
    synthesizer.engines = {"csm": ToneEngine(), "multilingual": ToneEngine()}
    served = replace(settings, models=("csm", "multilingual"))

    def key(**fields: object) -> str:
        request = parse({"text": "Hello.", "seed": 1, **fields}, served)
        assert isinstance(request, SpeechRequest)
        return synthesizer.plan(request).key

    recording = {"reference_audio": wav_base64()}
    past = {"text": "Hi.", "audio": wav_base64(1.0)}
    keys = [
        key(), key(speaker=1), key(max_chunk_s=20.0), key(context=[past]), key(context=[past | {"speaker": 1}]),
        key(context=[past | {"text": "Ho."}]), key(context=[past | {"audio": wav_base64(1.1)}]),
        key(context=[past, past]), key(**recording, reference_transcript=WORDS),
        key(**recording, reference_transcript="Other words."),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]

    synthesizer.library.save("alice", wav_bytes(), field="file")
    before = key(model="multilingual", voice="alice")
    synthesizer.library.save("alice", wav_bytes(), field="file", details=VoiceDetails(WORDS))
    assert key(model="multilingual", voice="alice") == before


def test_only_csm_needs_a_transcript() -> None:
    assert [name for name, card in MODELS.items() if card.needs_transcript] == ["csm"]
