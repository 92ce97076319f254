"""Recordings as a model's arrays; each is encoded once, even if a run is killed.

The arrays are stored under the digest of the recording's bytes and what they were made by. Each file is written
completely or not at all, so that a preparation that was killed continues where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore

_MEASURES = "measures"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRecording:
    digest: str
    """SHA-256 (hex) of its bytes."""
    duration_s: float
    peak: float
    """Magnitude of the loudest sample; full scale is 1."""
    arrays: Arrays

    def check_pace(self, text: str, ids: Sequence[int], most_per_s: float) -> None:
        """Raise InvalidRequest for a transcript that cannot be spoken in its time; `ids` are the tokens of `text`."""
        if len(ids) > most_per_s * self.duration_s:
            raise InvalidRequest(
                f"its transcript of {len(text)} characters ({len(ids)} tokens) is too long for {self.duration_s:.1f} s",
                field="text",
            )


class EncodedRecordings:
    def __init__(self, folder: Path, made_by: str, encode: Callable[[Audio], Arrays]) -> None:
        """`made_by` identifies everything that the arrays of `encode` depend on."""
        self._store = ConditioningStore(folder, max_bytes=0)
        self._made_by, self._encode = made_by, encode

    def of(self, data: bytes, decode: Callable[[bytes], Audio]) -> EncodedRecording:
        """That of a recording's bytes; `decode` raises for an unusable one, and is called once for each."""
        digest = hashlib.sha256(data).hexdigest()
        arrays = self._store.get_or_compute(ConditioningKey(digest, self._made_by), lambda: self._measure(decode(data)))
        duration_s, peak = (float(number) for number in arrays[_MEASURES])
        return EncodedRecording(digest, duration_s, peak, arrays)

    def _measure(self, audio: Audio) -> Arrays:
        return {**self._encode(audio), _MEASURES: np.array([audio.duration_s, np.max(np.abs(audio.samples))])}
