"""Captions of a recording: SubRip, WebVTT (W3C) or JSON. Pure.

The times of a chunk are exact; inside it, words have times of their own or share its time by their length. `text.cues`
makes the cues. Where several voices speak, each cue names its speaker in WebVTT, and in SubRip a name and a colon stand
where the speaker changes.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatterbox_worker.answer import SpokenBy, SpokenWord
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.text.breaks import Break
from chatterbox_worker.text.cues import LONGEST_S, Cue, TimedWord, cues, share_time, with_times

MIMETYPES: Mapping[str, str] = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt",
    "json": "application/json",
}
_LONGEST_MS = round(LONGEST_S * 1000)


def check(kind: object) -> str:
    """`kind` as one of `MIMETYPES`; raises InvalidRequest."""
    if not isinstance(kind, str) or kind.lower() not in MIMETYPES:
        raise InvalidRequest(f"captions must be {choices(MIMETYPES)}, not {quote(kind)}", field="captions")
    return kind.lower()


def write(
    kind: str,
    chunks: Sequence[Mapping[str, Any]],
    duration_s: float,
    language: str | None = None,
    words: Sequence[SpokenWord] = (),
) -> str:
    """The captions of `SpeechInfo.as_json()["chunks"]`; chunks without audio have no cue. `words`: of the text."""
    starts = [(_turn(word.by), word.start) for word in words]
    audible = []
    speaker = None
    for chunk, name in zip(chunks, _speakers(chunks), strict=True):
        turn = chunk.get("turn", 0)
        own = words[bisect_left(starts, (turn, chunk["start"])) : bisect_left(starts, (turn, chunk["end"]))]
        if chunk["end_s"] > chunk["start_s"]:
            announced = name if kind == "srt" and name != speaker else None
            audible.append((chunk, _cues(chunk, language, own, name, announced)))
            speaker = name
    if kind == "json":
        with_cues = [{**chunk, "cues": [_as_json(cue) for cue in own]} for chunk, own in audible]
        return json.dumps({"duration_s": duration_s, "chunks": with_cues}, ensure_ascii=False)
    comma = "," if kind == "srt" else "."
    blocks = [
        f"{number}\n{_times(cue, comma)}\n{_text(kind, cue)}\n"
        for number, cue in enumerate((cue for _, own in audible for cue in own), 1)
    ]
    return "\n".join(blocks if kind == "srt" else ["WEBVTT\n", *blocks])


def _turn(by: SpokenBy | None) -> int:
    return 0 if by is None else by.turn or 0


def _speakers(chunks: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Who speaks each chunk: the name, or else the id of the voice; None for all if it is one speaker."""
    given = [chunk.get("speaker", chunk.get("voice")) for chunk in chunks]
    names = [None if name is None else " ".join(name.split()) for name in given]
    return names if len(set(names)) > 1 else [None] * len(names)


def _cues(
    chunk: Mapping[str, Any],
    language: str | None,
    words: Sequence[SpokenWord],
    speaker: str | None,
    announced: str | None,
) -> list[Cue]:
    """`announced`: the name that is written before the first word."""
    timed = _timed(chunk, language, words)
    if announced is not None:
        at_s = timed[0].start_s
        timed.insert(0, TimedWord(f"{announced}:", spaced=True, after=Break.CLUSTER, start_s=at_s, end_s=at_s))
    return [replace(cue, speaker=speaker) for cue in cues(timed)]


def _timed(chunk: Mapping[str, Any], language: str | None, words: Sequence[SpokenWord]) -> list[TimedWord]:
    if all(word.text == chunk["text"] for word in words):  # none, or their times are not known
        return share_time(chunk["text"], chunk["start_s"], chunk["end_s"], language)
    times = [(word.start - chunk["start"], word.start_s, word.end_s) for word in words]
    return with_times(chunk["text"], times, language)


def _as_json(cue: Cue) -> dict[str, Any]:
    start_ms, end_ms = _milliseconds(cue)
    return {"text": "\n".join(cue.lines), "start_s": start_ms / 1000, "end_s": end_ms / 1000}


def _times(cue: Cue, comma: str) -> str:
    return " --> ".join(_clock(milliseconds, comma) for milliseconds in _milliseconds(cue))


def _milliseconds(cue: Cue) -> tuple[int, int]:
    """An end is after its start, as WebVTT requires."""
    start_ms = round(cue.start_s * 1000)
    return start_ms, min(max(round(cue.end_s * 1000), start_ms + 1), start_ms + _LONGEST_MS)


def _clock(milliseconds: int, comma: str) -> str:
    minutes, remainder = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{remainder // 1000:02}{comma}{remainder % 1000:03}"


def _text(kind: str, cue: Cue) -> str:
    text = "\n".join(cue.lines)
    if kind == "srt":
        return text.replace("-->", "→")
    return _voice(cue.speaker) + _escape(text)


def _voice(speaker: str | None) -> str:
    """The tag of WebVTT's voice span, which may stay open where it is the whole cue."""
    return f"<v {_escape(speaker)}>" if speaker else ""


def _escape(text: str) -> str:
    """A cue may contain markup, and "-->" would end it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
