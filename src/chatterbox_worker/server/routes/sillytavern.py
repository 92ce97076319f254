"""What SillyTavern's Chatterbox provider asks for: lists of voices, uploads, and speech for an audio element."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.engine import DEFAULT_VOICE
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.server import answers, bodies, schemas, speech
from chatterbox_worker.server.routes import tts, voices
from chatterbox_worker.server.state import AppState, State

router = APIRouter(tags=["SillyTavern"])

_SUFFIX = ".wav"  # its voices are files


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


@router.get("/tts-stream", **schemas.query(schemas.TTS_QUERY), **answers.spoken(answers.audio()))
async def tts_stream(http: Request, state: State) -> Response:
    """`/tts` with its fields in the address, streamed; a seed below 0 is random."""
    fields = bodies.read_query(http, schemas.TTS_QUERY["properties"])
    if fields.get("seed", 0) < 0:
        del fields["seed"]
    return await tts.answer(http, state, fields, speech.ResponseOptions("audio"))


async def _files(state: AppState) -> list[str]:
    return [entry.id + _SUFFIX for entry in await voices.usable(state)]
