"""What each call does, step by step, once for the sync and the async client.

A flow is a generator: it yields a `HttpCall` and is sent its outcome, or yields a `Wait`; its value is the result. Whoever
drives it owns the network and the sleeping, so every branch can be tested without either.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chatterbox_worker.client.errors import ClientError, JobCancelled, JobFailed, JobTimedOut, NoAudio, StillRunning
from chatterbox_worker.client.sound import decode, find
from chatterbox_worker.client.types import Job, StreamChunk
from chatterbox_worker.client.wire import (
    LONGEST_WAIT_S,
    HttpCall,
    Outcome,
    Patience,
    content_of,
    json_of,
    retry_after_s,
    submission,
)

log = logging.getLogger(__name__)

_SHORTEST_WAIT_S = 1.0  # RunPod's own
_STREAM_WAIT_S = 10.0  # how long RunPod holds an empty /stream open

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    duration_s: float


Flow = Generator[HttpCall | Wait, Outcome | None, T]
OnUpdate = Callable[[Job], object]


@dataclass(frozen=True, slots=True)
class Deadline:
    """When to stop waiting for a job."""

    patience: Patience
    started_s: float
    timeout_s: float

    @classmethod
    def after(cls, timeout_s: float, patience: Patience) -> Deadline:
        return cls(patience, patience.clock(), timeout_s)

    @property
    def waited_s(self) -> float:
        return self.patience.clock() - self.started_s

    @property
    def left_s(self) -> float:
        return self.timeout_s - self.waited_s


def send(call: HttpCall, patience: Patience) -> Flow[Outcome]:
    """The call's outcome, tried again as far as that is safe."""
    failures = 0
    while True:
        outcome = yield call
        if outcome is None:
            raise RuntimeError("a call was not answered by an outcome")
        failures += 1
        pause_s = retry_after_s(call, outcome, failures, patience)
        if pause_s is None:
            return outcome
        log.warning("%s %s failed, trying again in %.1f s", call.method, call.path.partition("?")[0], pause_s)
        yield Wait(pause_s)


def ask(call: HttpCall, patience: Patience) -> Flow[dict[str, Any]]:
    """The JSON object that answers the call. Raises ClientError."""
    return json_of(call, (yield from send(call, patience)))


def run(job_input: Mapping[str, Any], patience: Patience) -> Flow[Job]:
    return _job((yield from ask(submission("/run", job_input), patience)))


def runsync(job_input: Mapping[str, Any], timeout_s: float, patience: Patience) -> Flow[Job]:
    """The finished job: waited for in the call itself, then polled for.

    Raises:
        JobFailed, StillRunning, ClientError
    """
    deadline = Deadline.after(timeout_s, patience)
    wait_s = min(max(timeout_s, _SHORTEST_WAIT_S), LONGEST_WAIT_S)
    job = _job((yield from ask(submission("/runsync", job_input, wait_s=wait_s), patience)))
    return finished(job) if job.is_final else (yield from poll(job.id, deadline, None))


def status(job_id: str, patience: Patience) -> Flow[Job]:
    return _job((yield from ask(HttpCall("GET", f"/status/{_segment(job_id)}"), patience)))


def poll(job_id: str, deadline: Deadline, on_update: OnUpdate | None) -> Flow[Job]:
    """The finished job; every look at it goes to `on_update`. Raises JobFailed, StillRunning, ClientError."""
    looks = 0
    while True:
        job = yield from status(job_id, deadline.patience)
        looks += 1
        if on_update is not None:
            on_update(job)
        if job.is_final:
            return finished(job)
        pause_s = deadline.patience.poll_pause_s(looks)
        if deadline.left_s < pause_s:
            raise StillRunning(job, deadline.waited_s)
        yield Wait(pause_s)


def cancel(job_id: str, patience: Patience) -> Flow[Job]:
    return _job((yield from ask(HttpCall("POST", f"/cancel/{_segment(job_id)}"), patience)))


def health(patience: Patience) -> Flow[dict[str, Any]]:
    return ask(HttpCall("GET", "/health"), patience)


def audio_of(response: object, patience: Patience) -> Flow[bytes]:
    """The encoded audio of a job, an output, or JSON of either; downloaded where it lies behind a URL.

    Raises:
        NoAudio: there is none, or it lies on the endpoint's volume, out of reach from here.
    """
    found = find(response["output"] if isinstance(response, Mapping) and "output" in response else response)
    if found.audio is not None:
        return found.audio
    if found.path is not None:
        raise NoAudio(
            f"the audio lies on the endpoint's network volume at {found.path}; it cannot be fetched from here"
        )
    if found.url is None or not found.url.lower().startswith(("http://", "https://")):
        raise NoAudio("audio_url is not an http or https URL")
    call = HttpCall("GET", found.url)
    return content_of(call, (yield from send(call, patience)))


