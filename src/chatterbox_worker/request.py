"""What a caller may ask, parsed and checked in one place for every edge.

`parse` is pure: it takes the JSON that arrived and the process's `Settings` and returns one frozen request in which
every default is filled in, or raises `InvalidRequest` naming the field, the value and the choices. Every field is
honoured or refused; none is accepted and ignored. Nothing is decoded or fetched here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatterbox_worker.catalogue import FORMATS, LANGUAGES, MODELS, REGIONS, SAMPLE_RATES, ModelCard
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices, quote

ALIASES: Mapping[str, str] = {
    "prompt": "text",
    "model_type": "model",
    "language_id": "language",
    "audio_prompt": "reference_audio",
}
VOICES = ("voice", "reference_audio", "voice_url")
"""Ways to say whose voice; a request has one of them at most."""
OF_A_VOICE = (*VOICES, "reference_transcript")
"""What goes with a voice: whoever names another one leaves all of it behind."""
SAMPLING = ("temperature", "exaggeration", "cfg_weight", "repetition_penalty", "top_p", "min_p", "top_k")
VOICE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
LONGEST_CHUNK_CHARS = 500  # past about 300 characters the model drifts (upstream #424, #385); nobody should go further
LONGEST_TRANSCRIPT_CHARS = 2_000  # about two minutes of speech; the one model that reads it hears less
MOST_CONTEXT_TURNS = 16
MOST_SPEAKERS = 100
_BY_SIZE = (
    "wav",
    "flac",
    "opus",
    "mp3",
)  # of "auto", largest first but for mp3, which is for the rates that opus has not
# 25 MB of audio in base64 (4 characters for 3 bytes) and room for a data URI's head
LONGEST_REFERENCE_CHARS = 25_000_000 * 4 // 3 + 1024

_Model = Annotated[str, Field(min_length=1, max_length=64)]
_VoiceId = Annotated[str, Field(pattern=VOICE_ID)]
_Reference = Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE_CHARS)]
_SHAPES = {"voice": "an id of letters, digits, '.', '_' and '-'", "voice_url": "an http or https URL"}
_Transcript = Annotated[str, Field(min_length=1, max_length=LONGEST_TRANSCRIPT_CHARS)]
_Speaker = Annotated[int, Field(ge=0, le=MOST_SPEAKERS - 1)]
_Url = Annotated[str, Field(pattern=r"(?i)^https?://\S+$", max_length=2048)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class PastTurn(_Body):
    """Something that was said before."""

    text: _Transcript
    audio: _Reference
    """Base64 or a data URI."""
    speaker: _Speaker = 0


class _Speak(_Body):
    """The fields of a `speak` job as they arrive; the ranges are the documented ones."""

    action: Literal["speak"] = "speak"
    text: str
    model: _Model | None = None
    language: str = "en"
    voice: _VoiceId | None = None
    reference_audio: _Reference | None = None
    voice_url: _Url | None = None
    reference_transcript: _Transcript | None = None
    speaker: _Speaker = 0
    context: Annotated[list[PastTurn], Field(max_length=MOST_CONTEXT_TURNS)] = []
    format: str = "wav"
    sample_rate: int = 24_000
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    exaggeration: Annotated[float, Field(ge=0.25, le=2)] | None = None
    cfg_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2000)] | None = None
    split_text: bool = True
    chunk_size: Annotated[int, Field(ge=50, le=LONGEST_CHUNK_CHARS)] | None = None
    max_chunk_s: Annotated[float, Field(ge=0.5, le=90)] | None = None
    cache: bool = True
    output: Literal["auto", "inline", "s3", "volume"] = "auto"


class InfoRequest(_Body):
    """What is this worker, what does it serve, how is it doing."""

    action: Literal["info"]


class ListVoicesRequest(_Body):
    action: Literal["voices.list"]


class SaveVoiceRequest(_Body):
    action: Literal["voices.save"]
    voice: _VoiceId
    reference_audio: _Reference | None = None
    voice_url: _Url | None = None
    reference_transcript: _Transcript | None = None


class ExportVoiceRequest(_Body):
    action: Literal["voices.export"]
    voice: _VoiceId


class DeleteVoiceRequest(_Body):
    action: Literal["voices.delete"]
    voice: _VoiceId


@dataclass(frozen=True, slots=True, eq=False)
class SpeechRequest:
    """One text to be spoken, every choice made."""

    text: str
    """Trimmed, not yet normalised."""
    model: str
    language: str
    """A code of `catalogue.LANGUAGES`, or a regional tag whose pack this worker serves."""
    voice: str | None
    """An id in the voice library or "default"; None when a recording came along."""
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
    split_text: bool
    chunk_size: int | None
    """Characters; None leaves the choice to the text room."""
    cache: bool
    as_url: bool = False
    """Answer with a data URI: the request came in the shape of RunPod's public endpoint."""
    output: str = "auto"
    """How a queue worker's answer goes back: "inline", "s3", "volume", or "auto" for the first that fits."""
    reference_transcript: str | None = None
    """The words of the recording, of the library's or the one that came along; the library may know them itself."""
    speaker: int = 0
    """Who speaks, among those of `context`."""
    context: tuple[PastTurn, ...] = ()
    """What was said before, oldest first."""
    max_chunk_s: float | None = None
    """A chunk that has not ended after so many seconds of sound is ended; None leaves it to the engine."""
    smaller_formats: tuple[str, ...] = ()
    """What a queue worker may send in place of `format` where that would not fit, in order: the format was "auto"."""
    as_model: Callable[[str], Mapping[str, Any]] | None = None
    """The fields that would differ had it named this model; None where it named one itself."""

    def with_model(self, name: str) -> SpeechRequest:
        """The request as if it had named this model, unless it named one itself.

        Raises:
            InvalidRequest: this worker does not serve that model, or it cannot use a field that was given.
        """
        return self if self.as_model is None else replace(self, **self.as_model(name))


