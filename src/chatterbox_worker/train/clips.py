"""Which rows can be learnt from, and of every other the reason why not: one bad clip never stops the rest.

Knows recordings, transcripts and ids; what only the model can say (tokens, positions) comes from the preparer it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.train.rows import TranscriptRow

LOWEST_RATE = 16_000
"""Hertz, that the speech tokenizer and the speaker encoder hear: a lower rate has nothing where they listen."""
SHORTEST_S = 0.5
EVERYONE = "speaker"
"""Who speaks where the table does not say."""


class Prepared(Protocol):
    """What a preparer makes of a clip."""

    @property
    def id(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def person(self) -> str: ...


P = TypeVar("P", bound=Prepared)
Made_co = TypeVar("Made_co", bound=Prepared, covariant=True)


@dataclass(frozen=True, slots=True)
class RefusedClip:
    id: str
    where: str
    why: str


class Prepare(Protocol[Made_co]):
    def __call__(
        self, name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> Made_co:
        """Raises InvalidRequest for what cannot be learnt from."""


@dataclass(frozen=True, slots=True)
class Rules:
    model: str
    language: str | None
    """Of rows that do not say."""
    max_clip_s: float


def usable(
    rows: Iterable[TranscriptRow], rules: Rules, prepare: Prepare[P]
) -> Iterator[tuple[TranscriptRow, P | RefusedClip]]:
    """Each row with what was made of it."""
    ids: set[str] = set()
    recordings: dict[str, str] = {}
    for row in rows:
        try:
            _claim(row.id, ids)
            yield row, _clip(row, rules, prepare, recordings)
        except InvalidRequest as refusal:
            yield row, RefusedClip(row.id, row.where, refusal.message)


def without_loners(clips: list[P], where: Callable[[P], str]) -> tuple[list[P], list[RefusedClip]]:
    """The clips whose speaker has another: each is learnt from with another's start as the reference."""
    count = Counter(clip.person for clip in clips)
    kept = [clip for clip in clips if count[clip.person] > 1]
    alone = [
        RefusedClip(
            clip.id, where(clip), f"it is the only usable clip of {quote(clip.person)}; at least two are needed"
        )
        for clip in clips
        if count[clip.person] == 1
    ]
    return kept, alone


def _claim(name: str, ids: set[str]) -> None:
    if name in ids:
        raise InvalidRequest(f"its id {quote(name)} is that of an earlier clip", field="id")
    ids.add(name)


def _clip(row: TranscriptRow, rules: Rules, prepare: Prepare[P], recordings: dict[str, str]) -> P:
    if not row.text:
        raise InvalidRequest("its transcript is empty", field="text")
    language = language_of(row, rules)
    data = row.read()
    if not data:
        raise InvalidRequest("its file is empty: 0 bytes", field="audio")
    made = prepare(
        row.id,
        data,
        lambda held: _sound(held, rules.max_clip_s),
        text=row.text,
        language=language,
        person=row.speaker or EVERYONE,
    )
    if made.duration_s > rules.max_clip_s:  # kept from a run that allowed it
        raise InvalidRequest(f"its recording is longer than {rules.max_clip_s:g} s", field="audio")
    if made.digest in recordings:
        raise InvalidRequest(f"its recording is that of {quote(recordings[made.digest])}", field="audio")
    recordings[made.digest] = row.id
    return made


def language_of(row: TranscriptRow, rules: Rules) -> str:
    """Raises InvalidRequest for what the model does not speak."""
    known = MODELS[rules.model].languages
    wanted = (row.language or rules.language or (known[0] if len(known) == 1 else "")).replace("_", "-")
    code = wanted.partition("-")[0].lower()
    if code not in known:
        raise InvalidRequest(f"its language {quote(wanted)} is not one of {choices(known)}", field="language")
    return code


def _sound(data: bytes, max_s: float) -> Audio:
    try:
        audio = decode(data, field="its recording", max_s=max_s)
    except InvalidRequest as refusal:
        raise InvalidRequest(refusal.message, field="audio") from refusal
    if audio.sample_rate < LOWEST_RATE:
        sentence = f"its recording has a sample rate of {audio.sample_rate} Hz; at least {LOWEST_RATE} are needed"
        raise InvalidRequest(sentence, field="audio")
    if audio.duration_s < SHORTEST_S:
        raise InvalidRequest(
            f"its recording lasts {audio.duration_s:.2f} s; at least {SHORTEST_S} are needed", field="audio"
        )
    return audio
