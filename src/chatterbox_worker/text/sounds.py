"""Tags of sounds, such as [laugh]: a model that does not make the sound would read the word, so it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chatterbox_worker.catalogue import MODELS, ModelCard
from chatterbox_worker.errors import choices
from chatterbox_worker.text.reading import Reading, Span
from chatterbox_worker.text.scripts import tags

# What people write for the sounds that models make, and for others that none makes. Anything else in square brackets
# is text: "[sic]", "[he laughed]".
_FORMS = (
    "laugh laughs laughing laughter chuckle chuckles chuckling cough coughs coughing sigh sighs sighing gasp gasps "
    "gasping sniff sniffs sniffing sniffle sniffles groan groans groaning shush shushes shushing giggle giggles "
    "giggling breath breathe breathes breathing inhale inhales exhale exhales yawn yawns yawning cry cries crying sob "
    "sobs sobbing scream screams screaming whistle whistles whistling hum hums humming gulp gulps snort snorts hiccup "
    "hiccups sneeze sneezes sneezing moan moans moaning pant pants panting"
)
# The others of the 19 tokens that turbo and nano have for how something is said. Whether they have an effect there is
# disputed (upstream #557, #492), so they stay in those models' texts.
_DELIVERIES = (
    "angry", "fear", "surprised", "whispering", "advertisement", "dramatic", "narration", "crying", "happy",
    "sarcastic",
)  # fmt: skip
_SOUNDS = frozenset({*_FORMS.split(), "clear throat", "clears throat", "clearing throat", *_DELIVERIES})


def leave_out_sounds(reading: Reading, card: ModelCard) -> Reading:
    """The reading without the tags of sounds that the model does not make, with a warning for each kind."""
    made = {*card.tags, *(_DELIVERIES if card.tags else ())}
    found: list[Span] = []
    warnings: dict[str, str] = {}
    for start, end in _sounds(reading.text):
        name = reading.text[start + 1 : end - 1].lower()
        if any(span.end > start for span in reading.spans_in(0, end)[-1:]):
            continue
        if name not in made:
            found.append(Span(start, end, ""))
            warnings[name] = _warning(name, card)
        elif reading.text[start:end] != f"[{name}]":  # a token in small letters
            found.append(Span(start, end, f"[{name}]"))
    if not found:
        return reading
    spans = sorted([*reading.spans, *found], key=lambda span: span.start)
    return replace(reading, spans=tuple(spans), warnings=(*reading.warnings, *warnings.values()))


def _sounds(text: str) -> Iterator[tuple[int, int]]:
    return ((start, end) for start, end in tags(text) if text[start + 1 : end - 1].lower() in _SOUNDS)


def _warning(name: str, card: ModelCard) -> str:
    others = [other.name for other in MODELS.values() if name in other.tags]
    if card.tags:
        who = f"it makes {choices(card.tags)}"
    elif others:
        who = f"{choices(others)} can"
    else:
        who = "no model does"
    return f"[{name}] is left out: {card.name} does not make that sound; {who}"
