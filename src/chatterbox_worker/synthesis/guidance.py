"""Guidance where a text is in another language than the recording of its voice.

Chatterbox's authors write (README of chatterbox-tts 0.1.7, "Original Chatterbox Tips"): "Ensure that the reference clip
matches the specified language tag. Otherwise, language transfer outputs may inherit the accent of the reference clip's
language. To mitigate this, set `cfg_weight` to `0`." So that is the default there, for the models that their advice is
about: those with guidance and more than one language. A request's own value is more important.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatterbox_worker.errors import quote
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.voices.source import VoiceSource

UNGUIDED = {"cfg_weight": 0.0}


def is_unguided(request: SpeechRequest, source: VoiceSource, language: str) -> bool:
    """Whether a text in `language` is spoken without guidance because the voice is known to be in another."""
    card = request.card
    return (
        source.language not in (None, language)
        and len(card.languages) > 1
        and "cfg_weight" in card.sampling
        and "cfg_weight" not in request.sampling_as_given
    )


def describe_unguided(spoken: Iterable[tuple[VoiceSource, str]]) -> Iterator[str]:
    """A warning for each voice that is `spoken` without guidance in a language."""
    for (voice, own), languages in _by_voice(spoken).items():
        yield (
            f"voice {quote(voice)} is in {own} and the text in {' and '.join(languages)}: cfg_weight is 0 there, as "
            "Chatterbox's authors advise against a foreign accent; a cfg_weight in the request is used instead"
        )


def _by_voice(spoken: Iterable[tuple[VoiceSource, str]]) -> dict[tuple[str, str | None], dict[str, None]]:
    found: dict[tuple[str, str | None], dict[str, None]] = {}
    for source, language in spoken:
        found.setdefault((source.id, source.language), {})[language] = None
    return found
