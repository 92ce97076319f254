"""What each call does, step by step, once for the sync and the async client.

A flow is a generator: it yields a `HttpCall` and is sent its outcome, or yields a `Wait`; its value is the result. The
client that drives it does the networking and the sleeping, so every branch can be tested without either.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatterbox_worker.client.errors import AudioOnVolume, ClientError, NoAudio, RequestRefused
from chatterbox_worker.client.job_errors import JobCancelled, JobFailed, JobTimedOut, StillRunning
from chatterbox_worker.client.sound import decode, find, unwrap
from chatterbox_worker.client.types import Job, StreamChunk, read_words
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
_PIECE_S = 600.0  # for one piece of a file, with a cold start before it
_STREAM_WAIT_S = 10.0  # how long RunPod waits before it answers a /stream that has nothing new

T = TypeVar("T")
_Client = TypeVar("_Client")


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
    """The call's outcome; the call is tried again if that is safe."""
    failures = 0
    while True:
        outcome = yield call
        if outcome is None:
            raise RuntimeError("the driver sent no outcome for a call")
        failures += 1
        pause_s = retry_after_s(call, outcome, failures, patience)
        if pause_s is None:
            return outcome
        log.warning("%s %s failed, trying again in %.1f s", call.method, call.path.partition("?")[0], pause_s)
        yield Wait(pause_s)


def ask(call: HttpCall, patience: Patience) -> Flow[dict[str, Any]]:
    """The JSON object in the call's answer. Raises ClientError."""
    return json_of(call, (yield from send(call, patience)))


def run(job_input: Mapping[str, Any], patience: Patience) -> Flow[Job]:
    return _job((yield from ask(submission("/run", job_input), patience)))


def runsync(job_input: Mapping[str, Any], timeout_s: float, patience: Patience) -> Flow[Job]:
    """The finished job: the call itself waits for it, then it is polled.

    Raises:
        JobFailed, StillRunning, ClientError
    """
    deadline = Deadline.after(timeout_s, patience)
    wait_s = min(max(timeout_s, _SHORTEST_WAIT_S), LONGEST_WAIT_S)
    job = _job((yield from ask(submission("/runsync", job_input, wait_s=wait_s), patience)))
    return check_completed(job) if job.is_final else (yield from poll(job.id, deadline, None))


def status(job_id: str, patience: Patience) -> Flow[Job]:
    return _job((yield from ask(HttpCall("GET", f"/status/{_segment(job_id)}"), patience)))


def poll(job_id: str, deadline: Deadline, on_update: OnUpdate | None) -> Flow[Job]:
    """The finished job; `on_update` gets it at every poll. Raises JobFailed, StillRunning, ClientError."""
    polls = 0
    while True:
        job = yield from status(job_id, deadline.patience)
        polls += 1
        if on_update is not None:
            on_update(job)
        if job.is_final:
            return check_completed(job)
        pause_s = deadline.patience.poll_pause_s(polls)
        if deadline.left_s < pause_s:
            raise StillRunning(job, deadline.waited_s)
        yield Wait(pause_s)


def cancel(job_id: str, patience: Patience) -> Flow[Job]:
    return _job((yield from ask(HttpCall("POST", f"/cancel/{_segment(job_id)}"), patience)))


def health(patience: Patience) -> Flow[dict[str, Any]]:
    return ask(HttpCall("GET", "/health"), patience)


def audio_of(response: object, patience: Patience) -> Flow[bytes]:
    """The encoded audio of a job, an output, or JSON of either; downloaded if the answer has a URL or a path.

    Raises:
        AudioOnVolume: it is a file on the endpoint's volume, and the endpoint does not hand it out.
        NoAudio: there is none.
    """
    found = find(response["output"] if isinstance(response, Mapping) and "output" in response else response)
    if found.audio is not None:
        return found.audio
    if found.path is not None:
        try:
            return (yield from read_output(found.path, patience))
        except (JobFailed, NoAudio) as error:  # an older worker, or a file that was deleted
            raise AudioOnVolume(found.path, found.about, str(error)) from error
    if found.url is None or not found.url.lower().startswith(("http://", "https://")):
        raise NoAudio("audio_url is not an http or https URL")
    call = HttpCall("GET", found.url)
    return content_of(call, (yield from send(call, patience)))


def read_output(path: str, patience: Patience) -> Flow[bytes]:
    """A file on the endpoint's volume, in as many jobs as it takes. Raises JobFailed, NoAudio, ClientError."""
    data = bytearray()
    while True:
        job_input = {"action": "outputs.get", "path": path, "offset": len(data)}
        piece = unwrap((yield from runsync(job_input, _PIECE_S, patience)).output)
        if not isinstance(piece, Mapping) or "data_base64" not in piece:
            raise NoAudio("the endpoint's answer is not a piece of a file")
        data += decode(piece["data_base64"])
        if piece.get("next_offset") is None:
            return bytes(data)
        if piece["next_offset"] != len(data) or len(data) == job_input["offset"]:
            raise NoAudio(f"the endpoint's pieces of {path} do not join at {len(data)}")


