"""Whether recordings are in the language that they are transcribed in; in another Whisper translates or invents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chatterbox_worker.config import variable
from chatterbox_worker.errors import InvalidRequest

_LIKELY, _UNLIKELY = 0.8, 0.02
_NAMED = 3  # recordings in the error


class WrongLanguage(InvalidRequest):
    """Most recordings are in another language."""


@dataclass(frozen=True, slots=True)
class OtherLanguage:
    code: str
    """ISO 639-1."""
    probability: float
    """As Whisper computes it, 0 to 1."""


def other_language(probabilities: Mapping[str, float], wanted: str) -> OtherLanguage | None:
    """The language of a recording, if it is clearly another one than `wanted`."""
    code = max(probabilities, key=lambda each: probabilities[each], default=wanted)
    if probabilities.get(wanted, 1.0) > _UNLIKELY or probabilities[code] < _LIKELY:
        return None
    return OtherLanguage(code, probabilities[code])


class LanguageCheck:
    """Counts the recordings in other languages."""

    def __init__(self, wanted: str, recordings: int) -> None:
        """`recordings`: how many there are, usable or not."""
        self._wanted, self._recordings = wanted, recordings
        self._examined = 0
        self._others: list[tuple[Path, OtherLanguage]] = []

    def add(self, path: Path, other: OtherLanguage | None) -> None:
        """
        Raises:
            WrongLanguage: with this recording most of all are in another language.
        """
        self._examined += 1
        if other is not None:
            self._others.append((path, other))
            self._refuse_most(self._recordings)

    def warnings(self) -> Iterator[str]:
        """A line for each recording in another language.

        Raises:
            WrongLanguage: most of the usable ones are.
        """
        self._refuse_most(self._examined)
        for path, other in self._others:
            yield (
                f"{path}: it sounds like {other.code} (probability {other.probability:.2f}) and was transcribed as "
                f"{self._wanted}: check its lines, or leave it out"
            )

    def _refuse_most(self, count: int) -> None:
        if 2 * len(self._others) <= count:
            return
        named = [f"{path} like {each.code} ({each.probability:.2f})" for path, each in self._others[:_NAMED]]
        raise WrongLanguage(
            f"the recordings are to be transcribed as {self._wanted}, and {len(self._others)} of {count} sound like "
            f"another language, with Whisper's probability: {', '.join(named)}; name the language that is spoken with "
            f"--language, or, if it is {self._wanted}, a larger Whisper model with {variable('asr_model')}",
            field="language",
        )
