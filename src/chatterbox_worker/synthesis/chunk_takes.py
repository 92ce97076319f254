"""The take of one chunk: its noise comes from its words, and its sound is stored, so that an edit elsewhere leaves it.

A chunk's seed depends on the request's seed, on what is spoken and on how often that occurred before it in the text,
not on its place: inserting a sentence changes no other chunk's noise. What a chunk sounds like depends on nothing else
that an edit changes, so its take is stored next to whole recordings, in the same folder and within the same bounds.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from chatterbox_worker.answer import SpokenCheck
from chatterbox_worker.audio.clip import Audio, Samples, concatenate
from chatterbox_worker.engine import Take, TakeFacts
from chatterbox_worker.stored_files import StoredFiles, Unwritten
from chatterbox_worker.synthesis.checked_takes import check_of
from chatterbox_worker.text.chunk import Chunk

log = logging.getLogger(__name__)

_SUFFIX = "chunk"
_SCALE = 2**23
"""Of 24-bit integers, which float32 holds exactly: a take that was stored and one that was just generated are equal."""


def chunk_seeds(seed: int, chunks: Sequence[Chunk], respeak: Iterable[int] = ()) -> tuple[int, ...]:
    """The seed of each chunk, 0 to 2**32 - 1.

    `respeak`: indices of chunks that are spoken with other noise; named twice, with other noise again.
    """
    again = Counter(respeak)
    before: Counter[tuple[str | None, str, str]] = Counter()
    seeds = []
    for index, chunk in enumerate(chunks):
        words = (chunk.voice, chunk.language, chunk.spoken)
        seeds.append(_digest_u32([seed, before[words], *words, again[index]]))
        before[words] += 1
    return tuple(seeds)


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of a chunk's further attempt, from that of its first, which is attempt 0."""
    return seed if attempt == 0 else _digest_u32([seed, "attempt", attempt])


def candidate_seeds(seed: int | None, count: int) -> tuple[int, ...]:
    """The seeds of several takes of a whole text, from that of the first, or from a random one.

    A request with one of them makes exactly that take.
    """
    first = secrets.randbits(32) if seed is None else seed
    return (first, *(_digest_u32([first, "candidate", number]) for number in range(1, count)))


def _digest_u32(parts: Sequence[object]) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:4], "big")


def to_24_bits(samples: Samples) -> Samples:
    """The samples rounded to multiples of 2**-23 within [-1, 1): the error is 144 dB below full scale."""
    return _scaled(samples) / np.float32(_SCALE)


def _scaled(samples: Samples) -> Samples:
    """As integers of 24 bits, in float32, which holds them exactly."""
    scaled: Samples = np.clip(np.rint(samples * np.float32(_SCALE)), -_SCALE, _SCALE - 1).astype(np.float32, copy=False)
    return scaled


@dataclass(frozen=True, slots=True, eq=False)
class StoredTake:
    """A take that was stored, as a `Take`."""

    audio: Audio
    warnings: tuple[str, ...] = ()
    boundaries_s: tuple[float, ...] = ()
    check: SpokenCheck | None = None

    def __iter__(self) -> Iterator[Audio]:
        yield self.audio

    def cancel(self) -> None:
        """Nothing runs."""

    @property
    def timings(self) -> Mapping[str, float]:
        return {}

    @property
    def facts(self) -> TakeFacts:
        """Not stored: a take is judged before it is."""
        return TakeFacts()


class _RecordedTake:
    """A take being generated, as a `Take`: its samples have 24 bits, and are stored at its end if it has a key."""

    def __init__(self, take: Take, chunks: ChunkCache, key: str | None) -> None:
        self._take = take
        self._chunks = chunks
        self._key = key

    def __iter__(self) -> Iterator[Audio]:
        pieces = []
        for piece in self._take:
            rounded = Audio(to_24_bits(piece.samples), piece.sample_rate)
            if self._key is not None:
                pieces.append(rounded)
            yield rounded
        if self._key is None or not pieces:
            return
        sound = concatenate(pieces)
        if np.isfinite(sound.samples).all():  # integers would turn what is no number into noise
            stored = StoredTake(sound, tuple(self.warnings), tuple(self.boundaries_s), self.check)
            self._chunks.put(self._key, stored)

    def cancel(self) -> None:
        self._take.cancel()

    @property
    def timings(self) -> Mapping[str, float]:
        return self._take.timings

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._take.warnings

    @property
    def check(self) -> SpokenCheck | None:
        return check_of(self._take)

    @property
    def facts(self) -> TakeFacts:
        return self._take.facts

    @property
    def boundaries_s(self) -> Sequence[float]:
        return self._take.boundaries_s


class ChunkCache:
    """Takes of chunks on the volume, as FLAC of 24 bits with a line of JSON before it. Thread-safe."""

    def __init__(self, files: StoredFiles) -> None:
        self._files = files
        self._unwritten = Unwritten[StoredTake](files)

    def get(self, key: str, *, timed: bool) -> StoredTake | None:
        """The take, or None: absent, damaged, or without the times of its characters where they are wanted."""
        name = _name(key)
        take = self._unwritten.get(name) or self._read(name)
        return None if take is None or (timed and not take.boundaries_s) else take

    def _read(self, name: str) -> StoredTake | None:
        data = self._files.read(name)
        if data is None:
            return None
        try:
            return _decode(bytes(data))
        except (ValueError, KeyError, TypeError, soundfile.LibsndfileError) as error:
            log.warning("a stored chunk cannot be read: %s", error)
            return None

    def recorded(self, take: Take, key: str | None) -> Take:
        """The take, which will be stored once it has been read to its end. None: it is as if it were stored, so that
        the sound does not depend on the cache.
        """
        return _RecordedTake(take, self, key)

    def put(self, key: str, take: StoredTake) -> None:
        """Store the take soon; `get` finds it at once."""
        self._unwritten.put(_name(key), take, _encode, take.audio.samples.nbytes)


def _name(key: str) -> str:
    return f"{key}.{_SUFFIX}"


def _encode(take: StoredTake) -> bytes:
    check = None if take.check is None else take.check.as_json()
    facts = {"warnings": take.warnings, "boundaries_s": take.boundaries_s, "check": check}
    file = io.BytesIO()
    # the samples in the upper 24 bits, as libsndfile takes them without scaling
    integers = _scaled(take.audio.samples).astype(np.int32) << 8
    soundfile.write(file, integers, take.audio.sample_rate, format="FLAC", subtype="PCM_24")
    return json.dumps(facts).encode() + b"\n" + file.getvalue()


def _decode(data: bytes) -> StoredTake:
    line, _, encoded = data.partition(b"\n")
    facts = json.loads(line)
    integers, rate = soundfile.read(io.BytesIO(encoded), dtype="int32")
    samples = (integers >> 8).astype(np.float32) / np.float32(_SCALE)
    return StoredTake(
        Audio(samples, rate),
        tuple(map(str, facts["warnings"])),
        tuple(map(float, facts["boundaries_s"])),
        SpokenCheck.from_json(facts["check"]) if facts["check"] is not None else None,
    )
