"""Captions of a text of two pages, as a player reads them; and who says them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.preview import PreviewEngine
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text import captions
from chatterbox_worker.text.cues import LINE_CHARS, LONGEST_S
from support import fakes
from support.webvtt import read_webvtt

TWO_PAGES = Path(__file__).with_name("two_pages.es.md").read_text(encoding="utf-8")
"""Written for this test: headings, dialogue, lists, abbreviations, numbers, and sentences longer than any cue."""
CHARS_S = 15.0  # characters of read speech in a second


@pytest.fixture
def preview(synthesizer: Synthesizer) -> Iterator[Synthesizer]:
    engine = PreviewEngine()
    synthesizer.engines = {"preview": engine}
    yield synthesizer
    engine.close()


def _speak(synthesizer: Synthesizer, settings: Settings, **fields: Any) -> SpeechInfo:
    request = parse({"text": TWO_PAGES, "text_format": "markdown", "language": "es", "seed": 1, **fields}, settings)
    assert isinstance(request, SpeechRequest)
    return synthesizer.speak(request, CancelScope()).info


def _follow_the_rules(info: SpeechInfo) -> int:
    """Returns the number of cues."""
    chunks = info.as_json()["chunks"]
    written = captions.write("vtt", chunks, info.duration_s, info.language, info.words or ())
    cues = read_webvtt(written)
    for cue in cues:
        assert len(cue.lines) <= 2
        assert all(0 < len(line) <= LINE_CHARS for line in cue.lines)
        assert cue.end_ms - cue.start_ms <= LONGEST_S * 1000
    assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(cues))
    assert cues[-1].end_ms <= round(info.duration_s * 1000)
    shown = "".join(line for cue in cues for line in cue.lines)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", "".join(chunk["text"] for chunk in chunks))
    return len(cues)


@pytest.mark.slow
def test_two_pages_as_the_preview_speaks_them(preview: Synthesizer, settings: Settings) -> None:
    info = _speak(preview, replace(settings, models=("preview",)), model="preview")

    assert _follow_the_rules(info) > 1.5 * len(info.chunks) > 15


def test_two_pages_with_the_times_of_words_or_of_chunks(
    synthesizer: Synthesizer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "SECONDS_PER_CHARACTER", 1 / CHARS_S)
    info = _speak(synthesizer, settings, timestamps="word", chunk_size=500)

    assert info.words is not None
    assert len(info.words) > 400
    starts = [word.start_s for word in info.words]
    assert starts == sorted(starts)
    assert [word.start for word in info.words] == sorted(word.start for word in info.words)
    assert _follow_the_rules(info) > len(info.chunks) > 5
    assert _follow_the_rules(replace(info, words=None)) > len(info.chunks)


def test_captions_say_who_speaks() -> None:
    chunk = {"text": "Ready?", "start": 0, "end": 6, "start_s": 0.0, "end_s": 1.0, "voice": "default"}
    chunks = [chunk | {"speaker": "Ana & <Bob>\n-->"}, chunk | {"start_s": 1.0, "end_s": 2.0}]
    one_voice = captions.write("srt", [chunk, chunk], 2.0)

    assert [(cue.voice, cue.lines) for cue in read_webvtt(captions.write("vtt", chunks, 2.0))] == [
        ("Ana & <Bob> -->", ("Ready?",)), ("default", ("Ready?",)),
    ]  # fmt: skip
    assert [block.split("\n")[2] for block in captions.write("srt", [*chunks, chunks[1]], 2.0).split("\n\n")] == [
        "Ana & <Bob> →: Ready?", "default: Ready?", "Ready?",
    ]  # fmt: skip
    assert "default" not in one_voice
