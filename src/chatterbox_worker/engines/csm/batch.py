"""Continuous batching: takes join the running batch between two frames, and leave it when they have said their last.

One thread owns the slots. First chunks are admitted first (`order`). A take that cannot begin fails alone; a step that
fails, fails all that are in it, for it cannot be repeated: chance has moved on. Policy only.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from operator import attrgetter

from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.failures import answer_to, attempt, is_device_failure
from chatterbox_worker.engines.chatterbox.serving.queue_policy import WaitingQueue
from chatterbox_worker.engines.csm.draw import CodeSampling
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.engines.csm.take import CsmTake
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

log = logging.getLogger(__name__)

_DOING = "speaking"
_is_over = attrgetter("is_over")
_is_ready = attrgetter("is_ready")


class Batch:
    def __init__(
        self, slots: CsmSlots, prompt: Callable[[CsmTake], Tensor], sound: Callable[[CsmTake], object]
    ) -> None:
        """`prompt` gives a take's (1, n, width) and may raise what the take fails with; `sound` hears of those said."""
        self._slots, self._prompt, self._sound = slots, prompt, sound
        self._waiting: WaitingQueue[CsmTake] = WaitingQueue()
        self._speaking: dict[int, CsmTake] = {}
        self._since_s: dict[int, float] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._broken: DeviceFailed | None = None
        self._thread = threading.Thread(target=self._run, name="csm", daemon=True)
        self._thread.start()

    def submit(self, take: CsmTake) -> None:
        with self._changed:
            broken, closed = self._broken, self._closed
            if broken is None and not closed:
                self._waiting.join(take, take.utterance.turn)
                self._changed.notify()
        if broken is not None:
            take.fail(broken)
        elif closed:
            take.cancel()

    def wake(self) -> None:
        """Something happened that may let the batch change."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Give up what runs and waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._waiting.send_away(_is_over)
                while not (self._closed or self._speaking or any(map(_is_ready, self._waiting))):
                    self._changed.wait()
                    self._waiting.send_away(_is_over)
                if self._closed:
                    break
            try:
                self._advance()
            except Exception as error:  # noqa: BLE001 - the thread's edge: if it died, every caller would hang
                self._give_up(error)
        for take in (*self._speaking.values(), *self._waiting):
            take.cancel()

    def _advance(self) -> None:
        for slot, take in list(self._speaking.items()):
            if take.is_over:
                self._leave(slot)
        self._admit()
        if self._speaking:
            frames = self._slots.step()
            for slot, take in list(self._speaking.items()):
                self._read(slot, take, frames[slot])

    def _admit(self) -> None:
        for slot in self._slots.free:
            with self._changed:
                self._waiting.send_away(_is_over)
                take = self._waiting.take(_is_ready)
            if take is None:
                return
            take.started()
            failure = attempt(functools.partial(self._enter, slot, take))
            if failure is None:
                self._speaking[slot], self._since_s[slot] = take, time.perf_counter()
                continue
            take.fail(answer_to(failure, _DOING))
            if is_device_failure(failure):
                raise failure
            if not isinstance(failure, WorkerError):  # else the take's own
                log.error("a take could not begin", exc_info=failure)

    def _enter(self, slot: int, take: CsmTake) -> None:
        if take.lead is not None and not take.lead.is_said:
            raise SynthesisFailed("the chunk whose voice this one goes on with was not spoken")
        sampling, seed = take.utterance.sampling, take.utterance.seed
        temperature, top_k = sampling["temperature"], int(sampling["top_k"])
        code_sampling = CodeSampling.of(seed, temperature, top_k, self._slots.csm.device)
        self._slots.enter(slot, self._prompt(take), code_sampling)

    def _read(self, slot: int, take: CsmTake, frame: list[int]) -> None:
        csm = self._slots.csm
        is_end = all(code == csm.eos for code in frame[:-1])  # generate looks at all but the last
        if not (is_end and frame[-1] == csm.eos):
            take.frames.append(frame)
        if is_end or len(take.frames) >= take.script.max_frames:
            if not is_end:
                take.warn(
                    f"the model did not stop within {take.script.max_frames / csm.frame_rate:g} s; "
                    "what it said may be cut off"
                )
            take.spent("csm_s", time.perf_counter() - self._since_s[slot])
            self._leave(slot)
            take.is_said = True
            self._sound(take)

    def _leave(self, slot: int) -> None:
        del self._speaking[slot], self._since_s[slot]
        self._slots.leave(slot)

    def _give_up(self, error: Exception) -> None:
        """The takes in the batch fail, and all takes where the device is gone."""
        log.error("the batch failed", exc_info=error)
        failure = answer_to(error, _DOING)
        failed = list(self._speaking.values())
        if isinstance(failure, DeviceFailed):
            with self._changed:
                self._broken = failure
                failed += self._waiting
                self._waiting.send_away(lambda _: True)
            self._speaking.clear()
        for slot in list(self._speaking):
            self._leave(slot)
        for take in failed:
            take.fail(failure)
