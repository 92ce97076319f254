"""The text of a request, in whatever format, as a reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from chatterbox_worker.catalogue import REGIONS
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.text.chunk import PAUSES_S, Pause
from chatterbox_worker.text.identify import AUTO
from chatterbox_worker.text.markup.builder import MarkupOptions
from chatterbox_worker.text.markup.markdown import read_markdown
from chatterbox_worker.text.markup.plain import read_plain
from chatterbox_worker.text.markup.ssml import looks_like_ssml, read_ssml
from chatterbox_worker.text.reading import Reading
from chatterbox_worker.text.spoken.rules import region_of

Reader = Callable[[str, MarkupOptions], Reading]

_READERS: Mapping[str, Reader] = MappingProxyType({
    "plain": read_plain, "markdown": read_markdown, "ssml": read_ssml,
})  # fmt: skip

_MARKDOWN = re.compile(
    r"^ {0,3}#{1,6} \S|^ {0,3}```|^ {0,3}\|?(?=[ :-]*---)[ :-]++\||^ {0,3}\d{1,3}\. .*\n {0,3}\d{1,3}\. |"
    r"(?<!\w)\*\*[^\s*][^*\n]{0,200}\*\*|\[[^\]\n]{1,200}\]\([^)\s]{1,500}\)",
    re.MULTILINE,
)


def read_text(request: SpeechRequest) -> Reading:
    """
    Raises:
        InvalidRequest: the text is not of its format, or asks for what cannot be done.
    """
    text_format = detect(request.text) if request.text_format == "auto" else request.text_format
    return _READERS[text_format](request.text, options_of(request))


def detect(text: str) -> str:
    """`ssml` for a well-formed `<speak>`, `markdown` for a text with headings, links, tables, bold words or code."""
    if looks_like_ssml(text):
        return "ssml"
    return "markdown" if _MARKDOWN.search(text) else "plain"


def options_of(request: SpeechRequest) -> MarkupOptions:
    language = AUTO if request.language == AUTO else request.language[:2]
    line_breaks = request.line_breaks or ("auto" if request.normalize else "join")
    return MarkupOptions(
        language=language,
        languages=(language,) if request.language in REGIONS else request.card.languages,
        line_breaks=line_breaks,
        decoration="decoration" in request.normalize,
        read_emoji=request.emoji == "read",
        strict=request.ssml_strict,
        splits=request.split_text,
        speed=request.speed,
        pauses_s=pauses_of(request),
        region=region_of(language, request.region),
    )


def pauses_of(request: SpeechRequest) -> Mapping[Pause, float]:
    """The silence after a chunk by where it ends, in seconds at speed 1."""
    return {pause: request.pause_s.get(pause.name.lower(), seconds) for pause, seconds in PAUSES_S.items()}
