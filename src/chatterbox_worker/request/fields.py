"""The fields of a speech request as they arrive: the one list of them, with their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from chatterbox_worker.catalogue import MODEL_RATE, NORMALIZED
from chatterbox_worker.errors import InvalidRequest, quote, unknown_field

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
SAMPLING = (
    "temperature", "exaggeration", "cfg_weight", "repetition_penalty", "top_p", "min_p", "top_k", "steps",
    "position_temperature", "block_size",
)  # fmt: skip
LONGEST_VOICE_ID = 64
VOICE_ID = rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_VOICE_ID - 1}}}$"
LONGEST_VOICE_NAME = 100  # characters of the name that a voice is shown under
LONGEST_CHUNK_CHARS = 500  # past about 300 characters the model drifts (upstream #424, #385)
LONGEST_TRANSCRIPT_CHARS = 2_000  # about two minutes of speech, more than the one model that uses it can take
LONGEST_WORD_CHARS = 100  # of an entry of a lexicon: a word, a name or an expression
LONGEST_PRONUNCIATION_CHARS = 300
MOST_PRONUNCIATIONS = 1_000  # of one request
MOST_CONTEXT_TURNS = 16
MOST_SPEAKERS = 100
MOST_CANDIDATES = 8  # of one text
MOST_RESPOKEN = 1_000  # of one request
MOST_ATTEMPTS = 5  # at one chunk
LONGEST_PAUSE_S = 10.0  # between two chunks; one that the text asks for may be longer
MOST_TURNS = 1_000  # of a dialogue: 50 characters each of the usual limit of a text
LONGEST_SPEAKER_NAME = LONGEST_VOICE_NAME

MOST_REFERENCE_BYTES = 25_000_000  # the documented limit of an upload
LONGEST_REFERENCE_CHARS = MOST_REFERENCE_BYTES * 4 // 3 + 1024  # in base64, with the head of a data URI

ModelName = Annotated[str, Field(min_length=1, max_length=64)]
VoiceId = Annotated[str, Field(pattern=VOICE_ID)]
OutputPath = Annotated[str, Field(min_length=1, max_length=4096)]
Reference = Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE_CHARS)]
_URL = "an http or https URL"
SHAPES = {
    "voice": "an id of letters, digits, '.', '_' and '-'",
    "voice_url": _URL,
    "audio_url": _URL,
    "name": "in one line",
}
Transcript = Annotated[str, Field(min_length=1, max_length=LONGEST_TRANSCRIPT_CHARS)]
_SpeakerNumber = Annotated[int, Field(ge=0, le=MOST_SPEAKERS - 1)]
Timestamps = Literal["chunk", "word"]
Output = Literal["auto", "inline", "s3", "volume"]
"""How the answer to a job goes back."""
Url = Annotated[str, Field(pattern=r"(?i)^https?://\S+$", max_length=2048)]
Bitrate = Annotated[int, Field(ge=8, le=320)]
"""In kbit/s."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are given: null is the same as leaving a field out, in every object of every edge."""
    return {name: value for name, value in fields.items() if value is not None}


def _check_normalize(value: object) -> object:
    """Raises InvalidRequest for anything but a boolean, or an object with booleans under the known names."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise InvalidRequest(f"normalize must be true, false or an object, not {quote(value)}", field="normalize")
    value = without_nulls(value)
    for name, switch in value.items():
        field = f"normalize.{name}"
        if name not in NORMALIZED:
            raise unknown_field(field, NORMALIZED)
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


def check_pronunciations(value: object, field: str = "pronunciations", *, most: int = MOST_PRONUNCIATIONS) -> Any:
    """The entries without those that are null; raises InvalidRequest unless all are words with what is read for them.

    "" is read for a word that is left out.
    """
    if not isinstance(value, dict):
        raise InvalidRequest(f"{field} must be an object of words, not {quote(value)}", field=field)
    if len(value) > most:
        raise InvalidRequest(f"{field} has {len(value)} words; at most {most} can be given", field=field)
    value = without_nulls(value)
    for word, spoken in value.items():
        if not isinstance(word, str) or not 0 < len(word.strip()) <= len(word) <= LONGEST_WORD_CHARS:
            raise InvalidRequest(
                f"{field} has {quote(word)}, and a word has 1 to {LONGEST_WORD_CHARS} characters", field=field
            )
        if not isinstance(spoken, str) or len(spoken) > LONGEST_PRONUNCIATION_CHARS:
            raise InvalidRequest(
                f"{field} has {quote(spoken)} for {quote(word)}, and what is read must be a string of at most "
                f"{LONGEST_PRONUNCIATION_CHARS} characters",
                field=field,
            )
    return value


_Pronunciations = Annotated[
    dict[str, str] | None,
    BeforeValidator(check_pronunciations),
    WithJsonSchema({
        "anyOf": [
            {
                "type": "object",
                "maxProperties": MOST_PRONUNCIATIONS,
                "additionalProperties": {"type": "string", "maxLength": LONGEST_PRONUNCIATION_CHARS},
            },
            {"type": "null"},
        ],
    }),
]  # fmt: skip


class Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, fields: Any) -> Any:
        return without_nulls(fields) if isinstance(fields, dict) else fields


class PastTurn(Body):
    """An earlier turn of the conversation."""

    text: Transcript
    audio: Reference
    """Base64 or a data URI."""
    speaker: _SpeakerNumber = 0


_PauseSeconds = Annotated[float, Field(ge=0, le=LONGEST_PAUSE_S)]


class PauseSeconds(Body):
    """The silence after a chunk that ends in such a place, at speed 1; None for the default."""

    sentence: _PauseSeconds | None = None
    paragraph: _PauseSeconds | None = None
    clause: _PauseSeconds | None = None
    line: _PauseSeconds | None = None
    turn: _PauseSeconds | None = None
    """After a turn of a dialogue, at any speed."""

    def given(self) -> dict[str, float]:
        return {name: float(value) for name, value in self if value is not None}


def pause_of_a_turn(value: object) -> object:
    """A number is the silence after a turn. Raises InvalidRequest for one out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not 0 <= value <= LONGEST_PAUSE_S:
        raise InvalidRequest(f"pause_s must be 0 to {LONGEST_PAUSE_S:g} seconds, not {quote(value)}", field="pause_s")
    return {"turn": float(value)}


