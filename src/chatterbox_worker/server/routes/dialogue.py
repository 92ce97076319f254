"""Several voices in one file: each turn is a request of its own, so that it can be cached and changed by itself.

If the model uses context, a turn waits for those before it and gets the last of them as its context. Otherwise the
turns are generated at the same time.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from chatterbox_worker.answer import Recording, SpokenChunk, SpokenWord
from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.join import SENTENCE_PAUSE_S
from chatterbox_worker.catalogue import FORMATS, MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, WorkerError, quote
from chatterbox_worker.request import (
    LONGEST_TRANSCRIPT_CHARS,
    MOST_SPEAKERS,
    PastTurn,
    SpeechRequest,
    with_defaults,
    without_nulls,
)
from chatterbox_worker.server import bodies, schemas, speech
from chatterbox_worker.server.sliced import SlicedJsonResponse, SlicedResponse
from chatterbox_worker.server.state import AppState, State
from chatterbox_worker.synthesizer import CancelScope
from chatterbox_worker.text import captions
from chatterbox_worker.text.markup import pauses
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.scripts import speakable

router = APIRouter(tags=["speech"])

_Part = TypeVar("_Part", SpokenChunk, SpokenWord)

_MOST_TURNS = 200
_LONGEST_PAUSE_S = 10.0
_AT_ONCE = 4  # turns of one dialogue, so that it leaves capacity for other requests
_TURN_FORMAT = "flac"  # lossless, and small enough for a queue's answer
_RATE = 24_000  # Hertz, every model's own
_CONTEXT_TURNS = 8  # that come before a turn: about as much as fits into csm's context
_LONGEST_TURN_S = 86_400.0  # no limit but `max_text_chars`


@router.post("/dialogue", **schemas.speech(schemas.DIALOGUE))
async def dialogue(http: Request, state: State) -> Response:
    """`turns`, each with a text and any field of speech; fields next to `turns` are the defaults of all turns."""
    fields = await bodies.read_object(http)
    kind = None if (given := fields.pop("captions", None)) is None else captions.check(given)
    turns, pauses_s = _parse_turns(fields, state.settings)
    scopes = [CancelScope() for _ in turns]
    with state.admission.place():
        async with speech.cancel_on_disconnect(http, _TurnsScope(scopes)):
            recordings = await _speak_turns(state, turns, scopes)
    for turn, recording in zip(turns, recordings, strict=True):
        if recording is not None:
            state.metrics.count_speech(recording.info, len(turn.text), hit=recording.hit)
    return await asyncio.to_thread(_build_response, turns[0], recordings, pauses_s, kind)


class _TurnsScope(CancelScope):
    """Cancels the scopes of all turns."""

    def __init__(self, scopes: Sequence[CancelScope]) -> None:
        super().__init__()
        self._scopes = scopes

    def cancel(self) -> None:
        super().cancel()
        for scope in self._scopes:
            scope.cancel()


def _parse_turns(fields: dict[str, Any], settings: Settings) -> tuple[list[SpeechRequest], list[float]]:
    turns = fields.pop("turns", None)
    if not isinstance(turns, list) or not 1 <= len(turns) <= _MOST_TURNS:
        raise InvalidRequest(f"turns must be a list of 1 to {_MOST_TURNS} objects, each with a text", field="turns")
    if "text" in fields:
        raise InvalidRequest("each turn has a text of its own; leave this text out", field="text")
    if "context" in fields:
        raise InvalidRequest("the turns are each other's context; leave context out", field="context")
    pause_s = _check_pause(fields.pop("pause_s", SENTENCE_PAUSE_S), "pause_s")
    requests, pauses_s = [], []
    speakers: dict[object, int] = {}
    for index, turn in enumerate(turns):
        place = f"turns[{index}]"
        own = _own_fields(turn, place)
        pauses_s.append(_check_pause(own.pop("pause_s", pause_s), f"{place}.pause_s"))
        try:
            full = with_defaults(own, fields)
            requests.append(_number_speaker(speech.parse(full, settings), full, speakers))
        except InvalidRequest as error:
            raise InvalidRequest(f"{place}: {error.message}", field=f"{place}.{error.field}") from None
    if all(map(_is_silent, requests)):
        raise InvalidRequest("no turn has a text that can be spoken", field="turns")
    if sum(len(request.text) for request in requests) > settings.max_text_chars:
        raise InvalidRequest(f"the turns have more than {settings.max_text_chars} characters together", field="turns")
    own_s = [pauses.pauses_s(break_tags(request.text)) if _is_silent(request) else 0.0 for request in requests]
    return requests, [own + pause for own, pause in zip(own_s, [*pauses_s[:-1], 0.0], strict=True)]


def _own_fields(turn: object, place: str) -> dict[str, Any]:
    if not isinstance(turn, dict):
        raise InvalidRequest(f"{place} must be an object, not {quote(turn)}", field=place)
    own = without_nulls(turn)
    if "context" in own:
        raise InvalidRequest("the turns are each other's context; leave context out", field=f"{place}.context")
    if misplaced := {"format", "sample_rate", "bitrate_kbps"} & set(own):
        name = min(misplaced)
        raise InvalidRequest(f"{name} applies to the whole dialogue; set it next to turns", field=f"{place}.{name}")
    return own


def _is_silent(turn: SpeechRequest) -> bool:
    """Whether there is nothing to speak in it, such as "..." or "[pause:1s]" for a pause."""
    return turn.text_format == "plain" and not any(map(speakable, pauses.without_pauses(break_tags(turn.text))))


def _number_speaker(request: SpeechRequest, fields: Mapping[str, Any], speakers: dict[object, int]) -> SpeechRequest:
    """With its speaker's number if the model uses context: each voice is a speaker, unless the turn names another."""
    if "speaker" in fields or not MODELS[request.model].uses_context:
        return request
    voice = (request.voice, request.reference_audio, request.voice_url)
    return replace(request, speaker=speakers.setdefault(voice, len(speakers) % MOST_SPEAKERS))


