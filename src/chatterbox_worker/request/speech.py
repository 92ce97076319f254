"""A speech request with every default filled in, for this worker's models and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from chatterbox_worker.catalogue import NORMALIZED, REGIONS, ModelCard
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, WorkerError, choices, quote
from chatterbox_worker.request.actions import ConvertBody
from chatterbox_worker.request.audio_formats import chosen_format
from chatterbox_worker.request.check import one_source, require_seed
from chatterbox_worker.request.fields import (
    DEFAULT_ATTEMPTS,
    MAX_WORD_ERROR,
    SAMPLING,
    VOICES,
    Check,
    Emoji,
    LineBreaks,
    OnFail,
    PastTurn,
    SpeechBody,
    TextFormat,
    Timestamps,
    Trim,
)
from chatterbox_worker.request.language import Tag, parse_tag

_Error = TypeVar("_Error", bound=WorkerError)
_Voiced = TypeVar("_Voiced", SpeechBody, ConvertBody)


@dataclass(frozen=True, slots=True, eq=False)
class DialogueTurn:
    """One turn of a dialogue."""

    request: SpeechRequest
    """With the dialogue's own fields."""
    pause_s: float
    """The silence after it, in seconds at any speed."""
    place: str
    """Where it is in the request, for errors: "turns[3]" or "line 7"."""
    name: str | None = None
    """Who speaks; None if no name was given."""
    is_by_name: bool = False
    """Whether its voice is the one that the library has under the name in `request.voice`."""
    has_speaker: bool = False
    """Whether the request gives its speaker's number."""


def at_place(place: str, error: _Error) -> _Error:
    """The error, with the place of its turn: "turns[3]", or the line of a script."""
    placed = copy(error)
    placed.args = (f"{place}: {error.message}",)
    placed.message = f"{place}: {error.message}"
    placed.field = "text" if place.startswith("line") else place + (f".{error.field}" if error.field else "")
    return placed


@dataclass(frozen=True, slots=True, eq=False)
class SpeechRequest:
    """One text or one dialogue to be spoken, with every default filled in."""

    text: str
    """Trimmed, not yet normalised; of a dialogue all that is said."""
    card: ModelCard
    language: str
    """A code of `catalogue.LANGUAGES`, a regional tag whose pack this worker serves, or "auto"."""
    region: str
    """Where the text is from, for how it is read: "AR"; empty if it was not named."""
    voice: str | None
    """An id in the voice library or "default"; None if the request brings a recording."""
    reference_audio: str | None
    """Base64 or a data URI."""
    voice_url: str | None
    format: str
    sample_rate: int
    """Hertz."""
    speed: float
    seed: int | None
    sampling: Mapping[str, float]
    """Every parameter that the model's card lists, and no other."""
    sampling_as_given: Mapping[str, float]
    """The request's own, for a worker elsewhere, and for a default that depends on the voice."""
    split_text: bool
    chunk_size: int | None
    """Characters; None for the chunker's own default."""
    cache: bool
    reference_transcript: str | None = None
    """The words of the recording; a voice of the library may bring them itself."""
    speaker: int = 0
    """The number of the speaker, among those of `context`."""
    context: tuple[PastTurn, ...] = ()
    """Earlier turns, oldest first."""
    bitrate_kbps: int | None = None
    """Of mp3; None for the encoder's own, and for other formats."""
    max_chunk_s: float | None = None
    """A chunk that has not ended after so many seconds of audio is ended; None for the engine's own limit."""
    normalize: frozenset[str] = frozenset(NORMALIZED)
    """What is read otherwise than it is written: names of `catalogue.NORMALIZED`."""
    normalize_as_given: bool | Mapping[str, bool] | None = None
    """The request's own field, for a worker elsewhere, which has a setting of its own."""
    pronunciations: Mapping[str, str] = field(default_factory=dict)
    """From a word as it is written to what is read for it; more important than the lexicon and than `normalize`."""
    text_format: TextFormat = "plain"
    line_breaks: LineBreaks | None = None
    """None: "auto", or "join" where nothing is normalized."""
    emoji: Emoji = "drop"
    ssml_strict: bool = True
    timestamps: Timestamps = "chunk"
    """word: the answer says when each word is spoken."""
    pause_s: Mapping[str, float] = field(default_factory=dict)
    """Of `fields.PauseSeconds`, those that are given."""
    loudness_lufs: float | None = None
    """Of the whole, by ITU-R BS.1770-4; None for the voice's own."""
    gain_db: float = 0.0
    trim: Trim = "edges"
    respeak: tuple[int, ...] = ()
    """Indices of chunks that are spoken with other noise; an index may occur several times."""
    turns: tuple[DialogueTurn, ...] = ()
    """Of a dialogue; what the whole does not decide is in them, and the fields here are those of the first turn."""
    check: Check = "off"
    """How each chunk's take is judged."""
    check_as_given: Check | None = None
    """The request's own field: a stream is checked only if asked, and a worker elsewhere has its own default."""
    attempts: int = DEFAULT_ATTEMPTS
    """How often a chunk that does not pass is spoken, the first time included."""
    max_word_error: float = MAX_WORD_ERROR
    on_fail: OnFail = "warn"
    """error: a chunk of which no take passes fails the whole."""
    as_model: Callable[[str], Mapping[str, Any]] | None = None
    """The fields that differ for another model; None if the request named its model."""

    @property
    def tag(self) -> Tag:
        """What a request for the same language and region names."""
        return Tag(self.language if self.language == "auto" else self.language[:2], self.region)

    @property
    def model(self) -> str:
        return self.card.name

    def with_model(self, name: str) -> SpeechRequest:
        """The same request for this model, unless it named one itself.

        Raises:
            InvalidRequest: this worker does not serve that model, or it cannot use a field that was given.
        """
        return self if self.as_model is None else replace(self, **self.as_model(name))


