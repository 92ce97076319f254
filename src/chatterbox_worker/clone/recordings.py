"""Recordings as they lie in a folder, each read or refused by name; nobody's fault stops the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.clone.clipping import clipped_at
from chatterbox_worker.errors import InvalidRequest, quote

RATE = 24_000
"""Hertz, in which everything is kept: the models' own."""
LONGEST_S = 600.0
"""Of one file; 1 to 5 minutes of speech are wanted in all."""
_LOWEST_RATE = 16_000  # Hertz: the voice encoder hears up to 8 kHz; a telephone's 8 kHz lack half of that
_MOST_BYTES = 500_000_000  # 10 minutes of 8-channel 24-bit sound at 32 kHz, or of anything usual
_MOST_FILES = 1000  # their names and digests go into the voice file's header
_MOST_S = 3600.0  # of all files: 350 MB in memory


@dataclass(frozen=True, slots=True, eq=False)
class SourceRecording:
    name: str
    """The path under the folder."""
    sha256: str
    """Of the file, in hex."""
    sample_rate: int
    """Hertz, of the file."""
    audio: Audio
    """At `RATE`."""
    clipped_s: npt.NDArray[np.float64]
    """(n,) seconds at which it is clipped."""

    def between(self, start_s: float, end_s: float) -> Audio:
        """A part of the sound."""
        start, end = (round(at_s * self.audio.sample_rate) for at_s in (start_s, end_s))
        return Audio(self.audio.samples[start:end], self.audio.sample_rate)


@dataclass(frozen=True, slots=True)
class RefusedRecording:
    name: str
    why: str
    """A sentence that begins with the name."""


def files_in(folder: Path) -> list[Path]:
    """Every file in the folder and the folders in it, hidden ones left out, by name.

    Raises:
        InvalidRequest: no such folder, no files, or more than 1000.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"input_dir {quote(str(folder))} is not a folder", field="input_dir")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
    if not 0 < len(found) <= _MOST_FILES:
        raise InvalidRequest(
            f"input_dir {quote(str(folder))} holds {len(found)} files; 1 to {_MOST_FILES} are taken", field="input_dir"
        )
    return found


def read(path: Path, name: str) -> SourceRecording:
    """
    Raises:
        InvalidRequest: the file cannot be used; the sentence begins with `name`.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InvalidRequest(f"{name} holds {size} bytes; at most {_MOST_BYTES}", field=name)
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror}", field=name) from None
    found = decode(data, field=name, max_s=LONGEST_S)
    if found.sample_rate < _LOWEST_RATE:
        raise InvalidRequest(
            f"{name} has a sample rate of {found.sample_rate} Hz; {_LOWEST_RATE} or more are needed, "
            "or the voice sounds as over a telephone",
            field=name,
        )
    digest = hashlib.sha256(data).hexdigest()
    return SourceRecording(name, digest, found.sample_rate, resample(found, RATE), clipped_at(found))


def read_all(paths: Iterable[Path], folder: Path) -> tuple[list[SourceRecording], list[RefusedRecording]]:
    """What can be read of the folder's files, and what cannot."""
    recordings: list[SourceRecording] = []
    refused: list[RefusedRecording] = []
    for path in paths:
        name = str(path.relative_to(folder))
        try:
            recordings.append(_new(read(path, name), recordings))
        except InvalidRequest as error:
            refused.append(RefusedRecording(name, error.message))
    return recordings, refused


def _new(recording: SourceRecording, before: list[SourceRecording]) -> SourceRecording:
    """Raises InvalidRequest for what adds nothing or is too much."""
    name = recording.name
    if same := next((other.name for other in before if other.sha256 == recording.sha256), None):
        raise InvalidRequest(f"{name} is the same file as {same}", field=name)
    if sum(other.audio.duration_s for other in before) + recording.audio.duration_s > _MOST_S:
        raise InvalidRequest(
            f"{name} is too much: the files before it fill the {_MOST_S:g} s that are taken", field=name
        )
    return recording


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
