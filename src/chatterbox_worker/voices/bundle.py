"""A voice as one safetensors file: the reference clip, the speaker, a fine-tuned adapter, and where they came from.

Layout of the file: `clip` (n,) int16; `speaker` (256,) float32, if it is known; the tensors of an adapter, if a model
was fine-tuned (`adapter`); and one metadata entry, `chatterbox_worker_voice`, a JSON object with `version`,
`sample_rate`, `about`, `made_by` if there is a `speaker`, `adapter` if there is one, and those of the `details` that
are known. `about` (sources, date, consent) does not change the sound and is not part of the voice's digest; the details
(the clip's words and its language) are not part of it either.

The bytes may be untrusted: all of them are checked, and nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from chatterbox_worker.audio.clip import Audio, audio_of_integers
from chatterbox_worker.audio.decode import HIGHEST_RATE, LOWEST_RATE
from chatterbox_worker.engine import NO_DETAILS, Adapter, Speaker, VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices import adapter as adapters
from chatterbox_worker.voices.details import details_of, known_details
from chatterbox_worker.voices.reference import MAX_DURATION_S, MIN_DURATION_S

BUNDLE_SUFFIX = ".safetensors"

_KEY = "chatterbox_worker_voice"
_VERSION = 1
_EMBEDDING = 256  # numbers in the voice encoder's embedding
_HEAD_BYTES = 8  # safetensors: the header's length, little-endian
_LONGEST_HEADER_BYTES = 1_000_000  # the sources of a voice by name and digest; hundreds of files
_ROUNDING = 1e-3  # how far the norm of a float32 embedding may be from 1


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    clip: Audio
    """The clip that the models condition on."""
    speaker: Speaker | None
    """None: the worker embeds the speaker from the clip."""
    about: Mapping[str, Any]
    """JSON-safe: where the voice came from."""
    adapter: Adapter | None = None
    """None: the model keeps its published weights."""
    details: VoiceDetails = NO_DETAILS

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that changes the sound: it does not depend on `about` or the details.

        With an adapter it begins otherwise: samples at a clip's end could have the bytes of the adapter's digest.
        """
        kind = "voice" if self.adapter is None else "adapted voice"
        sha256 = hashlib.sha256(f"chatterbox {kind} {_VERSION}\n{self.clip.sample_rate}\n".encode())
        sha256.update(self.clip.pcm16())
        if self.speaker is not None:
            sha256.update(self.speaker.made_by.encode() + b"\n" + self.speaker.embedding.astype("<f4").tobytes())
        if self.adapter is not None:
            sha256.update(adapters.digest(self.adapter).encode())
        return sha256.hexdigest()


def is_bundle(data: bytes) -> bool:
    """Whether these bytes begin as a safetensors file does; no audio format begins like that."""
    length = int.from_bytes(data[:_HEAD_BYTES], "little")
    return data[_HEAD_BYTES : _HEAD_BYTES + 1] == b"{" and length <= len(data) - _HEAD_BYTES


def pack(bundle: Bundle) -> bytes:
    """The file. The clip is stored in 16 bits."""
    tensors: dict[str, Any] = {"clip": np.frombuffer(bundle.clip.pcm16(), "<i2")}
    metadata: dict[str, Any] = {
        "version": _VERSION,
        "sample_rate": bundle.clip.sample_rate,
        "about": dict(bundle.about),
    }
    if bundle.speaker is not None:
        tensors["speaker"] = np.ascontiguousarray(bundle.speaker.embedding, np.float32)
        metadata["made_by"] = bundle.speaker.made_by
    if bundle.adapter is not None:
        tensors |= adapters.tensors_of(bundle.adapter)
        metadata["adapter"] = adapters.metadata_of(bundle.adapter)
    metadata |= known_details(bundle.details)
    file: bytes = save(
        tensors, metadata={_KEY: json.dumps(metadata, ensure_ascii=False, allow_nan=False, sort_keys=True)}
    )
    return file


