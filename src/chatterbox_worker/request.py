"""Speech requests and actions, parsed and checked in one place for every edge.

`parse` is pure: it takes the JSON that arrived and the process's `Settings` and returns one frozen request in which
every default is filled in, or raises `InvalidRequest` naming the field, the value and the choices. Every field is
honoured or refused; none is accepted and ignored. Nothing is decoded or fetched here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from chatterbox_worker.catalogue import (
    FORMATS,
    LANGUAGES,
    MODELS,
    MP3_KBPS,
    NORMALIZED,
    REGIONS,
    SAMPLE_RATES,
    ModelCard,
)
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices, quote

ALIASES: Mapping[str, str] = {
    "prompt": "text",
    "model_type": "model",
    "language_id": "language",
    "audio_prompt": "reference_audio",
}
VOICES = ("voice", "reference_audio", "voice_url")
"""The fields that choose a voice; a request has one of them at most."""
OF_A_VOICE = (*VOICES, "reference_transcript")
"""The fields that belong to a voice: a request with a voice of its own takes none of them from shared defaults."""
SAMPLING = ("temperature", "exaggeration", "cfg_weight", "repetition_penalty", "top_p", "min_p", "top_k")
VOICE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
LONGEST_VOICE_NAME = 100  # characters of the name that a voice is shown under
LONGEST_CHUNK_CHARS = 500  # past about 300 characters the model drifts (upstream #424, #385)
LONGEST_TRANSCRIPT_CHARS = 2_000  # about two minutes of speech, more than the one model that uses it can take
MOST_CONTEXT_TURNS = 16
MOST_SPEAKERS = 100
# The formats of "auto", largest first; mp3 comes last because it is for the rates that opus does not have.
_BY_SIZE = ("wav", "flac", "opus", "mp3")
# 25 MB of audio in base64 (4 characters for 3 bytes) and the head of a data URI
LONGEST_REFERENCE_CHARS = 25_000_000 * 4 // 3 + 1024

_Model = Annotated[str, Field(min_length=1, max_length=64)]
_VoiceId = Annotated[str, Field(pattern=VOICE_ID)]
_OutputPath = Annotated[str, Field(min_length=1, max_length=4096)]
_Reference = Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE_CHARS)]
_SHAPES = {"voice": "an id of letters, digits, '.', '_' and '-'", "voice_url": "an http or https URL"}
_Transcript = Annotated[str, Field(min_length=1, max_length=LONGEST_TRANSCRIPT_CHARS)]
_SpeakerNumber = Annotated[int, Field(ge=0, le=MOST_SPEAKERS - 1)]
_Url = Annotated[str, Field(pattern=r"(?i)^https?://\S+$", max_length=2048)]


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are given: null is the same as leaving a field out, in every object of every edge."""
    return {name: value for name, value in fields.items() if value is not None}


def _check_normalize(value: object) -> object:
    """Raises InvalidRequest for anything but None, a boolean, or an object with booleans under the known names."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise InvalidRequest(f"normalize must be true, false or an object, not {quote(value)}", field="normalize")
    value = without_nulls(value)
    for name, switch in value.items():
        field = f"normalize.{name}"
        if name not in NORMALIZED:
            raise InvalidRequest(f"unknown field {quote(field)}; known are {choices(NORMALIZED)}", field=field)
        if not isinstance(switch, bool):
            raise InvalidRequest(f"{field} must be true or false, not {quote(switch)}", field=field)
    return value


_Normalize = Annotated[
    bool | dict[str, bool] | None,
    BeforeValidator(_check_normalize),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {
                    "type": "object",
                    "properties": {name: {"type": "boolean"} for name in NORMALIZED},
                    "additionalProperties": False,
                },
                {"type": "null"},
            ],
        }
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, fields: Any) -> Any:
        return without_nulls(fields) if isinstance(fields, dict) else fields


class PastTurn(_Body):
    """An earlier turn of the conversation."""

    text: _Transcript
    audio: _Reference
    """Base64 or a data URI."""
    speaker: _SpeakerNumber = 0


class SpeechBody(_Body):
    """The fields of a speech request as they arrive; the ranges are the documented ones. The one list of them."""

    action: Literal["speak"] = "speak"
    text: str
    model: _Model | None = None
    language: str = "en"
    voice: _VoiceId | None = None
    reference_audio: _Reference | None = None
    voice_url: _Url | None = None
    reference_transcript: _Transcript | None = None
    speaker: _SpeakerNumber = 0
    context: Annotated[list[PastTurn], Field(max_length=MOST_CONTEXT_TURNS)] = []
    format: str = "wav"
    sample_rate: int = 24_000
    bitrate_kbps: Annotated[int, Field(ge=8, le=320)] | None = None
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    exaggeration: Annotated[float, Field(ge=0, le=2)] | None = None
    cfg_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2000)] | None = None
    split_text: bool = True
    chunk_size: Annotated[int, Field(ge=50, le=LONGEST_CHUNK_CHARS)] | None = None
    max_chunk_s: Annotated[float, Field(ge=0.5, le=90)] | None = None
    normalize: _Normalize = None
    cache: bool = True


class InfoRequest(_Body):
    """What is this worker, what does it serve, how is it doing."""

    action: Literal["info"]


class ListVoicesRequest(_Body):
    action: Literal["voices.list"]


class TextPreviewRequest(_Body):
    """How the text of a speech request would be read, in which chunks; nothing is spoken."""

    action: Literal["text.preview"]
    speech: SpeechBody


class SaveVoiceRequest(_Body):
    action: Literal["voices.save"]
    voice: Annotated[str, Field(min_length=1, max_length=LONGEST_VOICE_NAME)]
    """An id, or a name from which `voices.names` makes one."""
    reference_audio: _Reference | None = None
    voice_url: _Url | None = None
    reference_transcript: _Transcript | None = None


class ExportVoiceRequest(_Body):
    action: Literal["voices.export"]
    voice: _VoiceId


class DeleteVoiceRequest(_Body):
    action: Literal["voices.delete"]
    voice: _VoiceId


class ListModelsRequest(_Body):
    """The models in the shape of OpenAI's `GET /v1/models`."""

    action: Literal["models.list"]


