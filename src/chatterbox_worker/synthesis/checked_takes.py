"""Takes that are judged as they end: one that does not pass is spoken again in the same batch, and the best is used.

The reader's thread judges. While it waits for a chunk's further attempt, it reads and judges the chunks after it, so
that theirs are submitted, too: a text with many failures takes about one attempt longer than one with a single failure.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from chatterbox_worker.answer import SpokenCheck
from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.checks.verdict import Reason, Verdict, describe
from chatterbox_worker.engine import Take, TakeFacts
from chatterbox_worker.errors import NoSpeech

log = logging.getLogger(__name__)

_AHEAD = 16
"""Chunks that are read before a further attempt is waited for: about a batch, so that few sounds are held in memory."""

Speak = Callable[[int, "Take | None"], Take]
"""Submits a chunk's attempt, 0 for the first; with the engine's take of the first one, if this is another."""
Assess = Callable[[Audio, Take], Verdict]
"""Judges the sound of an attempt that has ended."""


class CheckedTakes:
    """The takes of one text. For one reader; `cancel` of a take may come from any thread."""

    def __init__(self, attempts: int) -> None:
        """`attempts`: how often a chunk is spoken at most, the first time included."""
        self._attempts = attempts
        self._unread: deque[CheckedTake] = deque()

    def submit(self, speak: Speak, assess: Assess) -> CheckedTake:
        """Submits the first attempt at a chunk and returns at once. Raises what `speak` raises."""
        take = CheckedTake(speak, assess, self._settle)
        self._unread.append(take)
        return take

    def _settle(self, wanted: CheckedTake) -> None:
        """Reads takes, in the order of their submission, until this one needs no further attempt."""
        while not wanted.is_settled:
            take = self._unread.popleft()
            take.read()
            if take.passes or take.attempts >= self._attempts:
                take.is_settled = True
            elif take.speak_again():
                self._unread.insert(_AHEAD, take)


class CheckedTake:
    """The best of several attempts at one chunk, as a `Take`."""

    def __init__(self, speak: Speak, assess: Assess, settle: Callable[[CheckedTake], None]) -> None:
        self._speak, self._assess, self._settle = speak, assess, settle
        self.first = self._current = self._best = speak(0, None)
        """`first`: the engine's take of the first attempt."""
        self.attempts = 1
        self.is_settled = False
        """Whether its best attempt is known; with an error that ends it, too."""
        self._taken: list[Take] = [self.first]
        self._audio: Audio | None = None
        self._verdict: Verdict | None = None
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Audio]:
        self._settle(self)
        audio, self._audio = self._audio, None  # so that nothing keeps the samples
        if self._error is not None:
            raise self._error
        if audio is None:
            raise NoSpeech("the model generated no speech for this text; try another seed or a longer text")
        yield audio

    def cancel(self) -> None:
        self._current.cancel()

    @property
    def passes(self) -> bool:
        """Whether an attempt passed, or failed in a way that another would not mend."""
        return self._error is not None or (self._verdict is not None and self._verdict.passes)

    @property
    def check(self) -> SpokenCheck | None:
        """None until it is settled."""
        if self._verdict is None or not self.is_settled:
            return None
        return SpokenCheck(
            self.attempts, tuple(map(str, self._verdict.reasons)), self._verdict.score, self._verdict.heard
        )

    def read(self) -> None:
        """Reads the attempt that was submitted last, to its end, and keeps it if it is the best so far."""
        take = self._current
        try:
            audio = _sound_of(take)
            verdict = Verdict.of([Reason.SILENT]) if audio is None else self._assess(audio, take)
        except Exception as error:  # noqa: BLE001 - raised where this chunk is read, not while an earlier one is
            self._error = error
            return
        if self._verdict is None or verdict.score > self._verdict.score or (self._audio is None and audio is not None):
            self._best, self._audio, self._verdict = take, audio, verdict
        if not verdict.passes:
            log.info("attempt %d does not pass: %s", self.attempts, describe(verdict.reasons))

    def speak_again(self) -> bool:
        """Submits the next attempt; False if that fails."""
        try:
            self._current = self._speak(self.attempts, self.first)
        except Exception as error:  # noqa: BLE001 - as in `read`
            self._error, self.is_settled = error, True
            return False
        self._taken.append(self._current)
        self.attempts += 1
        return True

    @property
    def timings(self) -> Mapping[str, float]:
        """Of all attempts together; the time in the queue is that of the first."""
        total: dict[str, float] = dict(self.first.timings)
        for take in self._taken[1:]:
            for stage, seconds in take.timings.items():
                if stage != "queue_s":
                    total[stage] = total.get(stage, 0.0) + seconds
        return total

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._best.warnings)

    @property
    def facts(self) -> TakeFacts:
        return self._best.facts

    @property
    def boundaries_s(self) -> Sequence[float]:
        return self._best.boundaries_s


def _sound_of(take: Take) -> Audio | None:
    """None if the model generated no speech: another seed may."""
    try:
        pieces = list(take)
    except NoSpeech:
        return None
    return concatenate(pieces) if pieces else None


def check_of(take: Take) -> SpokenCheck | None:
    """How a take was judged; None if it was not."""
    found = getattr(take, "check", None)
    return found if isinstance(found, SpokenCheck) else None


def engine_take(take: Take) -> Take:
    """The engine's own take of a first attempt."""
    return take.first if isinstance(take, CheckedTake) else take
