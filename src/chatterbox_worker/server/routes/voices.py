"""The library of voices, and two older forms of its routes."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from chatterbox_worker import request as requests
from chatterbox_worker.engine import DEFAULT_VOICE, NO_DETAILS, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.server import answers, bodies, failures, schemas, speech
from chatterbox_worker.server.sliced import ranged_response
from chatterbox_worker.server.state import AppState, State
from chatterbox_worker.voices import names
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX
from chatterbox_worker.voices.folder import LibraryEntry

router = APIRouter(tags=["voices"])

_VoiceId = Annotated[str, Path(description="An id, or a file name such as alice.wav.")]
_IDS = ("voice", "voice_id", "name", "voice_name")
_FILES = ("file", "audio", "voice_file", "audio_sample")
_TRANSCRIPT = {"reference_transcript": schemas.TEXT | {"description": "The words spoken in the recording, for csm."}}
_DETAILS = {
    **_TRANSCRIPT,
    "language": schemas.TEXT
    | {"description": "The language of the recording. For a text in another one cfg_weight is 0 unless it is given."},
}
_UPLOAD = {
    "file": schemas.FILE,
    "voice_id": schemas.TEXT
    | {
        "maxLength": requests.LONGEST_VOICE_NAME,
        "description": "An id, or a name from which one is made; the file's name if left out.",
    },
    **_DETAILS,
}
_NAMED = {"voice_name": schemas.TEXT | {"pattern": VOICE_ID}, **_DETAILS}
_OPENAI = {
    "name": schemas.TEXT | {"pattern": VOICE_ID},
    "audio_sample": schemas.FILE,
    "consent": schemas.TEXT,
    "type": schemas.TEXT | {"enum": ["audio_sample"]},
}


@router.get("/voices")
async def list_voices(state: State) -> list[str]:
    """The ids alone, without other names; `/v1/voices` has more about each."""
    return [DEFAULT_VOICE.id, *(entry.id for entry in await usable(state))]


@router.post("/voices", status_code=201, **schemas.form(_UPLOAD, "file"))
async def upload(http: Request, state: State) -> dict[str, Any]:
    saved = await _save(http, state)
    return {"voice_id": saved["voice"], "message": "Voice uploaded successfully."} | saved


@router.post("/upload-voice", **schemas.form({"file": schemas.FILE, "voice_name": schemas.TEXT, **_DETAILS}, "file"))
async def upload_voice(http: Request, state: State) -> dict[str, Any]:
    saved = await _save(http, state)
    return {"success": True, "voice_name": saved["voice"], "message": "Voice uploaded successfully."} | saved


@router.post(
    "/v1/voices", status_code=201, **schemas.form(_NAMED | {"voice_file": schemas.FILE}, "voice_name", "voice_file")
)
async def create_voice(http: Request, state: State) -> dict[str, Any]:
    saved = await _save(http, state)
    return {"id": saved["voice"], "name": saved["voice"], "object": "voice", "built_in": False} | saved


@router.post("/v1/audio/voices", **schemas.form(_OPENAI, "name", "audio_sample"))
async def create_openai_voice(http: Request, state: State) -> dict[str, Any]:
    """As OpenAI's libraries create a voice. `consent` is the id of a recording that OpenAI keeps: nothing here has it,
    and the operator of this server is responsible for the speaker's consent.
    """
    saved = await _save(http, state, texts=("consent", "type"))
    return {
        "id": saved["voice"],
        "name": saved["voice"],
        "object": "audio.voice",
        "type": "audio_sample",
        "created_at": int(time.time()),
    } | saved


_CLONE = {
    **schemas.fields("voice"),
    "voice_name": schemas.TEXT | {"pattern": VOICE_ID},
    **_TRANSCRIPT,
    "reference_audio": schemas.FILE,
}


@router.post("/clone-voice", **schemas.form(_CLONE, "text"), **answers.spoken(answers.audio()))
async def clone_voice(http: Request, state: State) -> Response:
    """Speak with a voice of the library, or with that of a recording. All fields of speech; wav without a `format`."""
    texts = [name for name in _CLONE if name != "reference_audio"]
    async with bodies.read_form(http, files=("reference_audio",), texts=texts) as form:
        recording = form.pop("reference_audio", None)
        given = {name: value for name, value in form.items() if name != "filename"}
    fields = {name: requests.value_of_text(name, value, _CLONE[name]) for name, value in given.items()}
    if recording is not None:
        fields["reference_audio"] = base64.b64encode(recording).decode()
    if "voice_name" in fields:
        fields["voice"] = bodies.voice_id(fields.pop("voice_name"))
    with failures.caller_names({"voice": "voice_name"}):
        return await speech.answer(http, state, fields, speech.ResponseOptions())


@router.get("/voices/{voice_id}", responses=answers.NO_SUCH_VOICE)
async def about_voice(voice_id: _VoiceId, state: State) -> dict[str, Any]:
    name, voice = _named(voice_id, state)
    if voice == DEFAULT_VOICE.id:
        about = {"id": voice, "name": voice, "built_in": True}
    else:
        about = {"built_in": False} | await state.backend.about_voice(voice)
    return about if name == voice else about | {"id": name, "name": name, "alias_of": voice}


_RECORDING = answers.file("The recording.", "audio/*")


@router.get("/voices/{voice_id}/audio", **answers.instead_of_json({
    200: _RECORDING,
    206: _RECORDING | {"description": "The part of it that `Range` asks for."},
    416: {"description": "It has no such part.", "content": {}},
    **answers.NO_SUCH_VOICE,
}))  # fmt: skip
async def voice_audio(voice_id: _VoiceId, http: Request, state: State) -> Response:
    """The recording, as it was saved, or the part of it that `Range` asks for."""
    data, mimetype = await state.backend.recording(_check_has_recording(voice_id, state))
    return ranged_response(data, http, media_type=mimetype, headers={"X-Content-Type-Options": "nosniff"})


@router.get(
    "/voices/{voice_id}/file",
    **answers.instead_of_json({200: answers.file("The voice.", "application/octet-stream"), **answers.NO_SUCH_VOICE}),
)
async def voice_file(voice_id: _VoiceId, state: State) -> Response:
    """The whole voice as one file, which `POST /voices` accepts on this server or another."""
    voice = _check_has_recording(voice_id, state)
    headers = {
        "Content-Disposition": f'attachment; filename="{voice}{BUNDLE_SUFFIX}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(await state.backend.export_voice(voice), media_type="application/octet-stream", headers=headers)


@router.delete("/voices/{voice_id}", responses=answers.NO_SUCH_VOICE)
async def delete_voice(voice_id: _VoiceId, state: State) -> dict[str, str]:
    await _delete(voice_id, state)
    return {"message": f"Voice '{voice_id}' deleted successfully."}


@router.delete("/v1/audio/voices/{voice_id}", responses=answers.NO_SUCH_VOICE)
async def delete_openai_voice(voice_id: _VoiceId, state: State) -> dict[str, Any]:
    """As OpenAI's libraries delete a voice."""
    return {"id": await _delete(voice_id, state), "object": "audio.voice.deleted", "deleted": True}