def resolve_text(fields: SpeechBody, settings: Settings) -> SpeechRequest:
    """The request of one text with every default filled in. Raises InvalidRequest for what this worker cannot do."""
    text = _checked_text(fields.text, settings)
    fields = without_alias(fields, settings)
    chosen = _of_model(fields, settings, fields.model)
    audio_format = chosen_format(fields.format, fields.sample_rate, fields.bitrate_kbps)
    _refuse_contradictions(fields)
    voice = chosen_voice(fields)
    pauses_s = {} if fields.pause_s is None else fields.pause_s.given()
    if "turn" in pauses_s:
        raise InvalidRequest("pause_s.turn is the silence after a turn, and this text has no turns", field="pause_s")
    return SpeechRequest(
        text=text,
        **chosen,
        **voice,
        format=audio_format,
        sample_rate=fields.sample_rate,
        bitrate_kbps=fields.bitrate_kbps,
        speed=fields.speed,
        seed=fields.seed,
        split_text=fields.split_text,
        chunk_size=fields.chunk_size,
        cache=fields.cache,
        reference_transcript=fields.reference_transcript,
        speaker=fields.speaker,
        context=tuple(fields.context),
        max_chunk_s=fields.max_chunk_s,
        normalize=_normalized(fields.normalize, default=settings.normalize),
        normalize_as_given=fields.normalize,
        pronunciations=fields.pronunciations or {},
        text_format=fields.text_format,
        line_breaks=fields.line_breaks,
        emoji=fields.emoji,
        ssml_strict=fields.ssml_strict,
        timestamps=fields.timestamps,
        pause_s=pauses_s,
        loudness_lufs=fields.loudness_lufs,
        gain_db=fields.gain_db,
        trim=fields.trim,
        respeak=tuple(fields.respeak),
        **_checks(fields, settings),
        as_model=partial(_of_model, fields, settings) if fields.model is None else None,
    )


def _checked_text(given: str | None, settings: Settings) -> str:
    """The text, trimmed. Raises InvalidRequest for an empty or too long one."""
    text = (given or "").strip()
    if not text:
        raise InvalidRequest("text is empty", field="text")
    if len(text) > settings.max_text_chars:
        raise InvalidRequest(
            f"text has {len(text)} characters; this worker takes at most {settings.max_text_chars}", field="text"
        )
    return text


def _refuse_contradictions(fields: SpeechBody) -> None:
    """Raises InvalidRequest for fields that cannot be given together."""
    if fields.loudness_lufs is not None and fields.gain_db:
        raise InvalidRequest("loudness_lufs is the loudness of the result; leave gain_db out", field="gain_db")
    if fields.trim == "inner" and fields.timestamps == "word":
        raise InvalidRequest("trim inner moves words: use edges or none with timestamps word", field="trim")
    require_seed(fields.respeak, fields.seed)


def without_alias(fields: _Voiced, settings: Settings) -> _Voiced:
    """The fields with a voice's own name in place of another name that this worker has for it."""
    voice = settings.voice_aliases().get(fields.voice or "")
    return fields if voice is None else fields.model_copy(update={"voice": voice})


def chosen_voice(fields: SpeechBody | ConvertBody) -> dict[str, Any]:
    """The fields that choose the voice, "default" if none is given. Raises InvalidRequest for more than one."""
    given = {name: getattr(fields, name) for name in VOICES}
    one_source(**given)
    return given if any(given.values()) else given | {"voice": "default"}


def _of_model(fields: SpeechBody, settings: Settings, name: str | None) -> dict[str, Any]:
    """The fields that depend on the model; None for the worker's default."""
    card = served_card(name, settings)
    _refuse_unusable(fields, card, settings)
    language, region = _language(fields.language if "language" in fields.model_fields_set else None, card, settings)
    given = _sampling(fields, card)
    return {
        "card": card, "language": language, "region": region,
        "sampling": {**card.sampling, **given}, "sampling_as_given": given,
    }  # fmt: skip