@dataclass(slots=True)
class StreamReader:
    """How far a stream has been read."""

    job_id: str
    deadline: Deadline
    next_index: int = 0
    summary: Mapping[str, Any] | None = None
    """The last item: everything about the whole except its audio."""
    is_over: bool = False
    needs_result: bool = False
    """The rest is in the job's result: chunks that were lost on the way, or the reason it failed."""
    polls_in_queue: int = 0
    """Since a worker last had the job."""


class OpenStream(Generic[_Client]):
    """What the streams of both clients have alike."""

    def __init__(self, client: _Client, reader: StreamReader) -> None:
        self._client = client
        self._reader = reader

    @property
    def job_id(self) -> str:
        return self._reader.job_id

    @property
    def summary(self) -> Mapping[str, Any] | None:
        """Everything about the whole except its audio; None until the stream has ended."""
        return self._reader.summary


def read_stream(reader: StreamReader) -> Flow[list[StreamChunk]]:
    """The chunks that have come since the last call, in order, none twice and none left out.

    RunPod returns each chunk once, so an answer that is lost on the way leaves a gap; the rest is then taken from the
    output of the finished job. An endpoint that does not stream has everything there: one chunk.
    """
    if reader.needs_result:
        return (yield from _read_result(reader))
    patience = reader.deadline.patience
    call = HttpCall("GET", f"/stream/{_segment(reader.job_id)}", wait_s=_STREAM_WAIT_S)
    asked_s = patience.clock()
    try:
        answer = yield from ask(call, patience)
    except RequestRefused:  # the job's status has the reason, or the result if only /stream is refused
        reader.needs_result = True
        return []
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
        reader.polls_in_queue = reader.polls_in_queue + 1 if state == "IN_QUEUE" else 0
        pause_s = patience.poll_pause_s(max(1, reader.polls_in_queue)) - (patience.clock() - asked_s)
        if pause_s > 0:  # the server did not wait for news itself
            yield Wait(pause_s)
    return chunks


def _take(reader: StreamReader, output: object, chunks: list[StreamChunk]) -> bool:
    """Add a streamed item to `chunks` or to the reader; False if something before it is missing."""
    if not isinstance(output, Mapping):
        raise NoAudio(f"the stream holds {type(output).__name__}, not chunks of speech")
    if "result" in output:
        raise NoAudio(f"the job has several texts: poll_until_complete({reader.job_id!r}).results has them")
    if "code" in output and "message" in output:
        return True  # why the job fails, which its status says too
    if "index" not in output:
        reader.summary = output
        return True
    if output["index"] != reader.next_index or "audio_base64" not in output:
        return False  # a long job's result has the chunks without their audio
    chunks.append(_chunk(output, decode(output["audio_base64"])))
    reader.next_index += 1
    return True


def _read_result(reader: StreamReader) -> Flow[list[StreamChunk]]:
    """The chunks that are still missing, from the finished job. Raises JobFailed, StillRunning, ClientError."""
    try:
        job = yield from poll(reader.job_id, reader.deadline, None)
    except JobFailed:
        reader.is_over = True
        raise
    reader.is_over = True
    if not isinstance(job.output, list) or len(job.output) == 1:
        return [] if reader.next_index else [(yield from _only_chunk(reader, job))]
    chunks: list[StreamChunk] = []
    for item in job.output:
        if isinstance(item, Mapping) and item.get("index", reader.next_index) < reader.next_index:
            continue
        if not _take(reader, item, chunks):
            raise ClientError(
                f"chunk {reader.next_index} was lost on the way and the job's result does not have it; "
                f"save_audio has the whole, if there is one: poll_until_complete({reader.job_id!r})"
            )
    return chunks


def _only_chunk(reader: StreamReader, job: Job) -> Flow[StreamChunk]:
    audio = yield from audio_of(job, reader.deadline.patience)
    reader.summary = find(job.output).about
    raw = {"index": 0, "start_s": 0.0, "duration_s": reader.summary.get("duration_s")}
    raw |= {"words": reader.summary["words"]} if "words" in reader.summary else {}
    return _chunk(raw, audio)


def _chunk(output: Mapping[str, Any], audio: bytes) -> StreamChunk:
    words = read_words(output.get("words", ()))
    return StreamChunk(output, int(output["index"]), float(output["start_s"]), audio, words)


def check_completed(job: Job) -> Job:
    """The job, if it completed. Raises JobFailed with the worker's own reason."""
    if job.status == "COMPLETED":
        return job
    kind = {"CANCELLED": JobCancelled, "TIMED_OUT": JobTimedOut}.get(job.status, JobFailed)
    details = job.output if isinstance(job.output, Mapping) else job
    raise kind(_reason(job), job=job, code=_text(details.get("code")), field=_text(details.get("field")))


def _reason(job: Job) -> str:
    error = job.get("error") or (job.output.get("error") if isinstance(job.output, Mapping) else None)
    if isinstance(error, str):
        try:
            report = json.loads(error)  # the SDK's report of an exception that the handler raised
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
    """A job id as part of a path. Raises ValueError if it is not a job id."""
    if not job_id or not all(letter.isalnum() or letter in "-_" for letter in job_id):
        raise ValueError(f"{job_id!r} is not a job id")
    return job_id
