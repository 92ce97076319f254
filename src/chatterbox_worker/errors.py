"""The errors that a caller may get.

    WorkerError
    ├── InvalidRequest      400  the caller can correct it; names the field
    ├── VoiceNotFound       404
    ├── OutputNotFound      404  no such file among the large answers on the volume
    ├── EntryNotFound       404  no such entry in the lexicon
    ├── AnswerTooLarge      413  synthesized, but there is no way to deliver it
    ├── Busy                429
    ├── Cancelled           499  the caller went away
    ├── SynthesisFailed     500  the engine failed on good input
    │   ├── NoSpeech        422  the model generates no sound for this text
    │   └── DeviceFailed    500  the process cannot go on either: a new worker is needed
    ├── NotReady            503  start-up failed or has not finished
    │   └── GpuUnusable     503  PyTorch cannot use this machine's GPU: another machine is needed, or another driver
    └── VolumeFailed        507  the caller asked for something on the volume, which fails or does not answer

An error is a sentence for the caller, a code for programs and an HTTP status for the edges that speak HTTP.
No edge reads the message to decide what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import ClassVar

INTERNAL_ERROR = "internal error; the log has the details"
_LONGEST_FIELD = 200  # characters: an unknown one may be as long as the body
_QUOTED_CHARS = 80  # of an invalid value: enough to recognise it, short enough for one sentence


class WorkerError(Exception):
    """Root of all errors that may reach a caller."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.message = _encodable(message)
        self.field = None if field is None else _encodable(field[:_LONGEST_FIELD])
        super().__init__(self.message)

    def answer(self) -> dict[str, str]:
        """The JSON form that every edge sends: `error`, `code` and, if one field is the cause, `field`."""
        answer = {"error": self.message, "code": self.code}
        return answer if self.field is None else answer | {"field": self.field}


def _encodable(text: str) -> str:
    """With the escape of half a surrogate pair, which JSON may name a field by and UTF-8 does not have."""
    return text.encode("utf-8", "backslashreplace").decode()


class InvalidRequest(WorkerError):
    code = "invalid_request"
    status = 400


class VoiceNotFound(WorkerError):
    code = "voice_not_found"
    status = 404


class OutputNotFound(WorkerError):
    code = "output_not_found"
    status = 404


class EntryNotFound(WorkerError):
    code = "entry_not_found"
    status = 404


class AnswerTooLarge(WorkerError):
    code = "answer_too_large"
    status = 413


class Busy(WorkerError):
    code = "busy"
    status = 429


class Cancelled(WorkerError):
    code = "cancelled"
    status = 499


class SynthesisFailed(WorkerError):
    code = "synthesis_failed"
    status = 500


class NoSpeech(SynthesisFailed):
    """The text has nothing that the model can speak, or it ended at once with this seed."""

    code = "no_speech"
    status = 422


class DeviceFailed(SynthesisFailed):
    code = "device_failed"


class NotReady(WorkerError):
    code = "not_ready"
    status = 503


class GpuUnusable(NotReady):
    """PyTorch cannot use the machine's GPU."""


class VolumeFailed(WorkerError):
    code = "volume_failed"
    status = 507


def quote(value: object) -> str:
    """`value` for use in a sentence: its repr, cut to a readable length."""
    try:
        text = repr(f"{value[:_QUOTED_CHARS]}…" if isinstance(value, str) and len(value) > _QUOTED_CHARS else value)
    except RecursionError:  # JSON may be as deep as the stack was when it was parsed, and this is called from deeper
        text = f"a {type(value).__name__} of too many levels"
    return text if len(text) <= 2 * _QUOTED_CHARS else text[: 2 * _QUOTED_CHARS] + "…"


def choices(names: Iterable[object]) -> str:
    """The choices for use in a sentence: "a, b or c"."""
    *most, last = [str(name) for name in names] or ["none"]
    return f"{', '.join(most)} or {last}" if most else last


def first_choices(names: Sequence[object], most: int = 20) -> str:
    """The choices for use in a sentence, of which there may be thousands: "a, b, c and 1997 more"."""
    more = len(names) - most
    return choices(names) if more <= 0 else f"{', '.join(map(str, names[:most]))} and {more} more"


def unknown_field(name: str, known: Iterable[object]) -> InvalidRequest:
    """The error for a field that does not exist."""
    return InvalidRequest(f"unknown field {quote(name)}; known fields are {choices(known)}", field=name)


def refuse_unknown(names: Iterable[str], known: Collection[str]) -> None:
    """Raises InvalidRequest for a field that does not exist."""
    for name in names:
        if name not in known:
            raise unknown_field(name, known)


def for_caller(error: BaseException, log: logging.Logger) -> WorkerError:
    """`error` as a caller may see it: a WorkerError itself; anything else is a bug, which goes to the log only."""
    if isinstance(error, WorkerError):
        return error
    log.error("internal error", exc_info=error)
    return WorkerError(INTERNAL_ERROR)
