"""What can be asked for besides speech."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from chatterbox_worker.catalogue import LANGUAGES, MODEL_RATE
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request.fields import (
    LONGEST_VOICE_NAME,
    LONGEST_WORD_CHARS,
    Bitrate,
    Body,
    ModelName,
    Output,
    OutputPath,
    Reference,
    Seed,
    SpeechBody,
    Transcript,
    Url,
    VoiceId,
    check_pronunciations,
)


class InfoRequest(Body):
    """What is this worker, what does it serve, how is it doing."""

    action: Literal["info"] = "info"


class ListVoicesRequest(Body):
    action: Literal["voices.list"] = "voices.list"


class TextPreviewRequest(Body):
    """How the text of a speech request would be read, in which chunks; nothing is spoken."""

    action: Literal["text.preview"] = "text.preview"
    speech: SpeechBody


class SaveVoiceRequest(Body):
    action: Literal["voices.save"] = "voices.save"
    voice: Annotated[str, Field(min_length=1, max_length=LONGEST_VOICE_NAME)]
    """An id, or a name from which `voices.names` makes one."""
    reference_audio: Reference | None = None
    voice_url: Url | None = None
    reference_transcript: Transcript | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    """That the recording is in: a code or a tag, which `check.voice_language` knows."""


class ExportVoiceRequest(Body):
    action: Literal["voices.export"] = "voices.export"
    voice: VoiceId


class DeleteVoiceRequest(Body):
    action: Literal["voices.delete"] = "voices.delete"
    voice: VoiceId


def _check_language(value: object) -> object:
    """Raises InvalidRequest for anything but a language's code, or `*` for all languages."""
    if value not in (known := ("*", *LANGUAGES)):
        raise InvalidRequest(f"language must be {choices(known)}, not {quote(value)}", field="language")
    return value


_Language = Annotated[str, BeforeValidator(_check_language)]
_Entries = Annotated[dict[str, str], BeforeValidator(partial(check_pronunciations, field="entries"))]


class ListLexiconRequest(Body):
    """Those of one language, or everything, from `offset` on."""

    action: Literal["lexicon.list"] = "lexicon.list"
    language: _Language | None = None
    offset: Annotated[int, Field(ge=0)] = 0


class SaveLexiconRequest(Body):
    """Adds entries, or replaces those of the same words."""

    action: Literal["lexicon.save"] = "lexicon.save"
    entries: _Entries
    language: _Language = "*"


class DeleteLexiconRequest(Body):
    action: Literal["lexicon.delete"] = "lexicon.delete"
    word: Annotated[str, Field(min_length=1, max_length=LONGEST_WORD_CHARS)]
    language: _Language = "*"


class ListModelsRequest(Body):
    """The models in the shape of OpenAI's `GET /v1/models`."""

    action: Literal["models.list"] = "models.list"


class ListOutputsRequest(Body):
    """The large answers on the volume."""

    action: Literal["outputs.list"] = "outputs.list"


class GetOutputRequest(Body):
    action: Literal["outputs.get"] = "outputs.get"
    path: OutputPath
    offset: Annotated[int, Field(ge=0)] = 0


class DeleteOutputRequest(Body):
    action: Literal["outputs.delete"] = "outputs.delete"
    path: OutputPath


class ConvertBody(Body):
    """Recorded speech to be said by another voice; the fields as they arrive."""

    action: Literal["convert"] = "convert"
    audio: Reference | None = None
    """Base64 or a data URI."""
    audio_url: Url | None = None
    model: ModelName | None = None
    voice: VoiceId | None = None
    reference_audio: Reference | None = None
    voice_url: Url | None = None
    format: str = "wav"
    sample_rate: int = MODEL_RATE
    bitrate_kbps: Bitrate | None = None
    seed: Seed | None = None
    cache: bool = True
    output: Output = "auto"


VoiceAction = ListVoicesRequest | SaveVoiceRequest | ExportVoiceRequest | DeleteVoiceRequest
LexiconAction = ListLexiconRequest | SaveLexiconRequest | DeleteLexiconRequest
OutputAction = ListOutputsRequest | GetOutputRequest | DeleteOutputRequest
Action = InfoRequest | TextPreviewRequest | ListModelsRequest | VoiceAction | LexiconAction | OutputAction

ACTIONS: Mapping[str, type[Action | ConvertBody]] = {
    shape.model_fields["action"].default: shape for shape in (ConvertBody, *get_args(Action))
}
