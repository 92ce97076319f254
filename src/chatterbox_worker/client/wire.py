"""Requests out, answers in, and when to try again. Pure: no clock but the one it is given, no network.

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

from chatterbox_worker.client.errors import AnswerLost, ClientError, NotFound, RequestRefused, Unauthorized, Unavailable
from chatterbox_worker.client.types import AudioSource

RUN_LIMIT_BYTES = 10_000_000  # RunPod's documentation, "Send API requests"; 20 MB for runsync
RUNSYNC_LIMIT_BYTES = 20_000_000
LONGEST_WAIT_S = 90.0  # the default of runsync; its edge ends a call at about 100 s
_ANSWER_S = 15.0  # from the end of a wait to the end of the answer's transfer
_BESIDE = ("webhook", "policy", "s3Config")
_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on, and how often to ask."""

    attempts: int = 5
    """Of one call, the first included."""
    backoff_s: float = 0.5
    """Longest pause after the first failure; it doubles with each."""
    backoff_most_s: float = 20.0
    poll_s: float = 0.3
    """Between the first two looks at a job; half as much again each time."""
    poll_most_s: float = 2.0
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = field(default=random.random)
    """From 0 to 1: spreads the callers out."""

    def pause_s(self, failures: int) -> float:
        """After so many failures of one call: full jitter over an exponential, so that a crowd does not return at once."""
        return self.random() * min(self.backoff_most_s, self.backoff_s * 2.0 ** (failures - 1))

    def poll_pause_s(self, looks: int) -> float:
        """After so many looks at a job, give or take a fifth."""
        return min(self.poll_most_s, self.poll_s * 1.5 ** (looks - 1)) * (0.8 + 0.4 * self.random())


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request."""

    method: Literal["GET", "POST"]
    path: str
    """Under the endpoint's URL, or an absolute URL: that one is sent without the key."""
    content: bytes | None = field(default=None, repr=False)
    wait_s: float | None = None
    """How long the server may hold the call open."""

    @property
    def is_absolute(self) -> bool:
        return not self.path.startswith("/")

    @property
    def timeout_s(self) -> float:
        """For the answer's bytes to come."""
        return _ANSWER_S * (4 if self.is_absolute else 1) + (self.wait_s or 0.0)

    @property
    def params(self) -> dict[str, str]:
        return {} if self.wait_s is None else {"wait": f"{self.wait_s * 1000:.0f}"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    retry_after: str | None = None
    """The header, as it came."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """The request never left."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """It may have arrived; no answer did."""

    reason: str


Outcome = Reply | Unreached | Lost


def submission(
    path: Literal["/run", "/runsync"], job_input: Mapping[str, Any], *, wait_s: float | None = None
) -> HttpCall:
    """The call that submits a job; RunPod's own keys are moved beside the input.

    Raises:
        RequestRefused: it would be over the route's limit.
    """
    inside = {name: _jsonable(value) for name, value in job_input.items() if name not in _BESIDE and value is not None}
    beside = {name: job_input[name] for name in _BESIDE if job_input.get(name) is not None}
    content = json.dumps({"input": inside, **beside}, ensure_ascii=False, allow_nan=False).encode()
    limit = RUN_LIMIT_BYTES if path == "/run" else RUNSYNC_LIMIT_BYTES
    if len(content) > limit:
        raise RequestRefused(
            f"the request has {len(content) / 1e6:.1f} MB and RunPod takes at most {limit / 1e6:.0f} MB on {path}: "
            "give a recording by voice_url, or save it as a voice"
        )
    return HttpCall("POST", path, content, wait_s)


def _jsonable(value: Any) -> Any:
    """With recordings as base64, however deep they lie."""
    if isinstance(value, Mapping):
        return {name: _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, Path):
        value = value.read_bytes()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value


def recording(data: AudioSource) -> str:
    """A voice's recording as the worker takes it."""
    return str(_jsonable(data))


def retry_after_s(call: HttpCall, outcome: Outcome, failures: int, patience: Patience) -> float | None:
    """Seconds to wait before the same call again; None where it must not be repeated, or has been often enough."""
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
    asked = outcome.retry_after if isinstance(outcome, Reply) else None
    least_s = (
        float(asked) if asked and asked.isdecimal() else 0.0
    )  # the header's other form, a date, is not worth a clock
    return max(patience.pause_s(failures), min(least_s, patience.backoff_most_s))


def content_of(call: HttpCall, outcome: Outcome) -> bytes:
    """The body of a good answer.

    Raises:
        ClientError: which of its kind says what may be done.
    """
    match outcome:
        case Reply(status=status, body=body) if 200 <= status < 300:
            return body
        case Reply():
            raise _refusal(call, outcome)
        case Unreached(reason=reason):
            raise Unavailable(f"the endpoint cannot be reached: {reason}")
        case Lost(reason=reason):
            raise _lost(call, reason)


def json_of(call: HttpCall, outcome: Outcome) -> dict[str, Any]:
    """The JSON object of a good answer. Raises ClientError."""
    body = content_of(call, outcome)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise RequestRefused(f"the endpoint's answer is not a JSON object but {_shown(body)!r}")
    return answer


def _refusal(call: HttpCall, reply: Reply) -> ClientError:
    reason = f"HTTP {reply.status}: {_reason(reply.body)}"
    match reply.status:
        case 401 | 403:
            return Unauthorized(f"{reason}; is the API key right, and of this account?", status=reply.status)
        case 404:
            return NotFound(f"{reason}; no such endpoint or job, or the result has expired", status=404)
        case 429 | 503:
            return Unavailable(reason)
        case status if status >= 500:
            return _lost(call, reason)
        case status:
            return RequestRefused(reason, status=status)


def _lost(call: HttpCall, reason: str) -> ClientError:
    if call.method == "GET":
        return Unavailable(f"no good answer: {reason}")
    return AnswerLost(f"the answer was lost ({reason}); the job may be running, so it was not sent again")


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    said = (answer.get("error") or answer.get("message")) if isinstance(answer, dict) else None
    return said if isinstance(said, str) else _shown(body)


def _shown(body: bytes) -> str:
    text = re.sub(r"\s+", " ", body.decode("utf-8", "replace")).strip()
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