def unpack(data: bytes, *, field: str) -> Bundle:
    """
    Raises:
        InvalidRequest: names `field`; not a safetensors file, not a voice, or a voice that no model can use.
    """

    def invalid(why: str) -> InvalidRequest:
        return InvalidRequest(f"{field} is not a voice file that can be used: {why}", field=field)

    metadata = _read_metadata(data, invalid("it is a safetensors file without a voice in it"))
    if metadata.get("version") != _VERSION:
        raise invalid(f"its version is {metadata.get('version')!r}, and only {_VERSION} is supported")
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise invalid(f"it is damaged ({error})") from None
    rate, about = metadata.get("sample_rate"), metadata.get("about", {})
    if not isinstance(rate, int) or not LOWEST_RATE <= rate <= HIGHEST_RATE or not isinstance(about, dict):
        raise invalid(f"its sample rate is {rate!r}, or its `about` is not a JSON object")
    clip = tensors.get("clip")
    if clip is None or clip.dtype != np.int16 or clip.ndim != 1:
        raise invalid("it has no 16-bit clip")
    if not MIN_DURATION_S <= len(clip) / rate <= MAX_DURATION_S or not clip.any():
        raise invalid(f"its clip lasts {len(clip) / rate:.2f} s or is silent")
    return Bundle(
        audio_of_integers(clip, rate),
        _speaker(tensors, metadata.get("made_by"), invalid),
        about,
        adapters.parse_adapter(metadata.get("adapter"), tensors, invalid),
        _details(metadata, invalid),
    )


@dataclass(frozen=True, slots=True)
class Head:
    """What the header of a voice file says, which is read without the rest."""

    model: str | None = None
    """That its adapter belongs to; None if it has no adapter."""
    language: str | None = None


def head_of(path: Path) -> Head:
    """
    Raises:
        InvalidRequest: it is not a voice file.
        OSError: it cannot be read.
    """
    refusal = InvalidRequest(f"{path.name} is not a voice file", field="voice")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        length = int.from_bytes(head, "little")
        if length > _LONGEST_HEADER_BYTES:
            raise refusal
        metadata = _read_metadata(head + file.read(length), refusal)
    adapter = metadata.get("adapter")
    model = adapter.get("model") if isinstance(adapter, dict) else None
    return Head(model if model in adapters.MODELS else None, _details(metadata, lambda _: refusal).language)


def _details(metadata: Mapping[str, Any], invalid: Callable[[str], InvalidRequest]) -> VoiceDetails:
    try:
        return details_of({each.name: metadata.get(each.name) for each in fields(VoiceDetails)})
    except ValueError as error:
        raise invalid(f"its {error}") from None


def _speaker(
    tensors: Mapping[str, npt.NDArray[Any]], made_by: object, invalid: Callable[[str], InvalidRequest]
) -> Speaker | None:
    embedding = tensors.get("speaker")
    if embedding is None:
        return None
    if embedding.dtype != np.float32 or embedding.shape != (_EMBEDDING,):
        raise invalid(f"its speaker is not {_EMBEDDING} float32 numbers")
    if not abs(float(np.linalg.norm(embedding)) - 1.0) < _ROUNDING:  # also rejects NaN
        raise invalid("its speaker embedding is not of length 1")
    if not isinstance(made_by, str) or not re.fullmatch(r"[0-9a-f]{64}", made_by):
        raise invalid("it does not state which encoder its speaker is from")
    return Speaker(np.array(embedding), made_by)


def _read_metadata(data: bytes, refusal: InvalidRequest) -> dict[str, Any]:
    """The voice's metadata, or raise `refusal`; safetensors' own reader returns them only for files on disk."""
    length = int.from_bytes(data[:_HEAD_BYTES], "little")
    if not is_bundle(data) or length > _LONGEST_HEADER_BYTES:
        raise refusal
    try:
        metadata = json.loads(json.loads(data[_HEAD_BYTES : _HEAD_BYTES + length])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refusal from None
    if not isinstance(metadata, dict):
        raise refusal
    return metadata
