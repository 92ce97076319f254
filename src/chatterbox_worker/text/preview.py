"""A text as a model would read it, chunk by chunk, without speaking it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.prepare import prepare


def preview(request: SpeechRequest, lexicon: Lexicon | None = None) -> dict[str, Any]:
    """As JSON: the cleaned text, its warnings, and for each chunk its place there, what the model is given, what is
    read otherwise than written, and the pause after it.

    Raises:
        InvalidRequest: there is nothing to speak, or the text is too long for one chunk and must not be split.
    """
    prepared = prepare(request, lexicon)
    return {
        "model": request.model,
        "language": prepared.language,
        "text": prepared.reading.text,
        "chunks": [
            {
                "start": chunk.start,
                "end": chunk.end,
                "text": chunk.text,
                "spoken": chunk.spoken,
                "pause_s": round(chunk.pause_s(request.speed * chunk.rate, prepared.pauses_s), 4),
                "language": chunk.language,
                "spans": [asdict(span) for span in prepared.reading.spans_in(chunk.start, chunk.end)],
                **({"lead_pause_s": chunk.lead_pause_s} if chunk.lead_pause_s else {}),
                **({"voice": chunk.voice} if chunk.voice is not None else {}),
                **({"rate": chunk.rate} if chunk.rate != 1.0 else {}),
            }
            for chunk in prepared.chunks
        ],
        "warnings": list(prepared.reading.warnings),
    }