async def _delete(path: str, state: AppState) -> str:
    requests.check_deletable(str(bodies.voice_id(path)), state.settings, field="voice_id")
    voice = _check_has_recording(path, state)
    await state.backend.delete_voice(voice)
    return voice


async def _save(http: Request, state: AppState, texts: Sequence[str] = ()) -> dict[str, Any]:
    async with bodies.read_form(http, files=_FILES, texts=(*_IDS, *_DETAILS, *texts)) as form:
        field = next((name for name in _FILES if name in form), None)
        if field is None:
            raise InvalidRequest("file is required: the recording", field="file")
        if (kind := form.get("type", "audio_sample")) != "audio_sample":
            raise InvalidRequest(f"type must be audio_sample, not {quote(kind)}", field="type")
        named = next((name for name in _IDS if form.get(name)), "filename")
        details = VoiceDetails(
            requests.transcript(form.get("reference_transcript")),
            requests.voice_language(form.get("language") or None, state.settings.languages),
        )
        if named == "filename":
            name = str(bodies.voice_id(form.get(named, "")))[: requests.LONGEST_VOICE_NAME]
            return await save(state, name, form[field], details)
        return await save(state, form[named], form[field], details, field=named)


async def save(
    state: AppState, name: str, data: bytes, details: VoiceDetails = NO_DETAILS, *, field: str = "voice_id"
) -> dict[str, Any]:
    """Saves a recording under a name, a file's or a person's; errors about it name `field`."""
    shown = names.check_name(str(bodies.voice_id(name)), field=field)
    requests.refuse_alias(names.id_of(shown), state.settings, field=field)
    with failures.caller_names({"voice": field}):
        return await state.backend.save_voice(shown, data, details)


async def usable(state: AppState) -> list[LibraryEntry]:
    """The voices of the library, without those whose name stands for another voice here."""
    aliases = state.settings.voice_aliases()
    return [entry for entry in await state.backend.voices() if entry.id not in aliases]


def _named(path: str, state: AppState) -> tuple[str, str]:
    """The name in a path, and the voice that it stands for."""
    name = str(bodies.voice_id(path))
    if not re.fullmatch(VOICE_ID, name):
        raise InvalidRequest(f"voice {quote(path)} is not an id: letters, digits, '.', '_' and '-'", field="voice_id")
    return name, state.settings.voice_aliases().get(name, name)


def _check_has_recording(path: str, state: AppState) -> str:
    if (voice := _named(path, state)[1]) == DEFAULT_VOICE.id:
        raise InvalidRequest('voice "default" is the model\'s own voice: it has no recording', field="voice_id")
    return voice
