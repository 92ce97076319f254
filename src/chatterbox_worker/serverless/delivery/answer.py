"""The answer as JSON: what is said about a recording, and the recording inside it.

RunPod refuses an answer over its limit with a 400 after the work is done, and the SDK then drops the job in silence;
so an answer is measured as it will be serialized, before it is returned.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from chatterbox_worker.errors import AnswerTooLarge
from chatterbox_worker.synthesizer import Recording

_ENVELOPE_BYTES = 64  # `{"output": ` and `}` around what the handler returns, and room for keys the SDK may add


class Unlogged(dict[str, Any]):
    """A dict that does not show its contents: at level DEBUG the SDK logs every answer by its repr."""

    def __repr__(self) -> str:
        return f"<{len(self)} fields: {', '.join(self)}>"


class UnloggedText(str):
    """Likewise for the sentence of an error, which may quote what the caller sent."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


class NotDelivered(Exception):  # one way failed; the next is tried, so it is no error yet
    """The sentence goes into the answer's warnings: it names no key and no path of the caller's."""


def facts(recording: Recording) -> dict[str, Any]:
    """Everything in an answer but the audio."""
    return {
        **recording.about,
        "size_bytes": len(recording.audio),
        "cache_hit": recording.hit,
        "cache_key": recording.key,
        "chunks_processed": len(recording.about["chunks"]),
        "generation_time_ms": round(recording.timings["total_s"] * 1000, 1),
        "timings": {name: round(seconds, 5) for name, seconds in recording.timings.items()},
    }


def inline(recording: Recording, *, as_url: bool, limit_bytes: int) -> dict[str, Any]:
    """The answer with the audio inside: base64, or a data URI where the caller speaks RunPod's public schema.

    Raises:
        AnswerTooLarge: says how large it is and what would fit.
    """
    about = facts(recording)
    size = inline_bytes(recording, about)
    if size > limit_bytes:
        raise too_large(size, limit_bytes)
    encoded = base64.b64encode(recording.audio).decode("ascii")
    head = f"data:{recording.about['mimetype']};base64,"
    return {"audio_url": head + encoded} | about if as_url else {"audio_base64": encoded} | about


def inline_bytes(recording: Recording, about: dict[str, Any]) -> int:
    """Of `inline`'s answer, serialized, without making it."""
    encoded = (len(recording.audio) + 2) // 3 * 4
    return encoded + len(recording.about["mimetype"]) + serialized_bytes(about)


def too_large(size: int, limit_bytes: int, tried: str = "") -> AnswerTooLarge:
    return AnswerTooLarge(
        f"the answer has {size / 1e6:.1f} MB and at most {limit_bytes / 1e6:.1f} MB can go back{tried}: "
        f'ask for a compressed format ("mp3", "opus" or "auto"), a lower sample_rate or a shorter text, '
        f"give an s3Config with the job, or set a bucket or a network volume up for the endpoint",
        field="format",
    )


def serialized_bytes(answer: dict[str, Any]) -> int:
    """Bytes of the answer as the SDK posts it: JSON, UTF-8, non-ASCII characters as they are."""
    return len(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()) + _ENVELOPE_BYTES
