"""Captions from the exact times of the chunks: SubRip, WebVTT or JSON. Pure.

A cue is a chunk: its times are those of its audio. Words inside a chunk have no times, because no engine reports them
and a guess by length is not a time. A smaller `chunk_size` gives shorter cues.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices, quote

MIMETYPES: Mapping[str, str] = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt",
    "json": "application/json",
}
_LINE_CHARS = 42  # the usual length of a subtitle's line, in the EBU's guide and the BBC's


def check(kind: object) -> str:
    """`kind` as one of `MIMETYPES`; raises InvalidRequest."""
    if not isinstance(kind, str) or kind.lower() not in MIMETYPES:
        raise InvalidRequest(f"captions must be {choices(MIMETYPES)}, not {quote(kind)}", field="captions")
    return kind.lower()


def write(kind: str, chunks: Sequence[Mapping[str, Any]], duration_s: float) -> str:
    """The captions of `Recording.about["chunks"]`; chunks without audio have no cue."""
    audible = [chunk for chunk in chunks if chunk["end_s"] > chunk["start_s"]]
    if kind == "json":
        return json.dumps({"duration_s": duration_s, "chunks": audible}, ensure_ascii=False)
    comma = "," if kind == "srt" else "."
    cues = [
        f"{number}\n{_clock(chunk['start_s'], comma)} --> {_clock(chunk['end_s'], comma)}\n"
        f"{_lines(kind, chunk['text'])}\n"
        for number, chunk in enumerate(audible, 1)
    ]
    return "\n".join(cues if kind == "srt" else ["WEBVTT\n", *cues])


def _clock(seconds: float, comma: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, remainder = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{remainder // 1000:02}{comma}{remainder % 1000:03}"


def _lines(kind: str, text: str) -> str:
    if kind == "vtt":  # a cue may contain markup here; "-->" would end it
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    else:
        text = text.replace("-->", "→")
    return "\n".join(textwrap.wrap(text, _LINE_CHARS, break_long_words=False, break_on_hyphens=False))
