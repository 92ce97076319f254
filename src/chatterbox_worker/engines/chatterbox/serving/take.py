"""One utterance being spoken by the engine: the caller reads its pieces, the engine's threads write them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Passage, TakeFacts, Utterance
from chatterbox_worker.errors import Cancelled, WorkerError

_END = None


class ChatterboxTake:
    """Audio pieces, in order, then the end or the error. Written by the engine's threads, read by one caller."""

    def __init__(self, utterance: Utterance | Passage, on_over: Callable[[], None]) -> None:
        """`on_over` is called, from any thread, when the take has been cancelled or has failed."""
        self._utterance = utterance if isinstance(utterance, Utterance) else None
        self.seed, self.turn = utterance.seed, utterance.turn
        self._on_over = on_over
        self._pieces: queue.SimpleQueue[Audio | WorkerError | None] = queue.SimpleQueue()
        self._cancelled, self._failed = threading.Event(), threading.Event()
        self._timings: dict[str, float] = {}
        self._warnings: list[str] = []
        self.facts = TakeFacts()
        self._align: Callable[[], Sequence[float]] = tuple
        self._boundaries_s: Sequence[float] | None = None
        self._submitted_s = time.perf_counter()

    def __iter__(self) -> Iterator[Audio]:
        while (piece := self._pieces.get()) is not _END:
            if isinstance(piece, WorkerError):
                raise piece
            yield piece

    @property
    def utterance(self) -> Utterance:
        """Not of a passage that is converted."""
        assert self._utterance is not None  # noqa: S101 - T3 and its batch have utterances only
        return self._utterance

    def cancel(self) -> None:
        """The reader is woken at once; the slot in the batch is freed at the next step."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            self._pieces.put(Cancelled("the take was cancelled"))
            self._on_over()

    @property
    def is_over(self) -> bool:
        """Whether it was cancelled or has failed: it needs no further work."""
        return self._cancelled.is_set() or self._failed.is_set()

    @property
    def timings(self) -> Mapping[str, float]:
        return dict(self._timings)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    @property
    def boundaries_s(self) -> Sequence[float]:
        """Computed when they are first asked for, on the caller's thread."""
        if self._boundaries_s is None:
            self._boundaries_s, self._align = self._align(), tuple
        return self._boundaries_s

    def set_alignment(self, align: Callable[[], Sequence[float]]) -> None:
        """What computes `boundaries_s`; call it before the take's end."""
        self._align = align

    def mark_started(self) -> None:
        """The take has left the queue. The last call counts: a take that did not fit into memory leaves it again."""
        self._timings["queue_s"] = time.perf_counter() - self._submitted_s - self._timings.get("t3_s", 0.0)

    def add_time(self, stage: str, seconds: float) -> None:
        self._timings[stage] = self._timings.get(stage, 0.0) + seconds

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.add_time(stage, time.perf_counter() - started_s)

    def warn(self, sentence: str) -> None:
        self._warnings.append(sentence)

    def put(self, piece: Audio) -> None:
        self._pieces.put(piece)

    def end(self) -> None:
        self._pieces.put(_END)

    def fail(self, error: WorkerError) -> None:
        """The slot in the batch, if the take still has one, is freed at the next step."""
        self._failed.set()
        self._pieces.put(error)
        self._on_over()
