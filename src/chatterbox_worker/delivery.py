"""How a recording goes back, and the promise that it fits.

RunPod refuses an answer over its limit with a 400 after the work is done, and the SDK then drops the job in silence;
so the answer is measured as it will be serialized, before it is returned.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from chatterbox_worker.errors import AnswerTooLarge
from chatterbox_worker.synthesizer import Recording

_ENVELOPE_BYTES = 64  # `{"output": ` and `}` around what the handler returns, and room for keys the SDK may add


def inline(recording: Recording, *, as_url: bool, limit_bytes: int) -> dict[str, Any]:
    """The answer with the audio inside: base64, or a data URI where the caller speaks RunPod's public schema.

    Raises:
        AnswerTooLarge: says how large it is and what would fit.
    """
    encoded = base64.b64encode(recording.audio).decode("ascii")
    mimetype = recording.about["mimetype"]
    audio = {"audio_url": f"data:{mimetype};base64,{encoded}"} if as_url else {"audio_base64": encoded}
    facts = {
        **recording.about,
        "size_bytes": len(recording.audio),
        "cache_hit": recording.hit,
        "cache_key": recording.key,
        "chunks_processed": len(recording.about["chunks"]),
        "generation_time_ms": round(recording.timings["total_s"] * 1000, 1),
        "timings": {name: round(seconds, 5) for name, seconds in recording.timings.items()},
    }
    size = len(encoded) + len(mimetype) + serialized_bytes(facts)
    if size > limit_bytes:
        raise AnswerTooLarge(
            f"the answer has {size / 1e6:.1f} MB and at most {limit_bytes / 1e6:.1f} MB can go back: "
            f'ask for a compressed format ("mp3" or "opus"), a lower sample_rate, or a shorter text',
            field="format",
        )
    return audio | facts


def serialized_bytes(answer: Mapping[str, Any]) -> int:
    """Bytes of the answer as the SDK posts it: JSON, UTF-8, non-ASCII characters as they are."""
    return len(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()) + _ENVELOPE_BYTES
