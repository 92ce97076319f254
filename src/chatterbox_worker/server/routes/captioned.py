"""Kokoro-FastAPI's `POST /dev/captioned_speech`: speech and when each word is spoken, as JSON.

    stream true, the default     a line per part of the file, with the words that are spoken by its end
    stream false                 one object

Its fields are those of `/v1/audio/speech` and Kokoro's own.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.answer import SpokenWord
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.server import bodies, failures, schemas, speech, streamed
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.routes.openai import openai_fields
from chatterbox_worker.server.sliced import json_response
from chatterbox_worker.server.state import State

router = APIRouter(tags=["Kokoro-FastAPI"])

_NAMES = {"text": "input", "format": "response_format", "language": "lang_code", "gain_db": "volume_multiplier"}
_LANGUAGES: Mapping[str, str] = {
    "a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-BR", "z": "zh",
}  # fmt: skip
"""Kokoro's letters; "a" and "b" are American and British English, which here is the voice's matter."""
_QUIETEST, _LOUDEST = 0.01, 10.0  # -40 and 20 dB, the limits of gain_db
_MIMETYPE = "application/json"  # Kokoro-FastAPI's own for the lines, too


@router.post("/dev/captioned_speech", **schemas.captioned_speech())
async def captioned_speech(http: Request, state: State) -> Response:
    fields = await bodies.read_object(http, schemas.known(schemas.CAPTIONED_SPEECH, "text", "format"))
    names = {ours: theirs for ours, theirs in _NAMES.items() if ours not in fields}
    with failures.caller_names(names):
        streams = speech.take_flag(fields, "stream", default=True)
        request = speech.parse(openai_fields(_own_fields(fields), state.settings), state.settings)
        mimetype = FORMATS[request.format].mimetype
        if streams:
            return await streamed.stream(http, state, request, partial(_lines, mimetype=mimetype), _MIMETYPE)
        recording = await speech.whole(http, state, request)
    words = recording.info.words or ()
    return await json_response(lambda: _answer(recording.audio, words, mimetype), speech.headers(recording))


def _own_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `/v1/audio/speech`, from Kokoro's. Raises InvalidRequest."""
    fields = dict(body)
    if speech.take_flag(fields, "return_download_link"):
        raise InvalidRequest("the audio is in the answer; leave return_download_link out", field="return_download_link")
    fields["timestamps"] = "word" if speech.take_flag(fields, "return_timestamps", default=True) else "chunk"
    for name, (own, convert) in _CONVERTED.items():
        if name in fields and own in fields:
            raise InvalidRequest(f"give {name} or {own}, not both", field=name)
        if name in fields:
            fields[own] = convert(fields.pop(name))
    return fields


def _language(code: object) -> object:
    """One of our own codes is left as it is."""
    return _LANGUAGES.get(code, code) if isinstance(code, str) else code


def _decibels(multiplier: object) -> float:
    if isinstance(multiplier, bool) or not isinstance(multiplier, int | float):
        raise InvalidRequest(f"volume_multiplier must be a number, not {quote(multiplier)}", field="volume_multiplier")
    if not _QUIETEST <= multiplier <= _LOUDEST:
        limits = f"{_QUIETEST:g} to {_LOUDEST:g}"
        raise InvalidRequest(f"volume_multiplier must be {limits}, not {quote(multiplier)}", field="volume_multiplier")
    return 20 * math.log10(multiplier)


_CONVERTED: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "lang_code": ("language", _language),
    "volume_multiplier": ("gain_db", _decibels),
}


def _lines(
    parts: AsyncIterator[streamed.StreamPart], live: Live, scope: streamed.ProgressScope, *, mimetype: str
) -> AsyncIterator[bytes]:
    """An error has a line of its own, without audio."""
    del live, scope
    lines = (_line(_answer(part.audio, part.words, mimetype)) async for part in parts)
    return streamed.with_error(lines, lambda failure: _line(failure.answer()))


def _answer(audio: bytes, words: Sequence[SpokenWord], mimetype: str) -> dict[str, Any]:
    timestamps = [{"word": word.text, "start_time": word.start_s, "end_time": word.end_s} for word in words]
    return {"audio": base64.b64encode(audio).decode(), "audio_format": mimetype, "timestamps": timestamps}


def _line(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"
