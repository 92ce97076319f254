"""What can be asked for besides speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from chatterbox_worker.request.fields import (
    LONGEST_VOICE_NAME,
    Body,
    OutputPath,
    Reference,
    SpeechBody,
    Transcript,
    Url,
    VoiceId,
)


class InfoRequest(Body):
    """What is this worker, what does it serve, how is it doing."""

    action: Literal["info"]


class ListVoicesRequest(Body):
    action: Literal["voices.list"]


class TextPreviewRequest(Body):
    """How the text of a speech request would be read, in which chunks; nothing is spoken."""

    action: Literal["text.preview"]
    speech: SpeechBody


class SaveVoiceRequest(Body):
    action: Literal["voices.save"]
    voice: Annotated[str, Field(min_length=1, max_length=LONGEST_VOICE_NAME)]
    """An id, or a name from which `voices.names` makes one."""
    reference_audio: Reference | None = None
    voice_url: Url | None = None
    reference_transcript: Transcript | None = None


class ExportVoiceRequest(Body):
    action: Literal["voices.export"]
    voice: VoiceId


class DeleteVoiceRequest(Body):
    action: Literal["voices.delete"]
    voice: VoiceId


class ListModelsRequest(Body):
    """The models in the shape of OpenAI's `GET /v1/models`."""

    action: Literal["models.list"]


class ListOutputsRequest(Body):
    """The large answers on the volume."""

    action: Literal["outputs.list"]


class GetOutputRequest(Body):
    action: Literal["outputs.get"]
    path: OutputPath
    offset: Annotated[int, Field(ge=0)] = 0


class DeleteOutputRequest(Body):
    action: Literal["outputs.delete"]
    path: OutputPath


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

ACTIONS: Mapping[str, type[Action]] = {
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
