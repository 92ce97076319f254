"""The bytes of a recording or of a voice file as a voice, and back."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import replace

import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.catalogue import MODEL_RATE
from chatterbox_worker.engine import NO_DETAILS, Voice, VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle, is_bundle, pack, unpack
from chatterbox_worker.voices.clip import decode_clip, trim_clip
from chatterbox_worker.voices.reference import MAX_BYTES

_PREPARATION = b"chatterbox clip 2\n"  # another one whenever the same file gives another clip: it changes the digest
_HEADER_BYTES = 10_000  # of a voice file without a speaker: its details and the digest of its recording
_log = logging.getLogger(__name__)


def voice_of(name: str, data: bytes, *, field: str, details: VoiceDetails = NO_DETAILS) -> Voice:
    """The voice in the bytes of a recording with its `details`, or of a voice file, which contains its own.

    Raises:
        InvalidRequest: names `field`; they are neither.
    """
    if is_bundle(data):
        bundle = _unpack_trimmed(data, field)
        return Voice(name, bundle.digest, bundle.clip, bundle.speaker, bundle.adapter, bundle.details)
    return Voice(name, digest(data), decode_clip(data, field=field), details=details)


def digest(data: bytes) -> str:
    """SHA-256 in hex: of a recording's bytes and how they are prepared, or of a voice file without its `about`."""
    if is_bundle(data):
        try:
            return _unpack_trimmed(data, "voice").digest
        except InvalidRequest:  # a damaged one can still be deleted
            _log.warning("a voice file is damaged: the digest of its bytes is used")
    return hashlib.sha256(_PREPARATION + data).hexdigest()


def _unpack_trimmed(data: bytes, field: str) -> Bundle:
    bundle = unpack(data, field=field)
    return replace(bundle, clip=trim_clip(bundle.clip, field=field))


def pack_recording(voice: Voice) -> bytes:
    """A voice file of a recording; at the models' own rate, 24 kHz, if it would be too large to be taken again."""
    assert voice.clip is not None  # noqa: S101 - the caller has checked it
    clip = voice.clip
    if len(clip.samples) * 2 + _HEADER_BYTES > MAX_BYTES:
        clip = resample(clip, MODEL_RATE)
    return pack(Bundle(clip, None, {"recording_sha256": voice.digest}, details=voice.details))


def wav_of(clip: Audio) -> bytes:
    """16-bit mono."""
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
