"""Splits text that arrives in parts into sentences. Pure.

A sentence is returned when its end is certain, that is when the next word has begun: "3." may continue as "3.14", and
"Dr." never ends one. A sentence that is too short to be spoken well alone joins the next. Text without a sentence end
is cut where a reader would pause. `flush` returns what is left. What cannot be spoken, such as a row of stars, stays
with the sentence next to it.
"""

from __future__ import annotations

from chatterbox_worker.text.breaks import Break, breaks
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS
from chatterbox_worker.text.scripts import speakable

_SHORT_CHARS = 20  # about two words, below which the models mumble (upstream #97, #201)
_WINDOW_CHARS = 2 * DEFAULT_CHUNK_CHARS  # a sentence is looked for in: the time stays linear in the text
_CERTAIN_CHARS = 8  # as far as the rules for a sentence's end look ahead


class SentenceBuffer:
    def __init__(self, language: str) -> None:
        self._language = language[:2]
        self._text = ""

    def __len__(self) -> int:
        """The characters that no sentence has taken yet."""
        return len(self._text)

    def add(self, text: str) -> list[str]:
        """The sentences that are complete now."""
        self._text += text
        sentences = []
        while (end := self._end()) is not None:
            sentences.append(self._text[:end].strip())
            self._text = self._text[end:].lstrip()
        return sentences

    def flush(self) -> list[str]:
        """What is left, unless there is nothing to speak in it."""
        left, self._text = self._text.strip(), ""
        return [left] if any(map(speakable, left)) else []

    def clear(self) -> None:
        self._text = ""

    def _end(self) -> int | None:
        """Where the first complete sentence ends; None if there is none yet."""
        found = breaks(self._text[:_WINDOW_CHARS], self._language)
        for end in sorted(index for index, strength in found.items() if strength >= Break.SENTENCE):
            if (
                len(self._text[:end].strip()) >= _SHORT_CHARS
                and any(map(speakable, self._text[:end]))
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
        return any(map(str.isalnum, following)) or len(following.strip()) >= _CERTAIN_CHARS