_PAUSE_SCHEMA = {"type": "number", "minimum": 0, "maximum": LONGEST_PAUSE_S}
_Pauses = Annotated[
    PauseSeconds | None,
    BeforeValidator(pause_of_a_turn),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": dict.fromkeys(PauseSeconds.model_fields, _PAUSE_SCHEMA),
                    "additionalProperties": False,
                },
                _PAUSE_SCHEMA,
                {"type": "null"},
            ],
        }
    ),
]
TextFormat = Literal["plain", "markdown", "ssml", "script", "auto"]
LineBreaks = Literal["keep", "join", "auto"]
Emoji = Literal["drop", "read"]
Trim = Literal["none", "edges", "inner"]
Check = Literal["off", "sound", "words"]
OnFail = Literal["warn", "error"]

DEFAULT_ATTEMPTS = 2
MAX_WORD_ERROR = 0.3
"""The default. Good takes that were transcribed by Whisper's second-smallest model are below it (`bench.checks`)."""


class SpeechBody(Body):
    """The ranges are the documented ones."""

    action: Literal["speak"] = "speak"
    text: str | None = None
    turns: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_TURNS)] | None = None
    """Of a dialogue, in place of a text: each is a `TurnBody`, and the fields next to them are their defaults."""
    model: ModelName | None = None
    language: str = "en"
    voice: VoiceId | None = None
    reference_audio: Reference | None = None
    voice_url: Url | None = None
    reference_transcript: Transcript | None = None
    speaker: _SpeakerNumber = 0
    context: Annotated[list[PastTurn], Field(max_length=MOST_CONTEXT_TURNS)] = []
    format: str = "wav"
    sample_rate: int = MODEL_RATE
    bitrate_kbps: Bitrate | None = None
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    seed: Seed | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    exaggeration: Annotated[float, Field(ge=0, le=2)] | None = None
    cfg_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2000)] | None = None
    steps: Annotated[int, Field(ge=1, le=32)] | None = None
    position_temperature: Annotated[float, Field(ge=0, le=10)] | None = None
    block_size: Annotated[int, Field(ge=1, le=16)] | None = None
    split_text: bool = True
    chunk_size: Annotated[int, Field(ge=50, le=LONGEST_CHUNK_CHARS)] | None = None
    max_chunk_s: Annotated[float, Field(ge=0.5, le=90)] | None = None
    normalize: _Normalize = None
    pronunciations: _Pronunciations = None
    text_format: TextFormat = "plain"
    line_breaks: LineBreaks | None = None
    emoji: Emoji = "drop"
    ssml_strict: bool = True
    pause_s: _Pauses = None
    timestamps: Timestamps = "chunk"
    loudness_lufs: Annotated[float, Field(ge=-40, le=-10)] | None = None
    gain_db: Annotated[float, Field(ge=-40, le=20)] = 0.0
    trim: Trim = "edges"
    check: Check | None = None
    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = DEFAULT_ATTEMPTS
    max_word_error: Annotated[float, Field(ge=0, le=1)] = MAX_WORD_ERROR
    on_fail: OnFail = "warn"
    respeak: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MOST_RESPOKEN)] = []
    cache: bool = True


OF_A_DIALOGUE = (
    "format",
    "sample_rate",
    "bitrate_kbps",
    "timestamps",
    "loudness_lufs",
    "gain_db",
    "trim",
    "check",
    "attempts",
    "max_word_error",
    "on_fail",
    "cache",
    "respeak",
)
"""The fields that a dialogue has as a whole: no turn has its own."""


class TurnBody(SpeechBody):
    """The fields of a turn, with those of the dialogue that it leaves out."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_SPEAKER_NAME, pattern=r"^[^\r\n]*$")] | None = None
    """Who speaks, as the answer and captions say it; the voice's id if it is left out."""
