"""From the text of a request to the chunks that its model is given, for speech and for its preview alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import LONGEST_CHUNK_CHARS, SpeechRequest
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS, PAUSES_S, Chunk, Pause, chunks
from chatterbox_worker.text.identify import AUTO, identify_languages, main_language
from chatterbox_worker.text.left_out import LeftOut, describe_left_out, mark_left_out
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.markup import pauses
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.markup.read import pauses_of, read_text
from chatterbox_worker.text.normalise import finish
from chatterbox_worker.text.pronunciations import Pronunciations, add_pronunciations
from chatterbox_worker.text.reading import Reading
from chatterbox_worker.text.scripts import speakable
from chatterbox_worker.text.sounds import leave_out_sounds
from chatterbox_worker.text.spoken.forms import add_spoken_forms

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedText:
    reading: Reading
    chunks: tuple[Chunk, ...]
    """Their `spoken` is what the model's tokenizer is given."""
    language: str
    """The request's, or the one that most of the text is in."""
    pauses_s: Mapping[Pause, float]
    """The silence after a chunk by where it ends, in seconds at speed 1."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What of the text changes the sound or the answer, as parts of a cache key."""
        spans = [[span.start, span.end, span.spoken] for span in self.reading.spans]
        stretches = [
            [stretch.end, stretch.language, stretch.pause_s, stretch.voice, stretch.rate]
            for stretch in self.reading.stretches
        ]
        pauses = {pause.name: seconds for pause, seconds in self.pauses_s.items() if seconds != PAUSES_S[pause]}
        is_plain = len(stretches) == 1 and stretches[0][1:] == [self.language[:2], None, None, 1.0]
        return {
            "text": self.reading.text,
            **({"spans": spans} if spans else {}),
            **({} if is_plain else {"stretches": stretches}),
            **({"pauses": pauses} if pauses else {}),
        }


def is_silent(request: SpeechRequest) -> bool:
    """Whether there is nothing to speak in it, such as "..." or "[pause:1s]" for a pause. Raises InvalidRequest."""
    return request.text_format == "plain" and not any(map(speakable, pauses.without_pauses(break_tags(request.text))))


def prepare(request: SpeechRequest, lexicon: Lexicon | None = None, left_out: LeftOut | None = None) -> PreparedText:
    """`lexicon` is that of the volume; `left_out` that of the loaded model, if it is.

    Raises:
        InvalidRequest: the text contains nothing to speak, or is too long for one chunk and must not be split, or the
            model has no tokens for a chunk of it.
    """
    card = request.card
    reading = identify_languages(read_text(request), card.languages)
    reading = add_pronunciations(reading, _pronunciations(request, lexicon))
    reading = leave_out_sounds(reading, card) if "tags" in request.normalize else reading
    reading = _with_spoken_forms(reading, request)
    length = len(reading.spoken(0, len(reading.text)))
    if not request.split_text and length > LONGEST_CHUNK_CHARS:
        raise InvalidRequest(
            f"split_text is false, but text has {length} characters as it is read and a model speaks at most "
            f"{LONGEST_CHUNK_CHARS} at once",
            field="split_text",
        )
    limit = (request.chunk_size or DEFAULT_CHUNK_CHARS) if request.split_text else LONGEST_CHUNK_CHARS
    cut = tuple(replace(chunk, spoken=finish(chunk.spoken, card.punctuation)) for chunk in chunks(reading, limit))
    if left_out is not None:
        cut = mark_left_out(cut, left_out, card)
        reading = replace(reading, warnings=(*reading.warnings, *describe_left_out(cut, card)))
    language = main_language(reading.stretches) if request.language == AUTO else request.language
    return PreparedText(reading, cut, language, pauses_of(request))


def _with_spoken_forms(reading: Reading, request: SpeechRequest) -> Reading:
    """With a warning in their place if a recogniser fails: its fault must not cost the request."""
    try:
        return add_spoken_forms(reading, request.normalize, keeps_case=request.card.keeps_case)
    except Exception:  # noqa: BLE001 - whatever it is, the text can be spoken as it is written
        _log.exception("numbers and abbreviations of a text could not be read")
        warning = "an internal error: numbers, abbreviations and symbols of the text are left as written"
        return replace(reading, warnings=(*reading.warnings, warning))


def _pronunciations(request: SpeechRequest, lexicon: Lexicon | None) -> list[Callable[[str], Pronunciations]]:
    """The request's own, in every language, and then those of the lexicon."""
    own = Pronunciations(request.pronunciations)
    sources: list[Callable[[str], Pronunciations]] = [lambda _: own] if request.pronunciations else []
    return [*sources, lexicon.entries_for] if lexicon is not None and "lexicon" in request.normalize else sources
