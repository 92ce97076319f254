"""The size of an answer, and answers that are not logged.

RunPod refuses an answer over its limit with a 400 after the work is done, and the SDK then drops the job without a
word. So an answer is measured as it will be serialized, before it is returned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Self

from chatterbox_worker.answer import Recording
from chatterbox_worker.errors import AnswerTooLarge, WorkerError

_ENVELOPE_BYTES = 64  # `{"output": ` and `}` around what the handler returns, and the keys that the SDK may add


class Unlogged(dict[str, Any]):
    """A dict that does not show its contents: at level DEBUG the SDK logs every answer by its repr."""

    def __repr__(self) -> str:
        return f"<{len(self)} fields: {', '.join(self)}>"


Shrink = Callable[[int], Any]
"""The output to post in place of one that was refused, in at most so many bytes. Raises WorkerError."""


class Answer(Unlogged):
    """An answer that can be delivered again in fewer bytes, or another way, if the platform refuses it."""

    def __init__(self, fields: Mapping[str, Any], shrink: Shrink) -> None:
        super().__init__(fields)
        self.shrink = shrink


class Failure(Unlogged):
    """Why a job failed: `message`, `code` and `field`, the output of a job that failed and an item of a stream.

    RunPod's own client returns a failed job's output and not its error, so the sentence is in both.
    """

    @classmethod
    def of(cls, error: WorkerError) -> Self:
        answer = error.answer()
        return cls(message=UnloggedText(answer.pop("error")), **answer)


class UnloggedText(str):
    """The same for the sentence of an error, which may quote what the caller sent."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


class NotDelivered(Exception):  # one delivery method failed; the next is tried, so it is not an error yet
    """The sentence goes into the answer's warnings, so it contains no key and no path of the caller's."""


def inline_bytes(recording: Recording) -> int:
    """The size of `recording.inline()`, serialized, without building it."""
    encoded = (len(recording.audio) + 2) // 3 * 4
    return encoded + len(recording.info.mimetype) + serialized_bytes(recording.report())


def too_large(size: int, limit_bytes: int, tried: str) -> AnswerTooLarge:
    return AnswerTooLarge(
        f"the answer has {size / 1e6:.1f} MB and at most {limit_bytes / 1e6:.1f} MB can go back{tried}: "
        f'ask for a compressed format ("mp3", "opus" or "auto"), a lower sample_rate or a shorter text, '
        f"give an s3Config with the job, or set a bucket or a network volume up for the endpoint",
        field="format",
    )


def serialized_bytes(answer: dict[str, Any]) -> int:
    """Bytes of the answer as the SDK posts it: JSON, UTF-8, non-ASCII characters as they are."""
    return len(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()) + _ENVELOPE_BYTES
