"""A text as a model would read it, chunk by chunk, without speaking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import DialogueTurn, SpeechRequest, at_place, without_nulls
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.markup.pauses import pauses_s
from chatterbox_worker.text.prepare import is_silent, prepare


def preview(request: SpeechRequest, lexicon: Lexicon | None = None) -> dict[str, Any]:
    """As JSON: the cleaned text, its warnings, and for each chunk its place there, what the model is given, what is
    read otherwise than written, and the pause after it. Of a dialogue the chunks of all turns, each with its `turn`.

    Raises:
        InvalidRequest: there is nothing to speak, or the text is too long for one chunk and must not be split.
    """
    return _preview_turns(request, lexicon) if request.turns else _preview_text(request, lexicon)


def _preview_turns(request: SpeechRequest, lexicon: Lexicon | None) -> dict[str, Any]:
    previews = [_preview_turn(index, turn, lexicon) for index, turn in enumerate(request.turns)]
    _add_pauses(previews, request.turns)
    return {
        "model": request.model,
        "language": next((each["language"] for each in previews if each["chunks"]), request.language),
        "text": "\n".join(each["text"] for each in previews),
        "chunks": [chunk for each in previews for chunk in each["chunks"]],
        "warnings": [warning for each in previews for warning in each["warnings"]],
        "turns": len(previews),
    }


def _add_pauses(previews: Sequence[Mapping[str, Any]], turns: Sequence[DialogueTurn]) -> None:
    """The silence between the turns, as a part of that after the chunk before it."""
    before: dict[str, Any] = {}  # of a pause at the beginning nothing is shown
    for index, (preview, turn) in enumerate(zip(previews, turns, strict=True)):
        before = preview["chunks"][-1] if preview["chunks"] else before
        own_s = 0.0 if preview["chunks"] else pauses_s(break_tags(turn.request.text))
        between_s = turn.pause_s if index < len(turns) - 1 else 0.0
        before["pause_s"] = round(before.get("pause_s", 0.0) + own_s + between_s, 4)


def _preview_turn(index: int, turn: DialogueTurn, lexicon: Lexicon | None) -> dict[str, Any]:
    request = turn.request
    try:
        if is_silent(request):
            return {"language": request.language, "text": request.text, "chunks": [], "warnings": []}
        about = _preview_text(request, lexicon)
    except InvalidRequest as error:
        raise at_place(turn.place, error) from None
    voice = None if turn.is_by_name else request.voice
    who = without_nulls({"turn": index, "voice": voice, "speaker": turn.name})
    chunks = [who | chunk for chunk in about["chunks"]]
    return about | {"chunks": chunks, "warnings": [f"{turn.place}: {each}" for each in about["warnings"]]}


def _preview_text(request: SpeechRequest, lexicon: Lexicon | None) -> dict[str, Any]:
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
