"""Prepares the rows that can be used for training, and records why others cannot: one bad clip does not stop the rest.

This module checks recordings, transcripts and ids; a `Prepare` function checks what depends on the model (tokens,
positions).
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
"""Hertz: the rate of the speech tokenizer and the speaker encoder; a lower rate lacks frequencies that they use."""
SHORTEST_S = 0.5
DEFAULT_SPEAKER = "speaker"
"""The speaker of rows without one."""


class Prepared(Protocol):
    """A clip in the form that the model needs."""

    @property
    def id(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def person(self) -> str: ...


P = TypeVar("P", bound=Prepared)
Prepared_co = TypeVar("Prepared_co", bound=Prepared, covariant=True)


@dataclass(frozen=True, slots=True)
class RefusedClip:
    id: str
    where: str
    why: str


class Prepare(Protocol[Prepared_co]):
    def __call__(
        self, name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> Prepared_co:
        """Raises InvalidRequest for a clip that cannot be used for training."""


@dataclass(frozen=True, slots=True)
class Rules:
    model: str
    language: str | None
    """Of rows without one; one that the model speaks, or that is added to it."""
    max_clip_s: float


def prepare_rows(
    rows: Iterable[TranscriptRow], rules: Rules, prepare: Prepare[P]
) -> Iterator[tuple[TranscriptRow, P | RefusedClip]]:
    """Each row with its prepared clip, or with the reason why it is refused."""
    ids: set[str] = set()
    recordings: dict[str, str] = {}
    for row in rows:
        try:
            _check_unique(row.id, ids)
            yield row, _prepare_row(row, rules, prepare, recordings)
        except InvalidRequest as refusal:
            yield row, RefusedClip(row.id, row.where, refusal.message)


def refuse_single_clips(clips: list[P], where: Callable[[P], str]) -> tuple[list[P], list[RefusedClip]]:
    """The clips whose speaker has another clip, and the others as refused.

    Training uses the start of another clip of the same speaker as the reference.
    """
    count = Counter(clip.person for clip in clips)
    kept = [clip for clip in clips if count[clip.person] > 1]
    refused = [
        RefusedClip(
            clip.id, where(clip), f"it is the only usable clip of {quote(clip.person)}; at least two are needed"
        )
        for clip in clips
        if count[clip.person] == 1
    ]
    return kept, refused


def _check_unique(name: str, ids: set[str]) -> None:
    if name in ids:
        raise InvalidRequest(f"its id {quote(name)} is already used by an earlier clip", field="id")
    ids.add(name)


def _prepare_row(row: TranscriptRow, rules: Rules, prepare: Prepare[P], recordings: dict[str, str]) -> P:
    data = row.read()
    if not row.text:
        raise InvalidRequest("its transcript is empty", field="text")
    language = language_of(row, rules)
    if not data:
        raise InvalidRequest("its file is empty: 0 bytes", field="audio")
    clip = prepare(
        row.id,
        data,
        lambda recording: _decode(recording, rules.max_clip_s),
        text=row.text,
        language=language,
        person=row.speaker or DEFAULT_SPEAKER,
    )
    if clip.duration_s > rules.max_clip_s:  # it was prepared by a run with a higher limit
        raise InvalidRequest(f"its recording is longer than {rules.max_clip_s:g} s", field="audio")
    if clip.digest in recordings:
        raise InvalidRequest(f"its recording is the same as that of {quote(recordings[clip.digest])}", field="audio")
    recordings[clip.digest] = row.id
    return clip


def language_of(row: TranscriptRow, rules: Rules) -> str:
    """Raises InvalidRequest for a language that the model does not support."""
    known = tuple(dict.fromkeys((*MODELS[rules.model].languages, *([rules.language] if rules.language else []))))
    language = (row.language or rules.language or (known[0] if len(known) == 1 else "")).replace("_", "-")
    code = language.partition("-")[0].lower()
    if code not in known:
        raise InvalidRequest(f"its language {quote(language)} is not one of {choices(known)}", field="language")
    return code


def _decode(data: bytes, max_s: float) -> Audio:
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
