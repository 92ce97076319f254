"""Characters of a text that its model has no token for: they are left out, and the answer says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from chatterbox_worker.catalogue import LANGUAGES, MODELS, ModelCard
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.text.chunk import Chunk
from chatterbox_worker.text.identify import language_of_script
from chatterbox_worker.text.scripts import speakable

LeftOut = Callable[[str, str], str]
"""From what a model is given and its language to the letters, digits and symbols of it that the model cannot speak."""

_MOST_NAMED = 10


def mark_left_out(chunks: Iterable[Chunk], left_out: LeftOut, card: ModelCard) -> tuple[Chunk, ...]:
    """The chunks, each with what of it the model cannot speak.

    Raises:
        InvalidRequest: that is all of a chunk.
    """
    marked = []
    for chunk in chunks:
        lost = left_out(chunk.spoken, chunk.language)
        require_tokens(chunk.spoken, lost, chunk.language, card)
        marked.append(replace(chunk, left_out=lost) if lost else chunk)
    return tuple(marked)


def require_tokens(spoken: str, left_out: str, language: str, card: ModelCard) -> None:
    """Raises InvalidRequest if no letter or digit of what the model is given remains."""
    letters = set(filter(speakable, spoken))
    if not letters or not letters.issubset(left_out):
        return
    message = f"{card.name} has no token for any letter of {quote(spoken)}"
    if (own := language_of_script(spoken)) not in (None, language[:2]):
        speakers = [other.name for other in MODELS.values() if own in other.languages]
        message += f'; for {LANGUAGES[own]} ask for language "{own}" of {choices(speakers)}'
    raise InvalidRequest(message, field="text")


def describe_left_out(chunks: Sequence[Chunk], card: ModelCard) -> tuple[str, ...]:
    """A warning that names what is left out of all chunks, if anything is."""
    found = list(dict.fromkeys(character for chunk in chunks for character in chunk.left_out))
    if not found:
        return ()
    named, others = found[:_MOST_NAMED], len(found) - _MOST_NAMED
    parts = [*named, f"{others} other characters"] if others > 1 else found
    *most, last = parts
    subject = f"{', '.join(most)} and {last} are" if most else f"{last} is"
    reason = f"{card.name} has no token for {'them' if most else 'it'}"
    advice = "ask for another model or language, or write the words otherwise with pronunciations"
    return (f"{subject} left out: {reason}; {advice}",)
