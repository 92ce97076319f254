"""A transcript as the model reads it in training: as speech is given it, or as it is written."""

from __future__ import annotations

from chatterbox_worker.catalogue import NORMALIZED, ModelCard
from chatterbox_worker.text.normalise import clean, finish
from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.spoken.forms import add_spoken_forms


def read_transcript(text: str, language: str, card: ModelCard, *, in_words: bool) -> str:
    """What the tokenizer is given for a transcript, as one chunk; `in_words`: with numbers and the like in words.

    Raises:
        InvalidRequest: the text is blank or contains nothing to speak.
    """
    reading = as_written(clean(text), language[:2])
    if in_words:
        reading = add_spoken_forms(reading, frozenset(NORMALIZED), keeps_case=card.keeps_case)
    return finish(reading.spoken(0, len(reading.text)), card.punctuation)