class ListOutputsRequest(_Body):
    """The large answers on the volume."""

    action: Literal["outputs.list"]


class GetOutputRequest(_Body):
    action: Literal["outputs.get"]
    path: _OutputPath
    offset: Annotated[int, Field(ge=0)] = 0


class DeleteOutputRequest(_Body):
    action: Literal["outputs.delete"]
    path: _OutputPath


@dataclass(frozen=True, slots=True, eq=False)
class SpeechRequest:
    """One text to be spoken, with every default filled in."""

    text: str
    """Trimmed, not yet normalised."""
    model: str
    language: str
    """A code of `catalogue.LANGUAGES`, or a regional tag whose pack this worker serves."""
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
    as_model: Callable[[str], Mapping[str, Any]] | None = None
    """The fields that differ for another model; None if the request named its model."""

    def with_model(self, name: str) -> SpeechRequest:
        """The same request for this model, unless it named one itself.

        Raises:
            InvalidRequest: this worker does not serve that model, or it cannot use a field that was given.
        """
        return self if self.as_model is None else replace(self, **self.as_model(name))


Action = (
    InfoRequest
    | TextPreviewRequest
    | ListModelsRequest
    | ListVoicesRequest
    | SaveVoiceRequest
    | ExportVoiceRequest
    | DeleteVoiceRequest
    | ListOutputsRequest
    | GetOutputRequest
    | DeleteOutputRequest
)
Request = SpeechRequest | Action

_ACTIONS: Mapping[str, type[Action]] = {
    "info": InfoRequest,
    "text.preview": TextPreviewRequest,
    "models.list": ListModelsRequest,
    "voices.list": ListVoicesRequest,
    "voices.save": SaveVoiceRequest,
    "voices.export": ExportVoiceRequest,
    "voices.delete": DeleteVoiceRequest,
    "outputs.list": ListOutputsRequest,
    "outputs.get": GetOutputRequest,
    "outputs.delete": DeleteOutputRequest,
}
_Fields = TypeVar("_Fields", bound=SpeechBody)


def parse(body: object, settings: Settings) -> Request:
    """The request in `body`, our own fields as JSON.

    Raises:
        InvalidRequest: names the field, the value and the choices.
    """
    fields = validate(body, SpeechBody)
    return resolve(fields, settings) if isinstance(fields, SpeechBody) else fields


def refuse_alias(voice: str, settings: Settings, *, field: str) -> None:
    """Raises InvalidRequest for the id of a new voice that requests could not reach."""
    if (target := settings.voice_aliases().get(voice)) is not None:
        raise InvalidRequest(
            f"voice {quote(voice)} is another name of {quote(target)} here; choose another", field=field
        )


