"""Several voices in one file: each turn is a request of its own, so that it is cached, and changed, by itself.

Where the model hears context, a turn waits for those before it and hears the last of them; else they are spoken side by side.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.join import SENTENCE_PAUSE_S
from chatterbox_worker.catalogue import FORMATS, MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, WorkerError, quote
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS, MOST_SPEAKERS, PastTurn, SpeechRequest, with_defaults
from chatterbox_worker.server import bodies, captions, schemas, speech
from chatterbox_worker.server.sliced import Sliced, SlicedJson
from chatterbox_worker.server.state import AppState, State
from chatterbox_worker.serverless.delivery import inline
from chatterbox_worker.synthesizer import CancelScope, Recording

router = APIRouter(tags=["speech"])

_MOST_TURNS = 200
_LONGEST_PAUSE_S = 10.0
_AT_ONCE = 4  # turns of one dialogue, so that it leaves room for others
_BETWEEN = "flac"  # lossless, and small enough for a queue's answer
_TURNS_HEARD = 8  # by a turn, of those before it: about as much as csm has room for
_LONGEST_TURN_S = 86_400.0  # no limit but `max_text_chars`


@router.post("/dialogue", **schemas.speech(schemas.DIALOGUE))
async def dialogue(http: Request, state: State) -> Response:
    """`turns`, each with a text and any field of speech; what stands beside them is the default of all."""
    fields = await bodies.read_object(http)
    kind = None if (given := fields.pop("captions", None)) is None else captions.check(given)
    turns, pauses_s = _turns(fields, state.settings)
    calls = [CancelScope() for _ in turns]
    everyone = _Everyone(calls)
    with state.admission.place():
        async with speech.cancelled_when_gone(http, everyone):
            recordings = await _spoken(state, turns, calls)
    for turn, recording in zip(turns, recordings, strict=True):
        state.metrics.spoke(recording.about, len(turn.text), hit=recording.hit)
    return await asyncio.to_thread(_answer, turns[0], recordings, pauses_s, kind)


class _Everyone(CancelScope):
    def __init__(self, calls: Sequence[CancelScope]) -> None:
        super().__init__()
        self._calls = calls

    def cancel(self) -> None:
        super().cancel()
        for call in self._calls:
            call.cancel()


def _turns(fields: dict[str, Any], settings: Settings) -> tuple[list[SpeechRequest], list[float]]:
    turns = fields.pop("turns", None)
    if not isinstance(turns, list) or not 1 <= len(turns) <= _MOST_TURNS:
        raise InvalidRequest(f"turns must be a list of 1 to {_MOST_TURNS} objects, each with a text", field="turns")
    if "text" in fields:
        raise InvalidRequest("each turn has a text of its own; leave this one out", field="text")
    if "context" in fields:
        raise InvalidRequest("the turns are each other's context; leave this one out", field="context")
    pause_s = _pause(fields.pop("pause_s", SENTENCE_PAUSE_S), "pause_s")
    requests, pauses_s = [], []
    speakers: dict[object, int] = {}
    for index, turn in enumerate(turns):
        place = f"turns[{index}]"
        if not isinstance(turn, dict):
            raise InvalidRequest(f"{place} must be an object, not {quote(turn)}", field=place)
        if "context" in turn:
            raise InvalidRequest("the turns are each other's context; leave this one out", field=f"{place}.context")
        if misplaced := {"format", "sample_rate"} & set(turn):
            name = min(misplaced)
            raise InvalidRequest(f"{name} is of the whole dialogue; put it beside turns", field=f"{place}.{name}")
        own = dict(turn)
        pauses_s.append(_pause(own.pop("pause_s", pause_s), f"{place}.pause_s"))
        try:
            requests.append(_numbered(speech.parse(whole := with_defaults(own, fields), settings), whole, speakers))
        except InvalidRequest as error:
            raise InvalidRequest(f"{place}: {error.message}", field=f"{place}.{error.field}") from None
    if sum(len(request.text) for request in requests) > settings.max_text_chars:
        raise InvalidRequest(f"the turns have more than {settings.max_text_chars} characters together", field="turns")
    return requests, [*pauses_s[:-1], 0.0]


def _numbered(request: SpeechRequest, fields: Mapping[str, Any], speakers: dict[object, int]) -> SpeechRequest:
    """With the number of its speaker, for a model that hears context: each voice is one, unless the turn says otherwise."""
    if "speaker" in fields or not MODELS[request.model].uses_context:
        return request
    voice = (request.voice, request.reference_audio, request.voice_url)
    return replace(request, speaker=speakers.setdefault(voice, len(speakers) % MOST_SPEAKERS))


def _pause(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_PAUSE_S:
        raise InvalidRequest(f"{field} must be 0 to {_LONGEST_PAUSE_S:g} seconds, not {quote(value)}", field=field)
    return float(value)


async def _spoken(state: AppState, turns: Sequence[SpeechRequest], calls: Sequence[CancelScope]) -> list[Recording]:
    room = asyncio.Semaphore(min(_AT_ONCE, state.settings.concurrency))

    async def speak(index: int) -> Recording:
        context: tuple[PastTurn, ...] = ()
        if MODELS[turns[index].model].uses_context:
            said = await asyncio.gather(*tasks[:index])
            context = _heard(list(zip(turns, said, strict=False))[-_TURNS_HEARD:])
        async with room:
            try:
                rate = 24_000  # every model's own
                turn = replace(turns[index], format=_BETWEEN, sample_rate=rate, context=context)
                return await state.backend.speak(turn, calls[index])
            except WorkerError as error:
                for call in calls:
                    call.cancel()
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


def _heard(turns: Sequence[tuple[SpeechRequest, Recording]]) -> tuple[PastTurn, ...]:
    """As context, but for turns so long that no model would have room for them."""
    return tuple(
        PastTurn(text=turn.text, audio=base64.b64encode(recording.audio).decode(), speaker=turn.speaker)
        for turn, recording in turns
        if len(turn.text) <= LONGEST_TRANSCRIPT_CHARS
    )


def _answer(
    wanted: SpeechRequest, recordings: Sequence[Recording], pauses_s: Sequence[float], kind: str | None
) -> Response:
    parts: list[Audio] = []
    chunks: list[dict[str, Any]] = []
    at_s = 0.0
    for index, (recording, pause_s) in enumerate(zip(recordings, pauses_s, strict=True)):
        clip = decode(recording.audio, field="turns", max_s=_LONGEST_TURN_S)
        chunks += [
            {**chunk, "turn": index, "voice": recording.about["voice"],
             "start_s": round(chunk["start_s"] + at_s, 4), "end_s": round(chunk["end_s"] + at_s, 4)}
            for chunk in recording.about["chunks"]
        ]  # fmt: skip
        parts += [clip, silence(pause_s, clip.sample_rate)]
        at_s += clip.duration_s + parts[-1].duration_s
    audio = concatenate(parts)
    about = {
        **recordings[0].about,
        "mimetype": FORMATS[wanted.format].mimetype, "format": wanted.format, "sample_rate": wanted.sample_rate,
        "duration_s": round(audio.duration_s, 4), "chunks": chunks, "turns": len(recordings),
        "seeds": [recording.about["seed"] for recording in recordings],
        "warnings": [f"turns[{i}]: {w}" for i, recording in enumerate(recordings) for w in recording.about["warnings"]],
    }  # fmt: skip
    for of_one in ("seed", "voice", "model", "language"):
        about.pop(of_one)
    data = encode(audio, wanted.format, wanted.sample_rate)
    if kind is None:
        return Sliced(data, media_type=about["mimetype"], headers={"X-Chatterbox-Duration": str(about["duration_s"])})
    total_s = sum(recording.timings["total_s"] for recording in recordings)
    hit = all(recording.hit for recording in recordings)
    whole = Recording(data, about, "", hit=hit, timings={"total_s": total_s})
    told = inline(whole, as_url=False, limit_bytes=2**40)
    del told["cache_key"]  # it has one for each turn
    return SlicedJson(told | {"captions": speech.captions_of(kind, about)})