Request = SpeechRequest | InfoRequest | ListVoicesRequest | SaveVoiceRequest | ExportVoiceRequest | DeleteVoiceRequest

_ACTIONS: Mapping[str, type[_Body]] = {
    "speak": _Speak,
    "info": InfoRequest,
    "voices.list": ListVoicesRequest,
    "voices.save": SaveVoiceRequest,
    "voices.export": ExportVoiceRequest,
    "voices.delete": DeleteVoiceRequest,
}


def parse(body: object, settings: Settings) -> Request:
    """The request that `body`, a job's `input`, asks for.

    Raises:
        InvalidRequest: names the field, the value and the choices.
    """
    if not isinstance(body, dict):
        raise InvalidRequest(f"input must be a JSON object, not {quote(body)}", field="input")
    action = body.get("action", "speak")
    if not isinstance(action, str) or action not in _ACTIONS:
        raise InvalidRequest(f"action must be {choices(_ACTIONS)}, not {quote(action)}", field="action")
    checked = _check(_ACTIONS[action], _without_aliases(body))
    if isinstance(checked, _Speak | SaveVoiceRequest):
        transcript(checked.reference_transcript)
    if isinstance(checked, SaveVoiceRequest):
        _one_source(reference_audio=checked.reference_audio, voice_url=checked.voice_url, required=True)
    if isinstance(checked, _Speak):
        return _speech(checked, settings, as_url="prompt" in body)
    return checked  # type: ignore[return-value]  # the table holds no other class


def fields_of(body: Mapping[str, Any], *, has_text: bool = True) -> dict[str, Any]:
    """The fields of a speech request under their own names, each known and in its range; without a text, the defaults of many.

    What depends on a worker's settings, or on several fields together, is left to `parse`. Raises InvalidRequest.
    """
    fields = _without_aliases(body)
    if not has_text and "text" in fields:
        raise InvalidRequest("every text has its own place; leave this one out", field="text")
    _check(_Speak, fields if has_text else {**fields, "text": ""})
    return fields


