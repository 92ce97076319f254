"""A strict reader of WebVTT files that have no regions, styles and comments: the syntax of W3C's "WebVTT", section 4.

Nothing is forgiven here, while browsers forgive nearly everything.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_TIME = r"(?:\d{2,}:)?[0-5]\d:[0-5]\d\.\d{3}"
_TIMING = re.compile(rf"({_TIME})[ \t]+-->[ \t]+({_TIME})")
_REFERENCE = r"&(?:amp|lt|gt|lrm|rlm|nbsp|#\d+|#x[0-9a-fA-F]+);"
_TEXT = re.compile(rf"(?:[^&<\n\r\x00]|{_REFERENCE})+")
_VOICE = re.compile(rf"<v(?:\.[^\s.&<>]+)*[ \t]((?:[^&>\n\r]|{_REFERENCE})*\S(?:[^&>\n\r]|{_REFERENCE})*)>")


@dataclass(frozen=True, slots=True)
class WebVttCue:
    start_ms: int
    end_ms: int
    voice: str | None
    lines: tuple[str, ...]


def read_webvtt(file: str) -> list[WebVttCue]:
    """The cues; AssertionError of what the grammar does not allow."""
    head, _, body = file.removeprefix("\ufeff").partition("\n")
    assert re.fullmatch(r"WEBVTT(?:[ \t][^\n\r]*)?", head), head
    assert body.startswith("\n"), "no empty line after the header"
    cues = [_read_cue(block) for block in re.split(r"\n\n+", body.strip("\n"))] if body.strip("\n") else []
    starts = [cue.start_ms for cue in cues]
    assert starts == sorted(starts), "a cue begins before the one in front of it"
    return cues


def _read_cue(block: str) -> WebVttCue:
    lines = block.split("\n")
    if "-->" not in lines[0]:
        lines.pop(0)  # its name
    timing = _TIMING.fullmatch(lines[0])
    assert timing, lines[0]
    start_ms, end_ms = map(_milliseconds, timing.groups())
    assert start_ms < end_ms, lines[0]
    payload = lines[1:]
    assert payload, block
    assert not any("-->" in line for line in payload), block
    voice = _VOICE.match(payload[0])
    if voice:
        payload[0] = payload[0][voice.end() :]
    assert all(map(_TEXT.fullmatch, payload)), block
    return WebVttCue(start_ms, end_ms, html.unescape(voice[1]) if voice else None, tuple(map(html.unescape, payload)))


def _milliseconds(clock: str) -> int:
    *hours, minutes, seconds = clock.split(":")
    return (int(hours[0] if hours else 0) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)
