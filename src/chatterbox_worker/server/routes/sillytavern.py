"""What SillyTavern's Chatterbox provider asks for: lists of voices, uploads, and speech for an audio element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.engine import DEFAULT_VOICE
from chatterbox_worker.errors import InvalidRequest, WorkerError, quote, refuse_unknown
from chatterbox_worker.server import bodies, schemas, speech
from chatterbox_worker.server.routes import tts, voices
from chatterbox_worker.server.state import AppState, State

router = APIRouter(tags=["SillyTavern"])

_SUFFIX = ".wav"  # its voices are files
_KINDS: Mapping[str, Callable[[str], Any]] = {
    "temperature": float, "exaggeration": float, "cfg_weight": float, "speed_factor": float, "seed": int,
    "chunk_size": int, "split_text": {"true": True, "false": False}.__getitem__,
}  # fmt: skip


@router.get("/get_predefined_voices")
async def predefined_voices(state: State) -> list[dict[str, str]]:
    names = [DEFAULT_VOICE.id, *state.settings.voice_aliases()]
    return [{"display_name": name, "filename": name + _SUFFIX, "voice_id": name} for name in names]


@router.get("/get_reference_files")
async def reference_files(state: State) -> list[str]:
    return await _files(state)


@router.post("/upload_reference", **schemas.form({"files": {"type": "array", "items": schemas.FILE}}, "files"))
async def upload_reference(http: Request, state: State) -> dict[str, Any]:
    async with bodies.read_form(http, files=("files",), texts=(), repeated=("files",)) as form:
        files = form.get("files", [])
        if not files:
            raise InvalidRequest("files is required: the recordings", field="files")
        uploaded, errors = [], []
        for name, data in files:
            try:
                uploaded.append((await voices.save(state, name, data))["voice"] + _SUFFIX)
            except WorkerError as error:
                errors.append((name, error))
    if not uploaded:
        raise errors[0][1]
    return {
        "message": f"{len(uploaded)} saved.",
        "uploaded_files": uploaded,
        "all_reference_files": await _files(state),
        "errors": [{"filename": name, "error": error.message} for name, error in errors],
    }


@router.get("/tts-stream", response_class=Response, **schemas.query(schemas.TTS_QUERY))
async def tts_stream(http: Request, state: State) -> Response:
    """`/tts` with its fields in the address, streamed; a seed below 0 is random."""
    refuse_unknown(http.query_params, schemas.known(schemas.TTS_QUERY, aliases=False))
    fields = {name: _value(name, text) for name, text in http.query_params.items()}
    if fields.get("seed", 0) < 0:
        del fields["seed"]
    return await tts.answer(http, state, fields, speech.ResponseOptions("audio"))


def _value(name: str, text: str) -> Any:
    try:
        return _KINDS.get(name, str)(text)
    except (KeyError, ValueError):
        raise InvalidRequest(f"{name} cannot be {quote(text)}", field=name) from None


async def _files(state: AppState) -> list[str]:
    return [entry.id + _SUFFIX for entry in await voices.usable(state)]