def validate(body: object, shape: type[_Fields]) -> _Fields | Action:
    """The fields of `body`, each known and in its range; a speech request's as a `shape`. Raises InvalidRequest."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"input must be a JSON object, not {quote(body)}", field="input")
    action = "speak" if body.get("action") is None else body["action"]
    if not isinstance(action, str) or action not in ("speak", *_ACTIONS):
        raise InvalidRequest(f"action must be {choices(['speak', *_ACTIONS])}, not {quote(action)}", field="action")
    fields = _without_aliases(body)
    if action == "speak":
        speech = _check(shape, fields)
        transcript(speech.reference_transcript)
        return speech
    if action == "text.preview":
        own = {name: value for name, value in fields.items() if name != "action"}
        return TextPreviewRequest(action="text.preview", speech=_check(SpeechBody, own))
    checked = _check(_ACTIONS[action], fields)
    if isinstance(checked, SaveVoiceRequest):
        transcript(checked.reference_transcript)
        _one_source(reference_audio=checked.reference_audio, voice_url=checked.voice_url, required=True)
    return checked


def fields_of(
    body: Mapping[str, Any], shape: type[SpeechBody] = SpeechBody, *, has_text: bool = True
) -> dict[str, Any]:
    """The fields of a speech request under their own names, each known and in its range.

    Without a text they are the defaults of several requests. What depends on a worker's settings, or on several fields
    together, is left to `parse`. Raises InvalidRequest.
    """
    fields = _without_aliases(body)
    if not has_text and "text" in fields:
        raise InvalidRequest("each text is given in its own entry; leave this one out", field="text")
    _check(shape, fields if has_text else {**fields, "text": ""})
    return fields


def with_defaults(own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A request's own fields over shared ones; with a voice of its own, none of the shared voice fields is used."""
    own, shared = _without_aliases(own), _without_aliases(shared)
    has_voice = not own.keys().isdisjoint(VOICES)
    return {name: value for name, value in shared.items() if not (has_voice and name in OF_A_VOICE)} | own


def _without_aliases(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = without_nulls(body)
    for alias, name in ALIASES.items():
        if alias in fields:
            if name in fields:
                raise InvalidRequest(f"give {name} or its alias {alias}, not both", field=alias)
            fields[name] = fields.pop(alias)
    return fields


_Shape = TypeVar("_Shape", bound=_Body)


def _check(shape: type[_Shape], fields: Mapping[str, Any]) -> _Shape:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        # an unknown field first: it is the likely reason for a missing one
        first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        name = _place(first["loc"])
        if first["type"] == "missing":
            raise InvalidRequest(f"{name} is required", field=name) from None
        if first["type"] == "extra_forbidden":
            owner = PastTurn if len(first["loc"]) > 1 else shape  # the only model inside another
            known = sorted({*owner.model_fields, *(ALIASES if issubclass(owner, SpeechBody) else ())})
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
    """The transcript unchanged; raises InvalidRequest if it is empty or too long."""
    if words is not None and not 0 < len(words.strip()) <= len(words) <= LONGEST_TRANSCRIPT_CHARS:
        raise InvalidRequest(
            f"reference_transcript must have 1 to {LONGEST_TRANSCRIPT_CHARS} characters, not {len(words.strip())}",
            field="reference_transcript",
        )
    return words


def resolve(fields: SpeechBody, settings: Settings) -> SpeechRequest:
    """The request with every default filled in. Raises InvalidRequest for what this worker cannot do."""
    text = fields.text.strip()
    if not text:
        raise InvalidRequest("text is empty", field="text")
    if len(text) > settings.max_text_chars:
        raise InvalidRequest(
            f"text has {len(text)} characters; this worker takes at most {settings.max_text_chars}", field="text"
        )
    if (alias := settings.voice_aliases().get(fields.voice or "")) is not None:
        fields = fields.model_copy(update={"voice": alias})
    chosen = _of_model(fields, settings, fields.model)
    audio_format = formats(fields.format, fields.sample_rate)[0]
    if fields.bitrate_kbps is not None:
        check_bitrate(fields.bitrate_kbps, fields.format.lower(), fields.sample_rate)
    _one_source(voice=fields.voice, reference_audio=fields.reference_audio, voice_url=fields.voice_url)
    reference = fields.reference_audio is not None or fields.voice_url is not None
    return SpeechRequest(
        text=text,
        **chosen,
        voice=None if reference else fields.voice or "default",
        reference_audio=fields.reference_audio,
        voice_url=fields.voice_url,
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
        as_model=partial(_of_model, fields, settings) if fields.model is None else None,
    )


def _of_model(fields: SpeechBody, settings: Settings, name: str | None) -> dict[str, Any]:
    """The fields that depend on the model; None for the worker's default."""
    card = _card(name, settings)
    _refuse_unusable(fields, card, settings)
    language = _language(fields.language, card, settings)
    return {"model": card.name, "language": language, "sampling": _sampling(fields, card)}


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
        "speaker": "speaker" in fields.model_fields_set and not card.uses_context,
    }
    for name, is_unused in unused.items():
        if is_unused:
            others = [model for model in settings.models if MODELS[model].uses_context]
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