def with_defaults(own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says for itself, over what it shares with others; its own voice, of whatever kind, over theirs."""
    own, shared = _without_aliases(own), _without_aliases(shared)
    has_voice = not own.keys().isdisjoint(VOICES)
    return {name: value for name, value in shared.items() if not (has_voice and name in OF_A_VOICE)} | own


def _without_aliases(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(body)
    for alias, name in ALIASES.items():
        if alias in fields:
            if name in fields:
                raise InvalidRequest(f"give {name} or its alias {alias}, not both", field=alias)
            fields[name] = fields.pop(alias)
    return fields


def _check(shape: type[_Body], fields: Mapping[str, Any]) -> _Body:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        # an unknown field first: it is the likely reason for a missing one
        first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        name = _place(first["loc"])
        if first["type"] == "missing":
            raise InvalidRequest(f"{name} is required", field=name) from None
        if first["type"] == "extra_forbidden":
            if len(first["loc"]) > 1:
                shape = PastTurn  # the one shape within a shape
            known = sorted({*shape.model_fields, *(ALIASES if shape is _Speak else ())})
            raise InvalidRequest(
                f"unknown field {quote(name)}; known fields are {choices(known)}", field=name
            ) from None
        if first["type"] == "string_pattern_mismatch":
            raise InvalidRequest(f"{name} must be {_SHAPES[name]}, not {quote(first['input'])}", field=name) from None
        reason = first["msg"][0].lower() + first["msg"][1:]
        raise InvalidRequest(f"{name}: {reason}, not {quote(first['input'])}", field=name) from None


def _place(loc: tuple[str | int, ...]) -> str:
    """("context", 0, "text") → "context[0].text"."""
    if not loc:
        return "input"
    first, *rest = loc
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def transcript(words: str | None) -> str | None:
    """The words of a recording as they came, if there are any; raises InvalidRequest."""
    if words is not None and not 0 < len(words.strip()) <= len(words) <= LONGEST_TRANSCRIPT_CHARS:
        raise InvalidRequest(
            f"reference_transcript must have 1 to {LONGEST_TRANSCRIPT_CHARS} characters, not {len(words.strip())}",
            field="reference_transcript",
        )
    return words


def _speech(fields: _Speak, settings: Settings, *, as_url: bool) -> SpeechRequest:
    text = fields.text.strip()
    if not text:
        raise InvalidRequest("text is empty", field="text")
    if len(text) > settings.max_text_chars:
        raise InvalidRequest(
            f"text has {len(text)} characters; this worker takes at most {settings.max_text_chars}", field="text"
        )
    chosen = _of_model(fields, settings, fields.model)
    format_, *smaller = _formats(fields.format, fields.sample_rate)
    _one_source(voice=fields.voice, reference_audio=fields.reference_audio, voice_url=fields.voice_url)
    reference = fields.reference_audio is not None or fields.voice_url is not None
    return SpeechRequest(
        text=text,
        **chosen,
        voice=None if reference else fields.voice or "default",
        reference_audio=fields.reference_audio,
        voice_url=fields.voice_url,
        format=format_,
        sample_rate=fields.sample_rate,
        speed=fields.speed,
        seed=fields.seed,
        split_text=fields.split_text,
        chunk_size=fields.chunk_size,
        cache=fields.cache,
        as_url=as_url,
        output=fields.output,
        reference_transcript=fields.reference_transcript,
        speaker=fields.speaker,
        context=tuple(fields.context),
        max_chunk_s=fields.max_chunk_s,
        smaller_formats=tuple(smaller),
        as_model=partial(_of_model, fields, settings) if fields.model is None else None,
    )


def _of_model(fields: _Speak, settings: Settings, name: str | None) -> dict[str, Any]:
    """What depends on the model; None for the worker's default."""
    card = _card(name, settings)
    _usable(fields, card, settings)
    language = _language(fields.language, card, settings)
    return {"model": card.name, "language": language, "sampling": _sampling(fields, card)}


def _usable(fields: _Speak, card: ModelCard, settings: Settings) -> None:
    """Refuse what the model would ignore."""
    has_recording = bool(fields.reference_audio or fields.voice_url) or fields.voice not in (None, "default")
    unused = {
        "reference_transcript": fields.reference_transcript is not None and not card.needs_transcript,
        "context": bool(fields.context) and not card.uses_context,
        "speaker": "speaker" in fields.model_fields_set and not card.uses_context,
    }
    for name, is_unused in unused.items():
        if is_unused:
            others = [model for model in settings.models if MODELS[model].uses_context]
            only = f"; {choices(others)} can" if others else ""
            raise InvalidRequest(f"{card.name} cannot use {name}{only}", field=name)
    if fields.reference_transcript is not None and not has_recording:
        raise InvalidRequest(
            "reference_transcript has the words of a recording, and there is none: give reference_audio, voice_url or "
            "the voice of one", field="reference_transcript",
        )  # fmt: skip
    if fields.max_chunk_s is not None and not fields.max_chunk_s <= (card.longest_chunk_s or 0.0):
        most = "does not go by it" if card.longest_chunk_s is None else f"takes at most {card.longest_chunk_s:g}"
        raise InvalidRequest(f"max_chunk_s is {fields.max_chunk_s:g}, but {card.name} {most}", field="max_chunk_s")


def _card(model: str | None, settings: Settings) -> ModelCard:
    name = settings.models[0] if model is None else model.lower()
    if name in settings.models:
        return MODELS[name]
    exists = " exists, but" if name in MODELS else " is unknown;"
    raise InvalidRequest(f"model {quote(model)}{exists} this worker serves {choices(settings.models)}", field="model")


def _one_source(*, required: bool = False, **sources: str | None) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise InvalidRequest(f"give one of {choices(sources)}, not both {' and '.join(given)}", field=given[1])
    if required and not given:
        raise InvalidRequest(f"{choices(sources)} is required", field=next(iter(sources)))


def _language(tag: str, card: ModelCard, settings: Settings) -> str:
    lowered = tag.strip().replace("_", "-").lower()
    region = next((known for known in REGIONS if known.lower() == lowered), None)
    language = lowered if region is None else region[:2].lower()
    if language not in LANGUAGES:
        raise InvalidRequest(
            f"language {quote(tag)} is unknown; known are {choices([*LANGUAGES, *REGIONS])}", field="language"
        )
    if language not in card.languages:
        raise InvalidRequest(f"{card.name} speaks {choices(card.languages)}, not {quote(tag)}", field="language")
    served = region is not None and card.name == "multilingual" and REGIONS[region] in settings.packs
    return region if region is not None and served else language


def _formats(name: str, rate: int) -> list[str]:
    """The format asked for; for "auto", wav and then what is smaller, as far as it has the rate."""
    if name.lower() not in (*FORMATS, "auto"):
        raise InvalidRequest(f"format must be {choices([*FORMATS, 'auto'])}, not {quote(name)}", field="format")
    if rate not in SAMPLE_RATES:
        raise InvalidRequest(f"sample_rate must be {choices(SAMPLE_RATES)}, not {quote(rate)}", field="sample_rate")
    if name.lower() == "auto":
        return [known for known in _BY_SIZE if rate in FORMATS[known].sample_rates]
    if rate not in (allowed := FORMATS[name.lower()].sample_rates):
        raise InvalidRequest(f"{name.lower()} has no {rate} Hz; it takes {choices(allowed)}", field="sample_rate")
    return [name.lower()]


def _sampling(fields: _Speak, card: ModelCard) -> dict[str, float]:
    sampling = dict(card.sampling)
    for name in SAMPLING:
        value = getattr(fields, name)
        if value is None:
            continue
        if name not in sampling:
            usable = f"it takes {choices(sampling)}" if sampling else "it takes no sampling parameters"
            raise InvalidRequest(f"{card.name} cannot use {name}; {usable}", field=name)
        sampling[name] = value
    return sampling


def openai_speech(body: object) -> dict[str, Any]:
    """The fields that `parse` takes, from the body of OpenAI's `POST /v1/audio/speech`.

    Our own fields may stand beside OpenAI's. Raises InvalidRequest for one that cannot be honoured.
    """
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {quote(body)}", field="openai_input")
    fields = dict(body)
    if fields.pop("instructions", None):
        raise InvalidRequest("instructions cannot be honoured: no Chatterbox model follows them", field="instructions")
    if (stream := fields.pop("stream_format", None)) not in (None, "audio"):
        raise InvalidRequest(f"stream_format must be audio here, not {quote(stream)}", field="stream_format")
    renamed = {("text" if name == "input" else "format" if name == "response_format" else name): value
               for name, value in fields.items()}  # fmt: skip
    if len(renamed) != len(fields):
        raise InvalidRequest("give input or text, response_format or format, not both", field="input")
    return {"format": "mp3"} | renamed  # mp3 is OpenAI's default
