"""Two older shapes of a speech request, and captions without audio: `/tts`, `/tts/generate`, `/captions`."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, choices, quote
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.server import answers, bodies, failures, schemas, speech
from chatterbox_worker.server.state import AppState, State
from chatterbox_worker.text import captions

router = APIRouter(tags=["speech"])

_RENAMED = {"speed_factor": "speed", "output_format": "format"}
_TTS_SAMPLING = {"temperature": 0.8, "exaggeration": 1.0, "cfg_weight": 0.5}
"""The documented defaults of `/tts`, which its clients send for every model."""
_TTS_DEFAULTS = {"language": "es", "chunk_size": 120}
_MODES = {"predefined": "predefined_voice_id", "clone": "reference_audio_filename"}


@router.post("/tts", **schemas.speech(schemas.TTS))
async def tts(http: Request, state: State) -> Response:
    fields = await bodies.read_object(http, schemas.known(schemas.TTS, aliases=False))
    return await answer(http, state, fields, speech.take_options(fields))


async def answer(http: Request, state: AppState, body: dict[str, Any], options: speech.ResponseOptions) -> Response:
    """The speech for the fields of `/tts`."""
    is_clone = body.get("voice_mode") == "clone"
    names = {ours: theirs for theirs, ours in _RENAMED.items()} | {
        "voice": _MODES["clone" if is_clone else "predefined"]
    }
    with failures.caller_names(names):
        return await speech.answer(http, state, tts_fields(body, state.settings), options)


def tts_fields(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Our own fields from those of `/tts`; raises InvalidRequest."""
    fields = _TTS_DEFAULTS | {_RENAMED.get(name, name): value for name, value in body.items()}
    mode = fields.pop("voice_mode", "predefined")
    if not isinstance(mode, str) or mode not in _MODES:
        raise InvalidRequest(f"voice_mode must be {choices(_MODES)}, not {quote(mode)}", field="voice_mode")
    named = {name: fields.pop(name, None) for name in _MODES.values()}
    voice_field = _MODES[mode]
    if mode == "clone" and named[voice_field] is None:
        raise InvalidRequest("voice_mode is clone: reference_audio_filename must name a voice", field=voice_field)
    if named[voice_field] is not None:
        fields["voice"] = bodies.voice_id(named[voice_field])
    if fields.get("seed") == 0 and fields["seed"] is not False:
        del fields["seed"]  # "random" on this route
    return _with_sampling(fields, settings)


def _with_sampling(fields: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """With the route's defaults where the model has others, so that what depends on the voice stays open; without the
    parameters that the model cannot use, as long as they have the route's default values.
    """
    name = fields.get("model", settings.models[0])
    card = settings.cards.get(name) if isinstance(name, str) else None
    if card is None:
        return fields  # the request's own check refuses it by name
    own = {field: value for field, value in _TTS_SAMPLING.items() if card.sampling.get(field, value) != value}
    return own | {
        field: value
        for field, value in fields.items()
        if field in card.sampling or field not in _TTS_SAMPLING or value != _TTS_SAMPLING[field]
    }


@router.post("/tts/generate", **schemas.speech(schemas.TTS_GENERATE, answers.audio("wav")))
async def tts_generate(http: Request, state: State) -> Response:
    fields = await bodies.read_object(http, schemas.known(schemas.TTS_GENERATE, aliases=False))
    voice = fields.pop("voice_id", None)
    if voice is not None:
        fields["voice"] = bodies.voice_id(voice)
    try:
        with failures.caller_names({"voice": "voice_id"}):
            return await speech.answer(http, state, fields, speech.ResponseOptions("audio"))
    except VoiceNotFound:
        raise failures.voice_not_found(str(voice)) from None
    except InvalidRequest as error:
        # a name that cannot be an id cannot be a voice
        if error.field == "voice_id" and isinstance(voice, str) and voice and not re.fullmatch(VOICE_ID, voice):
            raise failures.voice_not_found(voice) from None
        raise


_CAPTIONS = {
    "description": "The captions.",
    "content": {mimetype: {"schema": {"type": "string"}} for kind, mimetype in captions.MIMETYPES.items()},
}


@router.post("/captions", **schemas.speech(schemas.CAPTIONS, _CAPTIONS))
async def write_captions(http: Request, state: State) -> Response:
    """The captions alone. The speech stays in the cache, for a later request with the same fields."""
    fields = await bodies.read_object(http, schemas.known(schemas.CAPTIONS))
    kind = captions.check(fields.pop("captions", "srt"))
    recording = await speech.whole(http, state, speech.parse(fields, state.settings))
    return Response(await speech.captions_of(kind, recording.info), media_type=captions.MIMETYPES[kind])
