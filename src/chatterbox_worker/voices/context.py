"""The earlier turns of a conversation in a request: from base64 to `Turn`.

Digests are computed at once, for the cache key; decoding waits until an engine needs the audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatterbox_worker.audio.decode import decode
from chatterbox_worker.engine import Turn
from chatterbox_worker.request import PastTurn
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.voices.contents import digest
from chatterbox_worker.voices.reference import MAX_DURATION_S, from_base64


@dataclass(frozen=True, slots=True, eq=False)
class PastSpeech:
    text: str
    """Normalised."""
    speaker: int
    data: bytes
    digest: str
    field: str
    """The request's field that errors name."""

    @property
    def identity(self) -> list[Any]:
        """JSON-safe: everything in it that changes the sound."""
        return [self.speaker, self.text, self.digest]

    def load(self) -> Turn:
        """Raises InvalidRequest if the bytes are not a recording."""
        clip = decode(self.data, field=self.field, max_s=MAX_DURATION_S)
        return Turn(self.text, clip, self.speaker, self.digest)


def past_speech(turns: Sequence[PastTurn]) -> tuple[PastSpeech, ...]:
    """
    Raises:
        InvalidRequest: a recording is not base64, or a text contains nothing to speak; names the turn.
    """
    return tuple(_past(turn, f"context[{index}]") for index, turn in enumerate(turns))


def _past(turn: PastTurn, place: str) -> PastSpeech:
    data = from_base64(turn.audio, field=f"{place}.audio")
    return PastSpeech(
        normalise_transcript(turn.text, field=f"{place}.text"), turn.speaker, data, digest(data), f"{place}.audio"
    )