def _check_pause(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_PAUSE_S:
        raise InvalidRequest(f"{field} must be 0 to {_LONGEST_PAUSE_S:g} seconds, not {quote(value)}", field=field)
    return float(value)


async def _speak_turns(
    state: AppState, turns: Sequence[SpeechRequest], scopes: Sequence[CancelScope]
) -> list[Recording | None]:
    """One recording for each turn; None for a silent one."""
    slots = asyncio.Semaphore(min(_AT_ONCE, state.settings.concurrency))

    async def speak(index: int) -> Recording | None:
        if _is_silent(turns[index]):
            return None
        context: tuple[PastTurn, ...] = ()
        if MODELS[turns[index].model].uses_context:
            earlier = await asyncio.gather(*tasks[:index])
            context = _as_context(list(zip(turns, earlier, strict=False))[-_CONTEXT_TURNS:])
        async with slots:
            try:
                turn = replace(turns[index], format=_TURN_FORMAT, sample_rate=_RATE, bitrate_kbps=None, context=context)
                return await state.backend.speak(turn, scopes[index])
            except WorkerError as error:
                for scope in scopes:
                    scope.cancel()
                error.field = f"turns[{index}]" + (f".{error.field}" if error.field else "")
                error.message = f"turns[{index}]: {error.message}"
                raise

    tasks = [asyncio.create_task(speak(index)) for index in range(len(turns))]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    failed = next((task.exception() for task in tasks if task in done and task.exception() is not None), None)
    if failed is not None:
        await asyncio.gather(*tasks, return_exceptions=True)
        raise failed
    return [task.result() for task in tasks]


def _as_context(turns: Sequence[tuple[SpeechRequest, Recording | None]]) -> tuple[PastTurn, ...]:
    """As context, without the turns that are silent or too long for a transcript."""
    return tuple(
        PastTurn(text=turn.text, audio=base64.b64encode(recording.audio).decode(), speaker=turn.speaker)
        for turn, recording in turns
        if recording is not None and len(turn.text) <= LONGEST_TRANSCRIPT_CHARS
    )


def _build_response(
    first: SpeechRequest, recordings: Sequence[Recording | None], pauses_s: Sequence[float], kind: str | None
) -> Response:
    parts: list[Audio] = []
    chunks: list[SpokenChunk] = []
    owners: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    at_s = 0.0
    for index, (recording, pause_s) in enumerate(zip(recordings, pauses_s, strict=True)):
        if recording is None:
            parts.append(silence(pause_s, _RATE))
            at_s += parts[-1].duration_s
            continue
        clip = decode(recording.audio, field="turns", max_s=_LONGEST_TURN_S)
        owner = {"turn": index, "voice": recording.info.voice}
        for chunk in recording.info.chunks:
            chunks.append(_later(chunk, at_s))
            owners.append(owner)
        words += [asdict(_later(word, at_s)) | owner for word in recording.info.words or ()]
        parts += [clip, silence(pause_s, clip.sample_rate)]
        at_s += clip.duration_s + parts[-1].duration_s
    audio = concatenate(parts)
    data = encode(audio, first.format, first.sample_rate, first.bitrate_kbps)
    mimetype, duration_s = FORMATS[first.format].mimetype, round(audio.duration_s, 4)
    if kind is None:
        return SlicedResponse(data, media_type=mimetype, headers={"X-Chatterbox-Duration": str(duration_s)})
    spoken = [recording for recording in recordings if recording is not None]
    info = replace(
        spoken[0].info, mimetype=mimetype, format=first.format, sample_rate=first.sample_rate,
        duration_s=duration_s, chunks=tuple(chunks), words=None,
        warnings=tuple(f"turns[{i}]: {w}" for i, recording in enumerate(recordings) if recording
                       for w in recording.info.warnings),
    )  # fmt: skip
    total_s = sum(recording.timings["total_s"] for recording in spoken)
    hit = all(recording.hit for recording in spoken)
    answer = Recording(data, info, "", hit=hit, timings={"total_s": total_s}).inline()
    answer["chunks"] = [chunk | owner for chunk, owner in zip(answer["chunks"], owners, strict=True)]
    answer |= {"words": words} if words else {}
    for of_one_turn in ("seed", "voice", "model", "language", "cache_key"):
        del answer[of_one_turn]
    whole = {
        "turns": len(recordings),
        "seeds": [recording.info.seed if recording else None for recording in recordings],
    }
    return SlicedJsonResponse(answer | whole | {"captions": captions.write(kind, answer["chunks"], duration_s)})


def _later(part: _Part, at_s: float) -> _Part:
    """The part of a turn in a dialogue where the turn begins at `at_s`."""
    return replace(part, start_s=round(part.start_s + at_s, 4), end_s=round(part.end_s + at_s, 4))
