"""The details of a voice (`engine.VoiceDetails`), each one line of a table: its file next to a recording, and its form.

A voice file contains its details in its metadata, by the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS


@dataclass(frozen=True, slots=True)
class Detail:
    suffix: str
    """Of the file next to a recording: `<id>.txt`."""
    is_valid: Callable[[str], bool]
    form: str
    """What a valid one is."""


DETAILS: Mapping[str, Detail] = {
    "transcript": Detail(
        ".txt",
        lambda text: 0 < len(text.strip()) <= len(text) <= LONGEST_TRANSCRIPT_CHARS,
        f"a text of 1 to {LONGEST_TRANSCRIPT_CHARS} characters",
    ),
    # not only those of `catalogue.LANGUAGES`: a model that was trained elsewhere may speak more
    "language": Detail(".language", lambda code: re.fullmatch("[a-z]{2}", code) is not None, "a code such as es"),
}
"""By the names of `VoiceDetails`' fields."""
SUFFIXES = tuple(detail.suffix for detail in DETAILS.values())


def details_of(values: Mapping[str, Any]) -> VoiceDetails:
    """
    Raises:
        ValueError: one is neither None nor valid; its sentence begins with the name.
    """
    for name, value in values.items():
        if value is not None and not (isinstance(value, str) and DETAILS[name].is_valid(value)):
            raise ValueError(f"{name} is not {DETAILS[name].form}")
    return VoiceDetails(**values)


def known_details(details: VoiceDetails) -> dict[str, str]:
    """Those that are known, by their names."""
    return {name: value for name, value in asdict(details).items() if value is not None}


def with_details(own: VoiceDetails, given: VoiceDetails) -> VoiceDetails:
    """Those that are given, and a voice's own for the others."""
    return VoiceDetails(**{**asdict(own), **known_details(given)})
