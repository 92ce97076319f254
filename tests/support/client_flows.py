"""The client's flows without a network: outcomes in, steps out."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from chatterbox_worker.client import Patience
from chatterbox_worker.client.flows import Deadline, Flow, Wait
from chatterbox_worker.client.wire import HttpCall, Outcome, Reply

T = TypeVar("T")
PATIENT = Patience(random=lambda: 1.0, clock=lambda: 0.0)
NEVER = Deadline(PATIENT, 0.0, 1e9)


def drive(flow: Flow[T], outcomes: Sequence[Outcome]) -> tuple[T, list[HttpCall | Wait]]:
    """The flow's value, given these outcomes one after another, and the steps it took."""
    left, steps, outcome = list(outcomes), list[HttpCall | Wait](), None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as end:
            assert not left, "the flow ended before all outcomes were used"
            value: T = end.value
            return value, steps
        steps.append(step)
        outcome = None if isinstance(step, Wait) else left.pop(0)


def ok(**answer: Any) -> Reply:
    return Reply(200, json.dumps(answer).encode())


def calls(steps: Sequence[HttpCall | Wait]) -> list[str]:
    return [f"{step.method} {step.path}" for step in steps if isinstance(step, HttpCall)]


def base64_of(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def chunk(index: int) -> dict[str, Any]:
    return {"index": index, "start_s": index / 2, "audio_base64": base64_of(b"%d" % index)}


def stream_reply(status: str, *outputs: Any) -> Reply:
    return ok(status=status, stream=[{"output": output} for output in outputs])