@dataclass(slots=True)
class StreamReader:
    """How far a stream has been read."""

    job_id: str
    deadline: Deadline
    next_index: int = 0
    summary: Mapping[str, Any] | None = None
    """What the worker said last: everything about the whole but its audio."""
    is_over: bool = False
    needs_result: bool = False
    """What is still to come is in the job's result: chunks that were lost on the way, or the reason it failed."""


def read_stream(reader: StreamReader) -> Flow[list[StreamChunk]]:
    """The chunks that have come since the last call, in order, none twice and none left out.

    RunPod hands each chunk out once, so an answer lost on the way leaves a hole; the rest is then taken from the job's
    whole output, once it is finished. So is everything of an endpoint that does not stream: one chunk.
    """
    if reader.needs_result:
        return (yield from _rest(reader))
    patience = reader.deadline.patience
    call = HttpCall("GET", f"/stream/{_segment(reader.job_id)}", wait_s=_STREAM_WAIT_S)
    answer = yield from ask(call, patience)
    chunks: list[StreamChunk] = []
    for item in answer.get("stream") or ():
        if not _take(reader, item.get("output") if isinstance(item, dict) else None, chunks):
            reader.needs_result = True
            return chunks
    state = str(answer.get("status"))
    if Job({"id": reader.job_id, "status": state}).is_final:
        reader.is_over = state == "COMPLETED" and reader.summary is not None and reader.next_index > 0
        reader.needs_result = not reader.is_over
    elif not chunks:
        if reader.deadline.left_s <= 0:
            raise StillRunning(Job({"id": reader.job_id, "status": state}), reader.deadline.waited_s)
        yield Wait(patience.poll_pause_s(1))
    return chunks


def _take(reader: StreamReader, output: object, chunks: list[StreamChunk]) -> bool:
    """Put what was streamed where it belongs; False where something before it is missing."""
    if not isinstance(output, Mapping):
        raise NoAudio(f"the stream holds {type(output).__name__}, not chunks of speech")
    if "result" in output:
        raise NoAudio(f"the job speaks many texts: poll_until_complete({reader.job_id!r}).results has them")
    if "index" not in output:
        reader.summary = output
        return True
    if output["index"] != reader.next_index or "audio_base64" not in output:
        return False  # a long job's result keeps the chunks without their audio
    chunks.append(_chunk(output))
    reader.next_index += 1
    return True


def _rest(reader: StreamReader) -> Flow[list[StreamChunk]]:
    job = yield from poll(reader.job_id, reader.deadline, None)
    reader.is_over = True
    if not isinstance(job.output, list) or len(job.output) == 1:
        return [] if reader.next_index else [(yield from _only_chunk(reader, job))]
    chunks: list[StreamChunk] = []
    for item in job.output:
        if isinstance(item, Mapping) and item.get("index", reader.next_index) < reader.next_index:
            continue
        if not _take(reader, item, chunks):
            raise ClientError(
                f"chunk {reader.next_index} was lost on the way and the job's result has it no more; "
                f"save_audio has the whole, if there is one: poll_until_complete({reader.job_id!r})"
            )
    return chunks


def _only_chunk(reader: StreamReader, job: Job) -> Flow[StreamChunk]:
    audio = yield from audio_of(job, reader.deadline.patience)
    reader.summary = find(job.output).about
    raw = {"index": 0, "start_s": 0.0, "duration_s": reader.summary.get("duration_s")}
    return StreamChunk(raw, 0, 0.0, audio)


def _chunk(output: Mapping[str, Any]) -> StreamChunk:
    return StreamChunk(output, int(output["index"]), float(output["start_s"]), decode(output["audio_base64"]))


def finished(job: Job) -> Job:
    """The job, if it completed. Raises JobFailed with the worker's own reason."""
    if job.status == "COMPLETED":
        return job
    kind = {"CANCELLED": JobCancelled, "TIMED_OUT": JobTimedOut}.get(job.status, JobFailed)
    beside = job.output if isinstance(job.output, Mapping) else {}
    raise kind(_reason(job), job=job, code=_text(beside.get("code")), field=_text(beside.get("field")))


def _reason(job: Job) -> str:
    error = job.get("error")
    if isinstance(error, str):
        try:
            report = json.loads(error)  # the SDK's report of an exception that the handler let through
        except ValueError:
            return error
        return str(report["error_message"]) if isinstance(report, dict) and "error_message" in report else error
    return f"job {job.id} is {job.status}" if error is None else json.dumps(error, ensure_ascii=False)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _job(answer: Mapping[str, Any]) -> Job:
    if not isinstance(answer.get("id"), str) or not isinstance(answer.get("status"), str):
        raise ClientError(f"the endpoint's answer has no id and status, only {', '.join(sorted(answer)) or 'nothing'}")
    return Job(answer)


def _segment(job_id: str) -> str:
    """A job id as part of a path. Raises ValueError for what is none."""
    if not job_id or not all(letter.isalnum() or letter in "-_" for letter in job_id):
        raise ValueError(f"{job_id!r} is not a job id")
    return job_id
