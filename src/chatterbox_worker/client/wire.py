"""Requests out, answers in, and when to try again. Pure: its clock is a parameter, and it uses no network.

Tried again: what was never accepted (no connection, 429, 503), and GETs, which change nothing. A POST whose answer was
lost is not: the job may be running, and a second one would be paid for.
"""

from __future__ import annotations

import base64
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chatterbox_worker.client.errors import (
    AnswerLost,
    ClientError,
    NoAudio,
    NotFound,
    RequestRefused,
    RequestTooLarge,
    Unauthorized,
    Unavailable,
)
from chatterbox_worker.client.fields import AudioSource, JobKeys

RUN_LIMIT_BYTES = 10_000_000  # RunPod's documentation, "Send API requests"; 20 MB for runsync
RUNSYNC_LIMIT_BYTES = 20_000_000
LONGEST_WAIT_S = 90.0  # the default of runsync; RunPod's edge ends a call at about 100 s
_ANSWER_S = 15.0  # from the end of a wait to the end of the answer's transfer
_ANSWER_BYTES = 100_000_000  # far above RunPod's limit for an answer, 20 MB
_AUDIO_BYTES = 1_000_000_000  # 5.7 hours of wav at 24 kHz
_JOB_KEYS = tuple(JobKeys.__annotations__)
_EXCERPT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try again, and how often to poll."""

    attempts: int = 5
    """Of one call, with the first."""
    backoff_s: float = 0.5
    """Longest pause after the first failure; it doubles with each."""
    backoff_most_s: float = 20.0
    poll_s: float = 0.3
    """Between the first two polls of a job; each pause is half as long again as the one before."""
    poll_most_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = field(default=random.random)
    """From 0 to 1: spreads callers over time."""

    def pause_s(self, failures: int) -> float:
        """After so many failures of one call: exponential with full jitter, so that callers do not return together."""
        return self.random() * min(self.backoff_most_s, self.backoff_s * 2.0 ** (failures - 1))

    def poll_pause_s(self, polls: int) -> float:
        """After so many polls of a job, give or take a fifth."""
        return min(self.poll_most_s, self.poll_s * 1.5 ** (polls - 1)) * (0.8 + 0.4 * self.random())


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request."""

    method: Literal["GET", "POST"]
    path: str
    """Under the endpoint's URL; or an absolute URL, which is sent without the key."""
    content: bytes | None = field(default=None, repr=False)
    wait_s: float | None = None
    """How long the server may wait before it answers."""

    @property
    def is_absolute(self) -> bool:
        return not self.path.startswith("/")

    @property
    def timeout_s(self) -> float:
        """The longest pause without a byte of the answer."""
        return _ANSWER_S * (4 if self.is_absolute else 1) + (self.wait_s or 0.0)

    @property
    def limit_bytes(self) -> int:
        """Of the answer's body: no more is read."""
        return _AUDIO_BYTES if self.is_absolute else _ANSWER_BYTES

    @property
    def params(self) -> dict[str, str]:
        return {} if self.wait_s is None else {"wait": f"{self.wait_s * 1000:.0f}"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    retry_after: str | None = None
    """The header, as received."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """The request never left."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived; no answer did."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The answer is over the call's `limit_bytes` and was not read to its end."""


Outcome = Reply | Unreached | Lost | TooLarge


def submission(
    path: Literal["/run", "/runsync"], job_input: Mapping[str, Any], *, wait_s: float | None = None
) -> HttpCall:
    """The call that submits a job; RunPod's own keys are moved out of the input.

    Raises:
        RequestTooLarge: it would be over the route's limit.
    """
    fields = {name: _jsonable(value) for name, value in job_input.items()
              if name not in _JOB_KEYS and value is not None}  # fmt: skip
    job_keys = {name: job_input[name] for name in _JOB_KEYS if job_input.get(name) is not None}
    body = json.dumps({"input": fields, **job_keys}, ensure_ascii=False, allow_nan=False)
    content = body.encode("utf-8", "backslashreplace")  # half a surrogate pair as its escape: UTF-8 does not have it
    limit = RUN_LIMIT_BYTES if path == "/run" else RUNSYNC_LIMIT_BYTES
    if len(content) > limit:
        raise RequestTooLarge(
            f"the request has {len(content) / 1e6:.1f} MB and RunPod takes at most {limit / 1e6:.0f} MB on {path}: "
            "send a recording by voice_url, or save it as a voice"
        )
    return HttpCall("POST", path, content, wait_s)


def _jsonable(value: Any) -> Any:
    """With recordings as base64, at any depth."""
    if isinstance(value, Mapping):
        return {name: _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, Path):
        value = value.read_bytes()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value


def recording(data: AudioSource) -> str:
    """A voice's recording as base64, as the worker takes it."""
    return str(_jsonable(data))


def retry_after_s(call: HttpCall, outcome: Outcome, failures: int, patience: Patience) -> float | None:
    """Seconds to wait before the same call is sent again; None if it must not be, or `patience` is used up."""
    match outcome:
        case Reply(status=429 | 503):
            pass
        case Reply(status=status) if status >= 500 and call.method == "GET":
            pass
        case Unreached():
            pass
        case Lost() if call.method == "GET":
            pass
        case _:
            return None
    if failures >= patience.attempts:
        return None
    header = outcome.retry_after if isinstance(outcome, Reply) else None
    least_s = float(header) if header and header.isdecimal() else 0.0  # its other form, a date, is ignored
    return max(patience.pause_s(failures), min(least_s, patience.backoff_most_s))


def content_of(call: HttpCall, outcome: Outcome) -> bytes:
    """The body of a good answer.

    Raises:
        ClientError: its class says what can be done about it.
    """
    match outcome:
        case Reply(status=status, body=body) if 200 <= status < 300:
            return body
        case Reply():
            raise _error(call, outcome)
        case Unreached(reason=reason):
            raise Unavailable(f"the {_server(call)} cannot be reached: {reason}")
        case Lost(reason=reason):
            raise _lost_answer(call, reason)
        case TooLarge():
            kind = NoAudio if call.is_absolute else ClientError
            raise kind(f"the {_server(call)}'s answer has more than {call.limit_bytes / 1e6:.0f} MB")


def json_of(call: HttpCall, outcome: Outcome) -> dict[str, Any]:
    """The JSON object of a good answer. Raises ClientError."""
    body = content_of(call, outcome)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise RequestRefused(f"the endpoint's answer is not a JSON object but {_excerpt(body)!r}")
    return answer


def _error(call: HttpCall, reply: Reply) -> ClientError:
    reason = f"HTTP {reply.status}: {_reason(reply.body)}"
    match reply.status:
        case 401 | 403 | 404 if call.is_absolute:
            return NotFound(f"{reason}; the link to the audio is not valid any more", status=reply.status)
        case 401 | 403:
            return Unauthorized(f"{reason}; is the API key right, and of this account?", status=reply.status)
        case 404:
            return NotFound(f"{reason}; no such endpoint or job, or the result has expired", status=404)
        case 429 | 503:
            return Unavailable(reason, status=reply.status)
        case status if status >= 500:
            return _lost_answer(call, reason, status)
        case status:
            return RequestRefused(reason, status=status)


def _lost_answer(call: HttpCall, reason: str, status: int | None = None) -> ClientError:
    if call.method == "GET":
        return Unavailable(f"the {_server(call)} gave no good answer: {reason}", status=status)
    return AnswerLost(f"the answer was lost ({reason}); the job may be running, so it was not sent again")


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    message = (answer.get("error") or answer.get("message")) if isinstance(answer, dict) else None
    return message if isinstance(message, str) else _excerpt(body)


def _server(call: HttpCall) -> str:
    return "bucket" if call.is_absolute else "endpoint"


def _excerpt(body: bytes) -> str:
    text = re.sub(r"\s+", " ", body.decode("utf-8", "replace")).strip()
    return text if len(text) <= _EXCERPT_CHARS else text[:_EXCERPT_CHARS] + "…"
