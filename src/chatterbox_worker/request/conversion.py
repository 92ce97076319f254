"""A request to convert recorded speech to another voice, with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass

from chatterbox_worker.catalogue import ModelCard
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.request.actions import ConvertBody
from chatterbox_worker.request.audio_formats import chosen_format
from chatterbox_worker.request.check import one_source
from chatterbox_worker.request.speech import chosen_voice, served_card, without_alias


@dataclass(frozen=True, slots=True, eq=False)
class ConversionRequest:
    """One recording to be said by another voice."""

    audio: str | bytes | None
    """Base64 or a data URI, or the bytes of a file that was uploaded."""
    audio_url: str | None
    card: ModelCard
    voice: str | None
    """An id in the voice library or "default"; None if the request brings a recording of the voice."""
    reference_audio: str | None
    """Base64 or a data URI."""
    voice_url: str | None
    format: str
    sample_rate: int
    """Hertz."""
    bitrate_kbps: int | None
    """Of mp3; None for the encoder's own, and for other formats."""
    seed: int | None
    cache: bool
    reference_transcript: None = None
    """No model needs it to convert."""

    @property
    def model(self) -> str:
        return self.card.name

    @property
    def text(self) -> str:
        """Empty: no character is read."""
        return ""


def resolve_conversion(fields: ConvertBody, settings: Settings, upload: bytes | None = None) -> ConversionRequest:
    """The request; `upload` is a file that came in the place of `audio`.

    Raises:
        InvalidRequest: names the field, the value and the choices.
    """
    given = fields.audio if upload is None else "a file"
    one_source(audio=given, audio_url=fields.audio_url, required=True)
    voice = chosen_voice(without_alias(fields, settings))
    audio_format = chosen_format(fields.format, fields.sample_rate, fields.bitrate_kbps)
    return ConversionRequest(
        audio=fields.audio if upload is None else upload,
        audio_url=fields.audio_url,
        card=_card(fields.model, settings),
        **voice,
        format=audio_format,
        sample_rate=fields.sample_rate,
        bitrate_kbps=fields.bitrate_kbps,
        seed=fields.seed,
        cache=fields.cache,
    )


def _card(name: str | None, settings: Settings) -> ModelCard:
    """The named model, or the first that can convert. Raises InvalidRequest for one that cannot."""
    able = [card for model in settings.models if (card := settings.cards[model]).converts_speech]
    if name is None and able:
        return able[0]
    card = served_card(name, settings)
    if card.converts_speech:
        return card
    can = [each.name for each in able or settings.cards.values() if each.converts_speech]
    where = "" if able else ", and this worker serves none of them"
    raise InvalidRequest(
        f"{card.name} cannot convert speech to another voice; {choices(can)} can{where}", field="model"
    )
