"""A voice as one safetensors file: the clip to speak from, who speaks, what a model learnt of it, and where all came from.

Layout of the file: `clip` (n,) int16; `speaker` (256,) float32, where it is known; the tensors of an adapter, where a model
was fine-tuned (`adapter`); and one metadata entry, `chatterbox_worker_voice`, a JSON object with `version`, `sample_rate`,
`made_by` beside `speaker`, `adapter` beside its tensors, `about`, and `transcript` where the clip's words are known. What is
`about` the voice (sources, date, consent) changes nothing that is heard and is no part of its digest; neither are the words,
which only some models read.

The bytes may be a stranger's: everything in them is checked, and nothing in them can run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Adapter, Speaker
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS
from chatterbox_worker.voices import adapter as adapters
from chatterbox_worker.voices.reference import MAX_DURATION_S

BUNDLE_SUFFIX = ".safetensors"

_KEY = "chatterbox_worker_voice"
_VERSION = 1
_EMBEDDING = 256  # numbers in the voice encoder's embedding
_HEAD_BYTES = 8  # safetensors: the header's length, little-endian
_LONGEST_HEADER_BYTES = 1_000_000  # the sources of a voice by name and digest; hundreds of files
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 192_000  # Hertz, as audio.decode takes
_SHORTEST_S = 0.5  # engines/chatterbox/reference/conditioning.py
_ROUNDING = 1e-3  # how far from 1 the length of a float32 embedding may be


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    clip: Audio
    """What the models listen to."""
    speaker: Speaker | None
    """None: the worker hears the speaker in the clip."""
    about: Mapping[str, Any]
    """JSON-safe: where the voice came from."""
    adapter: Adapter | None = None
    """None: the models speak as they were published."""
    transcript: str | None = None
    """The words of the clip."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what can be heard: the same voice has the same digest whatever is said about it."""
        told = hashlib.sha256(f"chatterbox voice {_VERSION}\n{self.clip.sample_rate}\n".encode())
        told.update(self.clip.pcm16())
        if self.speaker is not None:
            told.update(self.speaker.made_by.encode() + b"\n" + self.speaker.embedding.astype("<f4").tobytes())
        if self.adapter is not None:
            told.update(adapters.digest(self.adapter).encode())
        return told.hexdigest()


def is_bundle(data: bytes) -> bool:
    """Whether these bytes begin as a safetensors file does; no audio format begins like that."""
    length = int.from_bytes(data[:_HEAD_BYTES], "little")
    return data[_HEAD_BYTES : _HEAD_BYTES + 1] == b"{" and length <= len(data) - _HEAD_BYTES


def pack(bundle: Bundle) -> bytes:
    """The file. The clip is kept in 16 bits."""
    tensors: dict[str, Any] = {"clip": np.frombuffer(bundle.clip.pcm16(), "<i2")}
    told: dict[str, Any] = {"version": _VERSION, "sample_rate": bundle.clip.sample_rate, "about": dict(bundle.about)}
    if bundle.speaker is not None:
        tensors["speaker"] = np.ascontiguousarray(bundle.speaker.embedding, np.float32)
        told["made_by"] = bundle.speaker.made_by
    if bundle.adapter is not None:
        tensors |= adapters.tensors_of(bundle.adapter)
        told["adapter"] = adapters.described(bundle.adapter)
    if bundle.transcript is not None:
        told["transcript"] = bundle.transcript
    packed: bytes = save(
        tensors, metadata={_KEY: json.dumps(told, ensure_ascii=False, allow_nan=False, sort_keys=True)}
    )
    return packed


def unpack(data: bytes, *, field: str) -> Bundle:
    """
    Raises:
        InvalidRequest: blames `field`; not a safetensors file, not a voice, or a voice that cannot be spoken with.
    """

    def refused(why: str) -> InvalidRequest:
        return InvalidRequest(f"{field} is not a voice file that can be used: {why}", field=field)

    told = _told(data, refused("it is a safetensors file without a voice in it"))
    if told.get("version") != _VERSION:
        raise refused(f"its version is {told.get('version')!r}, and {_VERSION} is read here")
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise refused(f"it is damaged ({error})") from None
    rate, about = told.get("sample_rate"), told.get("about", {})
    if not isinstance(rate, int) or not _LOWEST_RATE <= rate <= _HIGHEST_RATE or not isinstance(about, dict):
        raise refused(f"its sample rate is {rate!r}, or what is said about it is no JSON object")
    words = told.get("transcript")
    if words is not None and not (
        isinstance(words, str) and 0 < len(words.strip()) <= len(words) <= LONGEST_TRANSCRIPT_CHARS
    ):
        raise refused(f"its transcript is blank, no text, or longer than {LONGEST_TRANSCRIPT_CHARS} characters")
    clip = tensors.get("clip")
    if clip is None or clip.dtype != np.int16 or clip.ndim != 1:
        raise refused("it holds no 16-bit clip")
    if not _SHORTEST_S <= len(clip) / rate <= MAX_DURATION_S or not clip.any():
        raise refused(f"its clip lasts {len(clip) / rate:.2f} s or is silent")
    samples = clip.astype(np.float32) / np.float32(32767.0)  # the reverse of Audio.pcm16, to the bit
    return Bundle(
        Audio(samples, rate),
        _speaker(tensors, told.get("made_by"), refused),
        about,
        adapters.adapter_of(told.get("adapter"), tensors, refused),
        words,
    )


def _speaker(
    tensors: Mapping[str, npt.NDArray[Any]], made_by: object, refused: Callable[[str], InvalidRequest]
) -> Speaker | None:
    embedding = tensors.get("speaker")
    if embedding is None:
        return None
    if embedding.dtype != np.float32 or embedding.shape != (_EMBEDDING,):
        raise refused(f"its speaker is not {_EMBEDDING} float32 numbers")
    if not abs(float(np.linalg.norm(embedding)) - 1.0) < _ROUNDING:  # false for what is not a number, too
        raise refused("its speaker embedding is not of length 1")
    if not isinstance(made_by, str) or not re.fullmatch(r"[0-9a-f]{64}", made_by):
        raise refused("it does not say which encoder its speaker is from")
    return Speaker(np.array(embedding), made_by)


def _told(data: bytes, refusal: InvalidRequest) -> dict[str, Any]:
    """The voice's metadata: safetensors' own reader gives them for files only."""
    length = int.from_bytes(data[:_HEAD_BYTES], "little")
    if not is_bundle(data) or length > _LONGEST_HEADER_BYTES:
        raise refusal
    try:
        told = json.loads(json.loads(data[_HEAD_BYTES : _HEAD_BYTES + length])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refusal from None
    if not isinstance(told, dict):
        raise refusal
    return told
