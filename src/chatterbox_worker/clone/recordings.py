"""The recordings in a folder: each is read or refused by name, and one bad file does not stop the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.activity import measure_levels
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.clipping import clipped_at
from chatterbox_worker.audio.decode import HIGHEST_RATE, TooLong, decode
from chatterbox_worker.audio.music import NO_WINDOWS, PauseWindows, find_notes
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.audio.reverberation import reverberation_s
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.audio.trim import Levels
from chatterbox_worker.catalogue import MODEL_RATE
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.recording_files import find_files

RATE = MODEL_RATE
"""Hertz of all recordings in memory: the models' own rate."""
LONGEST_S = 600.0
"""Of one file; 1 to 5 minutes of speech are needed in all."""
_LOWEST_RATE = 16_000  # Hertz: the voice encoder uses frequencies up to 8 kHz; a telephone's 8 kHz has half of them
_MOST_BYTES = 500_000_000  # 10 minutes of 8-channel 24-bit sound at 32 kHz, or of any usual format
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
    """At `RATE`, with a mean of zero."""
    clipped_s: npt.NDArray[np.float64]
    """(n,) seconds where it is clipped."""
    levels: Levels
    """(n,) dBFS of each 10 ms without rumble."""
    reverberation_s: float | None = None
    """How long the room rings (T60); None if that cannot be measured."""
    pauses: PauseWindows = NO_WINDOWS
    """Where music was looked for."""

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
    """The files of `find_files`.

    Raises:
        InvalidRequest: no such folder, no files, or more than 1000.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"--input-dir {quote(str(folder))} is not a folder", field="input_dir")
    found = find_files(folder)
    if not 0 < len(found) <= _MOST_FILES:
        raise InvalidRequest(
            f"--input-dir {quote(str(folder))} has {len(found)} files; 1 to {_MOST_FILES} are allowed",
            field="input_dir",
        )
    return found


def read(path: Path, name: str) -> tuple[SourceRecording, Audio]:
    """The recording, and its sound without rumble, which takes as much memory and is needed for a moment only.

    Raises:
        InvalidRequest: the file cannot be used; the message begins with `name`.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InvalidRequest(f"{name} has {size} bytes; at most {_MOST_BYTES} are allowed", field=name)
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror}", field=name) from None
    try:
        audio = decode(data, field=name, max_s=LONGEST_S, max_rate=HIGHEST_RATE)
    except TooLong as error:
        raise InvalidRequest(
            f"{error.message}: cut it into files of at most {LONGEST_S / 60:g} minutes, or keep the best 5", field=name
        ) from None
    if audio.sample_rate < _LOWEST_RATE:
        raise InvalidRequest(
            f"{name} has a sample rate of {audio.sample_rate} Hz; {_LOWEST_RATE} or more are needed, "
            "or the voice sounds like a telephone call",
            field=name,
        )
    digest = hashlib.sha256(data).hexdigest()
    at_rate = _without_offset(resample(audio, RATE))
    filtered = without_rumble(at_rate)
    recording = SourceRecording(
        name,
        digest,
        audio.sample_rate,
        at_rate,
        clipped_at(audio),
        measure_levels(filtered),
        reverberation_s(filtered),
        find_notes(filtered),
    )
    return recording, filtered


def _without_offset(audio: Audio) -> Audio:
    """Around zero: the voice encoder takes a sound card's constant offset for a part of the voice."""
    return Audio(audio.samples - audio.samples.mean(dtype=np.float64).astype(np.float32), audio.sample_rate)


def read_all(paths: Iterable[Path], folder: Path) -> Iterator[tuple[SourceRecording, Audio] | RefusedRecording]:
    """What `read` returns of each of the folder's files, or why it cannot be used."""
    recordings: list[SourceRecording] = []
    for path in paths:
        name = str(path.relative_to(folder))
        try:
            recording, filtered = read(path, name)
            _check_new(recording, recordings)
        except InvalidRequest as error:
            yield RefusedRecording(name, error.message)
        else:
            recordings.append(recording)
            yield recording, filtered
            del filtered  # before the next one is read


def _check_new(recording: SourceRecording, before: list[SourceRecording]) -> None:
    """Raises InvalidRequest for a duplicate or if the total is too long."""
    name = recording.name
    if same := next((other.name for other in before if other.sha256 == recording.sha256), None):
        raise InvalidRequest(f"{name} is the same file as {same}", field=name)
    if sum(other.audio.duration_s for other in before) + recording.audio.duration_s > _MOST_S:
        raise InvalidRequest(f"{name} is too long: all files together may have at most {_MOST_S:g} s", field=name)
