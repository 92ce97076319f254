"""Continuous batching: takes join T3's running batch at any step and leave it when they have said their last token.

One thread owns the slots and steps them; whoever has finished goes on to a renderer, which turns tokens into sound.
Tokens are read one step late where there is a GPU, so that the device never waits for the host to see them; a take may
thus be stepped once too often, which nobody hears. Policy only: what a token or a sound is, the model knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3 import Prefix
from chatterbox_worker.engines.chatterbox.t3_slots import Slots
from chatterbox_worker.engines.chatterbox.take import ChatterboxTake
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Speaking:
    """A take and what the batch needs of it."""

    take: ChatterboxTake
    text_ids: Sequence[int]
    sampling: Sampling
    prefix: Future[Prefix]
    """The voice, being made ready; a failure of it is the take's."""
    max_tokens: int
    tokens: list[int] = field(default_factory=list)
    done: bool = False
    admitted_s: float = 0.0


Render = Callable[[Speaking], None]
"""Called on the scheduler's thread with a take whose tokens are whole; must not raise for the take's own failure."""


class Scheduler:
    def __init__(self, slots: Slots, render: Render, *, name: str) -> None:
        self._slots = slots
        self._render = render
        self._lag = 1 if slots.t3.device.type == "cuda" else 0
        self._waiting: deque[Speaking] = deque()
        self._speaking: dict[int, Speaking] = {}
        self._unread: deque[tuple[Tensor, torch.cuda.Event | None, dict[int, Speaking]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._broken: DeviceFailed | None = None
        self._thread = threading.Thread(target=self._run, name=f"t3-{name}", daemon=True)
        self._thread.start()

    def submit(self, speaking: Speaking) -> None:
        """Queue it; takes are admitted in the order of submission, as their voices become ready."""
        with self._changed:
            if self._broken is not None:
                speaking.take.fail(self._broken)
                return
            self._waiting.append(speaking)
            self._changed.notify()
        speaking.prefix.add_done_callback(lambda _: self.wake())

    def wake(self) -> None:
        """Something happened that may let the batch change: a cancel, a voice that is ready."""
        with self._changed:
            self._changed.notify()

    @property
    def active(self) -> int:
        """Takes in the batch right now."""
        return len(self._speaking)

    def close(self) -> None:
        """Give up what runs and waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._speaking or self._next_ready() is not None):
                    self._forget_cancelled()
                    self._changed.wait()
                if self._closed:
                    break
            try:
                self._advance()
            except Exception as error:  # noqa: BLE001  # the thread's edge: if it died, every caller would hang
                self._give_up(error)
        for speaking in (*self._speaking.values(), *self._waiting):
            speaking.take.cancel()

    def _advance(self) -> None:
        self._release_cancelled()
        self._admit()
        if not self._speaking:
            return
        self._slots.step()
        self._unread.append(self._copied())
        while len(self._unread) > self._lag:
            self._read(*self._unread.popleft())
        self._finish_full()

    def _next_ready(self) -> Speaking | None:
        return next((speaking for speaking in self._waiting if speaking.prefix.done()), None)

    def _admit(self) -> None:
        """Fill free slots with those whose voice is ready, first come first served."""
        while free := self._slots.free:
            with self._changed:
                self._forget_cancelled()
                speaking = self._next_ready()
                if speaking is None:
                    return
                self._waiting.remove(speaking)
            try:
                prefix = speaking.prefix.result()
                speaking.take.started()
                self._slots.prefill(free[0], prefix, speaking.text_ids, speaking.sampling, speaking.take.utterance.seed)
            except WorkerError as error:  # this take's own: a voice that is none, a text too long
                speaking.take.fail(error)
                continue
            except Exception:
                speaking.take.fail(SynthesisFailed("the engine failed before speaking"))
                raise
            speaking.admitted_s = time.perf_counter()
            speaking.max_tokens = min(speaking.max_tokens, self._slots.room(free[0]))
            self._speaking[free[0]] = speaking

    def _forget_cancelled(self) -> None:
        self._waiting = deque(speaking for speaking in self._waiting if not speaking.take.is_cancelled)

    def _release_cancelled(self) -> None:
        for slot, speaking in list(self._speaking.items()):
            if speaking.take.is_cancelled:
                self._leave(slot, speaking)

    def _copied(self) -> tuple[Tensor, torch.cuda.Event | None, dict[int, Speaking]]:
        """The last step's tokens on their way to the host, and whose they are."""
        if not self._lag:
            return self._slots.tokens.clone(), None, dict(self._speaking)
        host = torch.empty(self._slots.tokens.shape, dtype=torch.int64, pin_memory=True)
        host.copy_(self._slots.tokens, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return host, event, dict(self._speaking)

    def _read(self, tokens: Tensor, event: torch.cuda.Event | None, whose: dict[int, Speaking]) -> None:
        if event is not None:
            event.synchronize()
        for slot, speaking in whose.items():
            if speaking.done:
                continue
            token = int(tokens[slot])
            if token == self._slots.t3.eos:
                self._finish(slot, speaking)
                continue
            speaking.tokens.append(token)
            if len(speaking.tokens) >= speaking.max_tokens:
                speaking.take.warn(
                    f"the model did not stop within {speaking.max_tokens} tokens ({speaking.max_tokens / 25:.0f} s); "
                    "what it said may be cut off"
                )
                self._finish(slot, speaking)

    def _finish_full(self) -> None:
        """Read what is unread before a slot that has no room would be stepped again."""
        if any(self._slots.room(slot) < 1 for slot in self._speaking):
            while self._unread:
                self._read(*self._unread.popleft())

    def _finish(self, slot: int, speaking: Speaking) -> None:
        self._leave(slot, speaking)
        speaking.take.spent("t3_s", time.perf_counter() - speaking.admitted_s)
        self._render(speaking)

    def _leave(self, slot: int, speaking: Speaking) -> None:
        speaking.done = True
        del self._speaking[slot]
        self._slots.release(slot)

    def _give_up(self, error: Exception) -> None:
        """The batch cannot be trusted any more: its takes fail, and all takes where the device is gone."""
        log.error("the batch failed", exc_info=error)
        gone = is_device_failure(error)
        failure = DeviceFailed("the GPU failed; this worker asks to be replaced") if gone else None
        self._unread.clear()
        for slot, speaking in list(self._speaking.items()):
            speaking.done = True
            del self._speaking[slot]
            speaking.take.fail(failure or SynthesisFailed("the engine failed while speaking"))
        if failure is not None:
            with self._changed:
                self._broken = failure
                waiting, self._waiting = self._waiting, deque()
            for speaking in waiting:
                speaking.take.fail(failure)
            return
        for slot in self._slots.active:
            self._slots.release(slot)


def is_device_failure(error: BaseException) -> bool:
    """Whether the CUDA context is beyond use; every later call would fail likewise. Out of memory is not that."""
    return isinstance(error, torch.AcceleratorError) and not isinstance(error, torch.OutOfMemoryError)
