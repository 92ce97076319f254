"""Splits text that arrives in parts into sentences. Pure.

A sentence is returned when its end is certain, that is when the next word has begun: "3." may continue as "3.14", and
"Dr." never ends one. A sentence that is too short to be spoken well alone joins the next. Text without a sentence end
is cut where a reader would pause. `flush` returns what is left. What cannot be spoken, such as a row of stars, stays
with the sentence next to it, and so does a pause (`[pause:1s]`), whose tag is never cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatterbox_worker.text.breaks import Break, breaks
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.markup.pauses import pauses_s, tag_spans, without_pauses
from chatterbox_worker.text.scripts import speakable

_SHORT_CHARS = 20  # about two words, below which the models mumble (upstream #97, #201)
_WINDOW_CHARS = 2 * DEFAULT_CHUNK_CHARS  # a sentence is looked for in: the time stays linear in the text
_CERTAIN_CHARS = 8  # as far as the rules for a sentence's end look ahead


class SentenceBuffer:
    def __init__(self, language: str, *, whole: bool = False) -> None:
        """`whole`: the text is marked up, so that it cannot be split before its end."""
        self._language = language[:2]
        self._whole = whole
        self._text = ""

    def __len__(self) -> int:
        """The characters that no sentence has taken yet."""
        return len(self._text)

    def add(self, text: str) -> list[str]:
        """The sentences that are complete now. Raises InvalidRequest of a pause that cannot be."""
        self._text += text
        sentences: list[str] = []
        while not self._whole and (end := self._end()) is not None:
            sentences.append(self._text[:end].strip())
            self._text = self._text[end:].lstrip()
        return sentences

    def flush(self) -> list[str]:
        """What is left, unless there is nothing to speak in it; it may be a pause alone."""
        left, self._text = self._text.strip(), ""
        return [left] if _is_speakable(left) or pauses_s(break_tags(left)) else []

    def clear(self) -> None:
        self._text = ""

    def _end(self) -> int | None:
        """Where the first complete sentence ends; None if there is none yet."""
        window = self._text[:_WINDOW_CHARS]
        tags = list(tag_spans(window))
        words = window
        for start, stop in tags:
            words = words[:start] + " " * (stop - start) + words[stop:]
        found = {_after_tags(end, tags, window): strength for end, strength in breaks(words, self._language).items()}
        for end in sorted(index for index, strength in found.items() if strength >= Break.SENTENCE):
            if (
                len(self._text[:end].strip()) >= _SHORT_CHARS
                and _is_speakable(self._text[:end])
                and self._is_certain(end)
            ):
                return end
        if len(self._text) <= DEFAULT_CHUNK_CHARS + _CERTAIN_CHARS:
            return None
        within = [
            (strength, index) for index, strength in found.items() if _SHORT_CHARS <= index <= DEFAULT_CHUNK_CHARS
        ]
        return max(within)[1] if within else DEFAULT_CHUNK_CHARS

    def _is_certain(self, end: int) -> bool:
        following = self._text[end:]
        if following.lstrip()[:1] in tuple("[<") and any(stop == len(following) for _, stop in tag_spans(following)):
            return False  # a pause that is still being written
        return any(map(str.isalnum, following)) or len(following.strip()) >= _CERTAIN_CHARS


def _is_speakable(text: str) -> bool:
    return any(map(speakable, without_pauses(break_tags(text))))


def _after_tags(end: int, tags: Sequence[tuple[int, int]], text: str) -> int:
    """The end with the pauses that follow it."""
    for start, stop in tags:
        if start >= end and not text[end:start].strip():
            end = stop
    return end
