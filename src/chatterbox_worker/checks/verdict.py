"""What a check finds in a take, and a score by which takes of one text are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Self


class Reason(StrEnum):
    """Why a take does not pass."""

    SILENT = "silent"
    TOKEN_LIMIT = "token_limit"  # noqa: S105 - no password
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    REPETITION = "repetition"
    INNER_SILENCE = "inner_silence"
    NOISE_AT_END = "noise_at_end"
    TEXT_LEFT_OUT = "text_left_out"
    WORD_ERRORS = "word_errors"


_COSTS: Mapping[Reason, float] = MappingProxyType({
    Reason.SILENT: 1.0, Reason.TEXT_LEFT_OUT: 0.5, Reason.TOO_SHORT: 0.5, Reason.TOKEN_LIMIT: 0.4,
    Reason.REPETITION: 0.4, Reason.TOO_LONG: 0.3, Reason.NOISE_AT_END: 0.2, Reason.INNER_SILENCE: 0.2,
    Reason.WORD_ERRORS: 0.0,
})  # fmt: skip
"""What each takes from the score: missing words are worse than additional sound. Wrong words cost their own rate."""

IN_WORDS: Mapping[Reason, str] = MappingProxyType({
    Reason.SILENT: "it is silent",
    Reason.TOKEN_LIMIT: "it was ended at its limit",
    Reason.TOO_SHORT: "it is too short for its text",
    Reason.TOO_LONG: "it is too long for its text",
    Reason.REPETITION: "it repeats itself",
    Reason.INNER_SILENCE: "it has a long silence inside",
    Reason.NOISE_AT_END: "it has noise after the last word",
    Reason.TEXT_LEFT_OUT: "a part of the text is left out",
    Reason.WORD_ERRORS: "too many words are wrong",
})  # fmt: skip


def describe(reasons: Iterable[str]) -> str:
    """The reasons for use in a sentence: "it is silent, it was ended at its limit"."""
    return ", ".join(IN_WORDS[Reason(reason)] for reason in reasons)


@dataclass(frozen=True, slots=True)
class Verdict:
    reasons: tuple[Reason, ...]
    """Empty if the take passes."""
    score: float
    """0 to 1, the higher the better; 1 if nothing is wrong."""
    heard: str | None = None
    """What was transcribed; None if the words were not checked."""

    @classmethod
    def of(cls, reasons: Iterable[Reason], *, word_error_rate: float = 0.0, heard: str | None = None) -> Self:
        found = tuple(dict.fromkeys(reasons))
        score = 1.0 - sum(_COSTS[reason] for reason in found) - word_error_rate
        return cls(found, round(max(0.0, score), 3), heard)

    @property
    def passes(self) -> bool:
        return not self.reasons
