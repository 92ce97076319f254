"""What goes back of many texts: `results`, in the order of the texts, each delivered by itself.

An answer's bytes are shared out: as many texts as fit go inline, the others through the bucket or over the volume, as
for a single text. Room for what is said about every text is kept from the start, so that a result that cannot be delivered is an
error in its place and never the end of the others.

A streaming worker yields `{"index", "result"}` as each text is finished, then a summary. What the platform's limit for a
piece allows but not its limit for the job's result is in the stream only, and its result says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from chatterbox_worker.errors import AnswerTooLarge, DeviceFailed, InvalidRequest, WorkerError
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.serverless.delivery import Delivery, Route, Unlogged, serialized_bytes
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from chatterbox_worker.serverless.texts.request import Text, Texts
from chatterbox_worker.serverless.texts.speak import spoken
from chatterbox_worker.synthesizer import CancelScope, Recording, Synthesizer

_ABOUT_BYTES = 2500  # of a result without its audio: facts, timings and a presigned URL; the text is counted apart
_ABOUT_BYTES_PER_CHARACTER = 4  # of the text: the chunks repeat it, and each has places and times
_SUMMARY_BYTES = 400
_FIELD_CHARS = 64  # of a name that a caller made up
_STREAMED_ONLY = "too large for the job's result: the audio went through the stream only"

Result = dict[str, Any]


def answer(
    texts: Texts, synthesizer: Synthesizer, delivery: Delivery, route: Route, call: CancelScope
) -> dict[str, Any]:
    """
    Raises:
        InvalidRequest: so many texts could not be answered within the platform's limit.
        AnswerTooLarge: what is said about them came out longer than was kept for it.
        Cancelled: the call was cancelled.
    """
    desk = _Desk(texts, delivery, route)
    results: dict[int, Result] = {}
    for index, outcome in spoken(texts, synthesizer, partial(delivery.check, route=route), call):
        results[index] = desk.result(index, outcome)
    whole = {"results": [results[index] for index in range(len(texts))], **desk.summary()}
    if (size := serialized_bytes(whole)) > route.limit_bytes:
        raise AnswerTooLarge(
            f"the answer has {size / 1e6:.1f} MB and at most {route.limit_bytes / 1e6:.1f} MB can go back: send fewer texts in a job",
            field="texts",
        )
    return whole


def streamed(
    texts: Texts, synthesizer: Synthesizer, delivery: Delivery, route: Route, call: CancelScope
) -> Iterator[Unlogged]:
    """Raises InvalidRequest before the first piece, Cancelled."""
    desk = _Desk(texts, delivery, route)
    for index, outcome in spoken(texts, synthesizer, partial(delivery.check, route=route), call):
        result, is_in_stream_only = desk.piece(index, outcome)
        yield Unlogged(index=index, result=result)
        if is_in_stream_only:  # posted; the SDK keeps the same object for the job's result
            result.pop("audio_base64", None)
            result["warnings"] = [*result["warnings"], _STREAMED_ONLY]
    yield Unlogged(desk.summary())


class _Desk:
    """Hands results out one after another, within what the platform lets a job's answer have."""

    def __init__(self, texts: Texts, delivery: Delivery, route: Route) -> None:
        self._started_s = time.perf_counter()
        self._texts = texts
        self._delivery = delivery
        self._route = route
        self._kept = [_about_bytes(text) for text in texts]
        self._free = route.limit_bytes - _SUMMARY_BYTES - sum(self._kept)
        self._left = len(texts)
        self._failed = 0
        self._duration_s = 0.0
        self._device_failed = False
        if self._free < 0:
            raise InvalidRequest(
                f"an answer about {len(texts)} texts may not fit into the {route.limit_bytes / 1e6:.1f} MB that can go "
                "back, even without their audio: send fewer in a job",
                field="texts",
            )

    def result(self, index: int, outcome: Recording | WorkerError) -> Result:
        """The text's part of the answer."""
        return self._counted(index, self._made(index, outcome, self._allowed(index)))

    def piece(self, index: int, outcome: Recording | WorkerError) -> tuple[Result, bool]:
        """The same for a stream; and whether its audio must not stay in the job's result."""
        try:
            made = self._delivered(index, outcome, min(self._allowed(index), CHUNK_BYTES))
        except AnswerTooLarge:
            made = self._made(index, outcome, CHUNK_BYTES)
            self._left -= 1  # and what was kept is for what is said about it
            return made, "error" not in made
        except WorkerError as error:
            made = self._refused(index, error)
        return self._counted(index, made), False

    def summary(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "texts": len(self._texts),
            "failed": self._failed,
            "duration_s": round(self._duration_s, 4),
            "generation_time_ms": round((time.perf_counter() - self._started_s) * 1000, 1),
        }
        return about | ({"refresh_worker": True} if self._device_failed else {})

    def _allowed(self, index: int) -> int:
        """What the text may have; where its format may shrink, no more than its share, so that it leaves room for others."""
        request = self._texts[index].request
        may_shrink = isinstance(request, SpeechRequest) and bool(request.smaller_formats)
        return self._kept[index] + (self._free // max(1, self._left) if may_shrink else self._free)

    def _made(self, index: int, outcome: Recording | WorkerError, limit_bytes: int) -> Result:
        try:
            return self._delivered(index, outcome, limit_bytes)
        except WorkerError as error:
            return self._refused(index, error)

    def _counted(self, index: int, made: Result) -> Result:
        self._free += self._kept[index] - serialized_bytes(made)
        self._left -= 1
        return made

    def _delivered(self, index: int, outcome: Recording | WorkerError, limit_bytes: int) -> Result:
        if isinstance(outcome, WorkerError):
            raise outcome
        text = self._texts[index]
        assert isinstance(text.request, SpeechRequest)  # noqa: S101 - it was spoken
        name = {"id": text.id}
        route = replace(self._route, limit_bytes=limit_bytes - serialized_bytes(name))
        made = name | self._delivery.deliver(outcome, text.request, route)
        self._duration_s += outcome.about["duration_s"]
        return made

    def _refused(self, index: int, error: WorkerError) -> Result:
        self._failed += 1
        self._device_failed |= isinstance(error, DeviceFailed)
        hint = ", or send fewer texts in a job" if isinstance(error, AnswerTooLarge) else ""
        field = None if error.field is None else error.field[:_FIELD_CHARS]
        return {
            "id": self._texts[index].id,
            "error": {"code": error.code, "message": error.message + hint, "field": field},
        }


def _about_bytes(text: Text) -> int:
    said = text.request.text if isinstance(text.request, SpeechRequest) else ""
    encoded = len(json.dumps(said, ensure_ascii=False).encode(errors="replace"))
    return _ABOUT_BYTES + _ABOUT_BYTES_PER_CHARACTER * encoded
