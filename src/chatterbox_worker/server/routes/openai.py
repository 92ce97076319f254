"""OpenAI's routes, and lists that have the shapes of both OpenAI and Open WebUI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker import request as requests
from chatterbox_worker.catalogue import FORMATS, REGIONS, openai_model
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import DEFAULT_VOICE
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.server import bodies, failures, schemas, speech
from chatterbox_worker.server.refusals import ModelNotFound
from chatterbox_worker.server.routes.voices import usable
from chatterbox_worker.server.state import State

router = APIRouter(tags=["OpenAI"])

LATAM = "chatterbox-es-latam"
"""The model name of older servers: the multilingual model with Latin American Spanish."""
_NAMES = {"text": "input", "format": "response_format"}
_DECIDE_THE_FORM = ("stream", "stream_format", "captions", "candidates", "timestamps")
"""Fields that say how the answer is sent, or that a stream of audio has no place for."""


@router.post("/v1/audio/speech", **schemas.speech(schemas.OPENAI_SPEECH))
async def create_speech(http: Request, state: State) -> Response:
    fields = await bodies.read_object(http, schemas.known(schemas.OPENAI_SPEECH, *_NAMES))
    if state.settings.stream_format == "audio" and fields.keys().isdisjoint(_DECIDE_THE_FORM):
        fields["stream_format"] = "audio"
    options = speech.take_options(fields)
    names = {ours: theirs for ours, theirs in _NAMES.items() if ours not in fields}
    with failures.caller_names(names):
        return await speech.answer(http, state, openai_fields(fields, state.settings), options)


def openai_fields(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Our own fields from OpenAI's, with the names that older servers used; raises InvalidRequest."""
    fields = requests.openai_speech(body)
    if isinstance(voice := fields.get("voice"), dict):
        if set(voice) != {"id"}:
            raise InvalidRequest(f'voice must be an id or {{"id": "..."}}, not {quote(voice)}', field="voice")
        fields["voice"] = voice["id"]
    if "voice" in fields:
        fields["voice"] = bodies.voice_id(fields["voice"])
    if fields.get("model") == LATAM:
        del fields["model"]
        fields = (
            {"language": "es-MX"} | fields | ({"model": "multilingual"} if "multilingual" in settings.models else {})
        )
    return fields


@router.get("/v1/models")
@router.get("/v1/audio/models")
async def models(state: State) -> dict[str, Any]:
    names = [*state.settings.models, *state.settings.model_aliases()]
    served = [_model(name, state.settings) for name in names]
    return {"object": "list", "data": served, "models": served, "default": state.settings.models[0]}


@router.get("/v1/models/{model_id:path}", responses={404: {"description": "No such model."}})
async def model(model_id: str, state: State) -> dict[str, Any]:  # another name may have a slash
    names = [*state.settings.models, *state.settings.model_aliases()]
    if (name := model_id.lower()) not in names:  # as in a request
        raise ModelNotFound(f"model {quote(model_id)} is not served here; use {choices(names)}", field="model")
    return _model(name, state.settings)


def _model(name: str, settings: Settings) -> dict[str, Any]:
    alias_of = settings.model_aliases().get(name)
    card = settings.cards[alias_of or name]
    regions = [tag for tag, pack in REGIONS.items() if card.name == "multilingual" and pack in settings.packs]
    return {
        **openai_model(card.name),
        "id": name,
        "name": name,
        "languages": [*card.languages, *regions],
        "identifies_languages": card.identifies_languages,
        "sampling": {field: {"default": value} | schemas.bounds(field) for field, value in card.sampling.items()},
        "speaks_references": card.clones_voices,
        "converts_speech": card.converts_speech,
        "reference_min_s": card.reference_min_s,
        "needs_transcript": card.needs_transcript,
        "hears_context": card.uses_context,
        "watermarks": card.watermarks,
        "tags": list(card.tags),
        "formats": {
            fmt.name: {"mimetype": fmt.mimetype, "sample_rates": list(fmt.sample_rates)} for fmt in FORMATS.values()
        },
        "max_text_chars": settings.max_text_chars,
        "speed": {"default": 1.0} | schemas.bounds("speed"),
    } | ({} if alias_of is None else {"alias_of": alias_of})


@router.get("/v1/voices")
@router.get("/v1/audio/voices")
async def voices(state: State) -> dict[str, Any]:
    own = {"id": DEFAULT_VOICE.id, "name": DEFAULT_VOICE.id, "object": "voice", "built_in": True}
    aliases = state.settings.voice_aliases()
    saved: list[Mapping[str, Any]] = [
        {"object": "voice", "built_in": False} | asdict(entry) for entry in await usable(state)
    ]
    of_id = {voice["id"]: dict(voice) for voice in (own, *saved)}
    others = [
        of_id.get(target, own) | {"id": name, "name": name, "alias_of": target} for name, target in aliases.items()
    ]
    listed = [own, *saved, *others]
    return {"object": "list", "data": listed, "voices": listed}


@router.get("/languages")
async def languages(state: State) -> dict[str, Any]:
    regions = {tag: pack for tag, pack in REGIONS.items() if pack in state.settings.packs}
    cards = [state.settings.cards[model] for model in state.settings.models]
    return {
        "languages": [
            {"code": code, "name": name, "models": [card.name for card in cards if code in card.languages],
             "regions": [tag for tag in regions if tag.startswith(f"{code}-")]}
            for code, name in state.settings.languages.items() if any(code in card.languages for card in cards)
        ]
    }  # fmt: skip