def _card(model: str | None, settings: Settings) -> ModelCard:
    name = settings.models[0] if model is None else model.lower()
    aliases = settings.model_aliases()
    name = aliases.get(name, name)
    if name in settings.models:
        return MODELS[name]
    exists = " exists, but" if name in MODELS else " is unknown;"
    served = choices([*settings.models, *aliases])
    raise InvalidRequest(f"model {quote(model)}{exists} this worker serves {served}", field="model")


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


def formats(name: str, rate: int) -> list[str]:
    """The requested format; for "auto", wav and then each smaller one that supports the rate. Raises InvalidRequest."""
    if name.lower() not in (*FORMATS, "auto"):
        raise InvalidRequest(f"format must be {choices([*FORMATS, 'auto'])}, not {quote(name)}", field="format")
    if rate not in SAMPLE_RATES:
        raise InvalidRequest(f"sample_rate must be {choices(SAMPLE_RATES)}, not {quote(rate)}", field="sample_rate")
    if name.lower() == "auto":
        return [known for known in _BY_SIZE if rate in FORMATS[known].sample_rates]
    if rate not in (allowed := FORMATS[name.lower()].sample_rates):
        raise InvalidRequest(f"{name.lower()} has no {rate} Hz; it takes {choices(allowed)}", field="sample_rate")
    return [name.lower()]


def smaller_formats(name: str, rate: int) -> tuple[str, ...]:
    """The formats of "auto" that have the rate and are smaller than this one, largest first."""
    if name in ("opus", "mp3"):
        return ()
    alike = {"pcm": "wav", "aac": "flac", "ogg": "flac"}.get(name, name)
    fitting = [known for known in _BY_SIZE if rate in FORMATS[known].sample_rates]
    return tuple(fitting[fitting.index(alike) + 1 :])


def check_bitrate(kbps: int, audio_format: str, sample_rate: int) -> None:
    """Raises InvalidRequest for a bit rate that the format does not have at that sample rate, in Hertz."""
    if audio_format != "mp3":
        raise InvalidRequest(f"bitrate_kbps is for mp3 only, not for {audio_format}", field="bitrate_kbps")
    if kbps not in (allowed := MP3_KBPS[sample_rate]):
        raise InvalidRequest(
            f"bitrate_kbps must be {choices(allowed)} at {sample_rate} Hz, not {kbps}", field="bitrate_kbps"
        )


def _sampling(fields: SpeechBody, card: ModelCard) -> dict[str, float]:
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

    Our own fields may be added to OpenAI's. Raises InvalidRequest for one that cannot be honoured.
    """
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {quote(body)}", field="openai_input")
    fields = without_nulls(body)
    if fields.pop("instructions", None):
        raise InvalidRequest("instructions cannot be honoured: no Chatterbox model follows them", field="instructions")
    if (stream := fields.pop("stream_format", None)) not in (None, "audio"):
        raise InvalidRequest(f"stream_format must be audio here, not {quote(stream)}", field="stream_format")
    if (options := fields.pop("normalization_options", None)) is not None:
        if "normalize" in fields:
            raise InvalidRequest("give normalize or normalization_options, not both", field="normalization_options")
        fields["normalize"] = _kokoro_normalize(options)
    renamed = {("text" if name == "input" else "format" if name == "response_format" else name): value
               for name, value in fields.items()}  # fmt: skip
    if len(renamed) != len(fields):
        raise InvalidRequest("give input or text, response_format or format, not both", field="input")
    return {"format": "mp3"} | renamed  # mp3 is OpenAI's default


# Of Kokoro-FastAPI's NormalizationOptions; "normalize" itself switches all of them.
KOKORO_OPTIONS: Mapping[str, str] = {
    "unit_normalization": "units",
    "url_normalization": "urls",
    "email_normalization": "emails",
    "optional_pluralization_normalization": "plurals",
    "phone_normalization": "phones",
    "replace_remaining_symbols": "symbols",
}


def _kokoro_normalize(options: object) -> bool | dict[str, bool]:
    """`normalize`, from Kokoro-FastAPI's `normalization_options`; what they leave out is the worker's default."""
    known = ("normalize", *KOKORO_OPTIONS)
    if not isinstance(options, dict):
        raise InvalidRequest(
            f"normalization_options must be an object, not {quote(options)}", field="normalization_options"
        )
    for name, switch in options.items():
        field = f"normalization_options.{name}"
        if name not in known:
            raise InvalidRequest(f"unknown field {quote(field)}; known are {choices(known)}", field=field)
        if not isinstance(switch, bool):
            raise InvalidRequest(f"{field} must be true or false, not {quote(switch)}", field=field)
    if options.get("normalize") is False:
        return False
    return {KOKORO_OPTIONS[name]: switch for name, switch in options.items() if name != "normalize"}
