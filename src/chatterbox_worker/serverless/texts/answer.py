"""The answer to several texts: `results`, in the order of the texts, each delivered by itself.

The bytes of the answer are shared: as many texts as fit go inline, the others through the bucket or over the volume, as
for a single text. Space for the report of every text is reserved from the start, so that a result that cannot be
delivered becomes an error in its place and never the end of the others.

A streaming worker yields `{"index", "result"}` as each text finishes, then a summary. A result that fits the platform's
limit for a piece but not its limit for the job's result is in the stream only, and its result says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from chatterbox_worker.answer import Recording
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.errors import AnswerTooLarge, DeviceFailed, InvalidRequest, WorkerError
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.serverless.delivery import Answer, Delivery, Route, Unlogged, serialized_bytes
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from chatterbox_worker.serverless.job import SpeechJob
from chatterbox_worker.serverless.texts.request import Text, TextsJob
from chatterbox_worker.serverless.texts.speak import speak
from chatterbox_worker.synthesis.synthesizer import Synthesizer

_REPORT_BYTES = 2500  # of a result without its audio and its text: facts, timings and a presigned URL
_REPORT_BYTES_PER_CHARACTER = 4  # of the text: the chunks repeat it, each with positions and times
_REPORT_BYTES_PER_TURN = 500  # of a dialogue: at least one chunk, with who speaks, and a seed
_SUMMARY_BYTES = 400
_FIELD_CHARS = 64  # of a field name that a caller made up
_STREAM_ONLY = "too large for the job's result: the audio is in the stream only"

Result = dict[str, Any]


def answer(job: TextsJob, synthesizer: Synthesizer, delivery: Delivery, route: Route, scope: CancelScope) -> Answer:
    """
    Raises:
        InvalidRequest: so many texts could not be answered within the platform's limit.
        AnswerTooLarge: the reports became longer than the space reserved for them.
        Cancelled: the scope was cancelled.
    """
    budget = _Budget(job.texts, delivery, route)
    results: dict[int, Result] = {}
    for index, outcome in speak(job, synthesizer, partial(delivery.check, route=route), scope):
        results[index] = budget.result(index, outcome)
    whole = {"results": [results[index] for index in range(len(job.texts))], **budget.summary()}
    if (size := serialized_bytes(whole)) > route.limit_bytes:
        raise AnswerTooLarge(
            f"the answer has {size / 1e6:.1f} MB and at most {route.limit_bytes / 1e6:.1f} MB can go back: "
            "send fewer texts in a job",
            field="texts",
        )
    return Answer(whole, partial(_deliver_again, whole, job, delivery, route))


def _deliver_again(whole: Result, job: TextsJob, delivery: Delivery, route: Route, limit_bytes: int) -> Result:
    """The same within fewer bytes: what was inline is delivered again, and what finds no place becomes an error."""
    budget = _Budget(job.texts, delivery, replace(route, limit_bytes=limit_bytes))
    results = [budget.again(index, result) for index, result in enumerate(whole["results"])]
    return {**whole, "results": results, "failed": sum("error" in result for result in results)}


def stream(
    job: TextsJob, synthesizer: Synthesizer, delivery: Delivery, route: Route, scope: CancelScope
) -> Iterator[Unlogged]:
    """Raises InvalidRequest before the first piece, Cancelled."""
    budget = _Budget(job.texts, delivery, route)
    pieces: list[Unlogged] = []
    for index, outcome in speak(job, synthesizer, partial(delivery.check, route=route), scope):
        result, is_stream_only = budget.piece(index, outcome)
        pieces.append(Unlogged(index=index, result=result))
        yield pieces[-1]
        if is_stream_only:  # it has been posted; the SDK collects the same object for the job's result
            _leave_in_stream(result)
    summary = budget.summary()
    yield Answer(summary, lambda _: [*_without_audio(pieces), summary])


def _leave_in_stream(result: Result) -> None:
    if (result.pop("audio_base64", None) or _data_uri(result)) is not None:
        result.pop("audio_url", None)
        result["warnings"] = [*result["warnings"], _STREAM_ONLY]


def _without_audio(pieces: list[Unlogged]) -> list[Unlogged]:
    for piece in pieces:
        _leave_in_stream(piece["result"])
    return pieces


def _data_uri(result: Result) -> str | None:
    url = result.get("audio_url")
    return url if isinstance(url, str) and url.startswith("data:") else None


class _Budget:
    """Builds results one after another, within the bytes that the platform allows for a job's answer."""

    def __init__(self, texts: tuple[Text, ...], delivery: Delivery, route: Route) -> None:
        self._started_s = time.perf_counter()
        self._texts = texts
        self._delivery = delivery
        self._route = route
        self._reserved = [_report_bytes(text) for text in texts]
        self._free = route.limit_bytes - _SUMMARY_BYTES - sum(self._reserved)
        self._left = len(texts)
        self._failed = 0
        self._duration_s = 0.0
        self._device_failed = False
        if self._free < 0:
            raise InvalidRequest(
                f"the answer to {len(texts)} texts may not fit into the {route.limit_bytes / 1e6:.1f} MB that can go "
                "back, even without their audio: send fewer in a job",
                field="texts",
            )

    def result(self, index: int, outcome: Recording | WorkerError) -> Result:
        """The text's part of the answer."""
        return self._count(index, self._try_deliver(index, outcome, self._allowance(index)))

    def piece(self, index: int, outcome: Recording | WorkerError) -> tuple[Result, bool]:
        """The same for a stream; and whether its audio must be removed from the job's result."""
        try:
            result = self._deliver(index, outcome, min(self._allowance(index), CHUNK_BYTES))
        except AnswerTooLarge:
            result = self._try_deliver(index, outcome, CHUNK_BYTES)
            self._left -= 1  # the reserved bytes are for its report
            return result, "error" not in result
        except WorkerError as error:
            result = self._refuse(index, error)
        return self._count(index, result), False

    def again(self, index: int, result: Result) -> Result:
        """A result of an earlier answer, in this budget."""
        is_inline = "audio_base64" in result or _data_uri(result) is not None
        return self.result(index, Recording.from_inline(result)) if is_inline else self._count(index, result)

    def summary(self) -> Result:
        summary: Result = {
            "texts": len(self._texts),
            "failed": self._failed,
            "duration_s": round(self._duration_s, 4),
            "generation_time_ms": round((time.perf_counter() - self._started_s) * 1000, 1),
        }
        return summary | ({"refresh_worker": True} if self._device_failed else {})

    def _allowance(self, index: int) -> int:
        """Bytes for this text; if its format may shrink, no more than its share, to leave space for the others."""
        job = self._texts[index].job
        may_shrink = isinstance(job, SpeechJob) and bool(job.smaller_formats)
        return self._reserved[index] + (self._free // max(1, self._left) if may_shrink else self._free)

    def _try_deliver(self, index: int, outcome: Recording | WorkerError, limit_bytes: int) -> Result:
        try:
            return self._deliver(index, outcome, limit_bytes)
        except WorkerError as error:
            return self._refuse(index, error)

    def _count(self, index: int, result: Result) -> Result:
        self._free += self._reserved[index] - serialized_bytes(result)
        self._left -= 1
        return result

    def _deliver(self, index: int, outcome: Recording | WorkerError, limit_bytes: int) -> Result:
        if isinstance(outcome, WorkerError):
            raise outcome
        text = self._texts[index]
        assert isinstance(text.job, SpeechJob)  # noqa: S101 - it was spoken
        name = {"id": text.id}
        route = replace(self._route, limit_bytes=limit_bytes - serialized_bytes(name))
        result = name | self._delivery.deliver(outcome, text.job, route)
        self._duration_s += outcome.info.duration_s
        return result

    def _refuse(self, index: int, error: WorkerError) -> Result:
        self._failed += 1
        self._device_failed |= isinstance(error, DeviceFailed)
        hint = ", or send fewer texts in a job" if isinstance(error, AnswerTooLarge) else ""
        field = None if error.field is None else error.field[:_FIELD_CHARS]
        return {
            "id": self._texts[index].id,
            "error": {"code": error.code, "message": error.message + hint, "field": field},
        }


def _report_bytes(text: Text) -> int:
    request = text.job.request if isinstance(text.job, SpeechJob) else None
    if not isinstance(request, SpeechRequest):
        return _REPORT_BYTES
    encoded = len(json.dumps(request.text, ensure_ascii=False).encode(errors="replace"))
    return _REPORT_BYTES + _REPORT_BYTES_PER_TURN * len(request.turns) + _REPORT_BYTES_PER_CHARACTER * encoded