def _checks(fields: SpeechBody, settings: Settings) -> dict[str, Any]:
    """How the takes are judged. Raises InvalidRequest for a field that would have no effect."""
    check = fields.check or settings.check
    useless = {"off": ("attempts", "max_word_error", "on_fail"), "sound": ("max_word_error",), "words": ()}[check]
    for name in useless:
        if getattr(fields, name) != SpeechBody.model_fields[name].default:  # clients that send all defaults may do so
            raise InvalidRequest(f"{name} has no effect with check {check}; leave it out", field=name)
    return {
        "check": check,
        "check_as_given": fields.check,
        "attempts": fields.attempts,
        "max_word_error": fields.max_word_error,
        "on_fail": fields.on_fail,
    }


def _normalized(given: bool | dict[str, bool] | None, *, default: bool) -> frozenset[str]:
    """What is normalized: an object changes the worker's own setting where it names something."""
    switches = given if isinstance(given, dict) else {}
    default = given if isinstance(given, bool) else default
    return frozenset(name for name in NORMALIZED if switches.get(name, default))


def _refuse_unusable(fields: SpeechBody, card: ModelCard, settings: Settings) -> None:
    """Raises InvalidRequest for a field that the model would ignore."""
    has_recording = bool(fields.reference_audio or fields.voice_url) or fields.voice not in (None, "default")
    unused = {
        "reference_transcript": fields.reference_transcript is not None and not card.needs_transcript,
        "context": bool(fields.context) and not card.uses_context,
        "speaker": fields.speaker != 0 and not card.uses_context,
    }
    for name, is_unused in unused.items():
        if is_unused:
            others = [model for model in settings.models if settings.cards[model].uses_context]
            only = f"; {choices(others)} can" if others else ""
            raise InvalidRequest(f"{card.name} cannot use {name}{only}", field=name)
    if fields.reference_transcript is not None and not has_recording:
        raise InvalidRequest(
            "reference_transcript is the transcript of a recording, but the request has none: add reference_audio, "
            "voice_url or a saved voice", field="reference_transcript",
        )  # fmt: skip
    if fields.max_chunk_s is not None and not fields.max_chunk_s <= (card.longest_chunk_s or 0.0):
        limit = "cannot use it" if card.longest_chunk_s is None else f"takes at most {card.longest_chunk_s:g}"
        raise InvalidRequest(f"max_chunk_s is {fields.max_chunk_s:g}, but {card.name} {limit}", field="max_chunk_s")


def served_card(model: str | None, settings: Settings) -> ModelCard:
    """The model of that name or alias; the worker's default for None. Raises InvalidRequest."""
    name = settings.models[0] if model is None else model.lower()
    aliases = settings.model_aliases()
    name = aliases.get(name, name)
    if name in settings.models:
        return settings.cards[name]
    exists = " exists, but" if name in settings.cards else " is unknown;"
    served = choices([*settings.models, *aliases])
    raise InvalidRequest(f"model {quote(model)}{exists} this worker serves {served}", field="model")


def _language(tag: str | None, card: ModelCard, settings: Settings) -> tuple[str, str]:
    """The language and the region of a request.

    `tag`: None if the request names none: English then, or what the model speaks instead.
    """
    if tag is None:
        tag = "en" if "en" in card.languages else "auto" if card.identifies_languages else card.languages[0]
    asked = parse_tag(tag)
    if asked.language == "auto":
        if len(card.languages) > 1 and not card.identifies_languages:
            raise InvalidRequest(
                f"{card.name} speaks languages that are not recognised in a text: choose {choices(card.languages)}",
                field="language",
            )
        return ("auto" if len(card.languages) > 1 else card.languages[0]), ""
    if asked.language not in settings.languages:
        raise InvalidRequest(
            f"language {quote(tag)} is unknown; known are {choices([*settings.languages, *REGIONS, 'auto'])}",
            field="language",
        )
    if asked.language not in card.languages:
        raise InvalidRequest(f"{card.name} speaks {choices(card.languages)}, not {quote(tag)}", field="language")
    pack = asked.pack_region(settings.packs) if card.name == "multilingual" else None
    return pack or asked.language, asked.region


def _sampling(fields: SpeechBody, card: ModelCard) -> dict[str, float]:
    """The parameters that are given. Raises InvalidRequest for one that the model does not have."""
    given = {name: value for name in SAMPLING if (value := getattr(fields, name)) is not None}
    for name in given:
        if name not in card.sampling:
            usable = f"it takes {choices(card.sampling)}" if card.sampling else "it takes no sampling parameters"
            raise InvalidRequest(f"{card.name} cannot use {name}; {usable}", field=name)
    return given
