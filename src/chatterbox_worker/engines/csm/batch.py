"""Continuous batching: takes join the running batch between two frames, and leave it after their last.

One thread owns the slots. First chunks are admitted first (`queue_policy`). A take that cannot be started fails alone.
A step that fails, fails all takes in it: it cannot be repeated, since the random generators have advanced. Policy only.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from operator import attrgetter

from torch import Tensor

from chatterbox_worker.engine import TakeFacts
from chatterbox_worker.engines.chatterbox.device.failures import (
    answer_to,
    attempt,
    is_device_failure,
    process_failed,
    run,
)
from chatterbox_worker.engines.chatterbox.serving.queue_policy import WaitingQueue
from chatterbox_worker.engines.csm.draw import CodeSampling
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.engines.csm.take import CsmTake
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

log = logging.getLogger(__name__)

_DOING = "speaking"
_is_over = attrgetter("is_over")
_is_ready = attrgetter("is_ready")


class Batch:
    def __init__(
        self, slots: CsmSlots, prompt: Callable[[CsmTake], Tensor], render: Callable[[CsmTake], object]
    ) -> None:
        """`prompt` returns a take's embeddings (1, n, width); if it raises, the take fails with that error.

        `render` is called with each take whose frames are complete.
        """
        self._slots, self._prompt, self._render = slots, prompt, render
        self._waiting: WaitingQueue[CsmTake] = WaitingQueue()
        self._running: dict[int, CsmTake] = {}
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
                self._waiting.add(take, take.utterance.turn)
                self._changed.notify()
        if broken is not None:
            take.fail(broken)
        elif closed:
            take.cancel()

    def wake(self) -> None:
        """Call when the batch may have to change."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Cancel what runs and what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        work_on(self._slots.csm.device)
        while True:
            with self._changed:
                self._waiting.discard(_is_over)
                while not (self._closed or self._running or any(map(_is_ready, self._waiting))):
                    self._changed.wait()
                    self._waiting.discard(_is_over)
                if self._closed:
                    break
            try:
                self._advance()
            except Exception as error:  # noqa: BLE001 - the thread's edge: if it died, every caller would hang
                self._give_up(error)
        for take in (*self._running.values(), *self._waiting):
            take.cancel()

    def _advance(self) -> None:
        for slot, take in list(self._running.items()):
            if take.is_over:
                self._leave(slot)
        self._admit()
        if self._running:
            frames = self._slots.step()
            for slot, take in list(self._running.items()):
                self._read(slot, take, frames[slot])

    def _admit(self) -> None:
        for slot in self._slots.free:
            with self._changed:
                self._waiting.discard(_is_over)
                take = self._waiting.take(_is_ready)
            if take is None:
                return
            take.mark_started()
            failure = attempt(functools.partial(self._enter, slot, take))
            if failure is None:
                self._running[slot], self._since_s[slot] = take, time.perf_counter()
                continue
            take.fail(answer_to(failure, _DOING))
            if is_device_failure(failure):
                raise failure
            if not isinstance(failure, WorkerError):  # else the take's own
                log.error("a take could not be started", exc_info=failure)

    def _enter(self, slot: int, take: CsmTake) -> None:
        if take.lead is not None and not take.lead.is_complete:
            raise SynthesisFailed("the chunk whose voice this one continues was not spoken")
        sampling, seed = take.utterance.sampling, take.utterance.seed
        temperature, top_k = sampling["temperature"], int(sampling["top_k"])
        code_sampling = CodeSampling.of(seed, temperature, top_k, self._slots.csm.device)
        self._slots.enter(slot, self._prompt(take), code_sampling, take.utterance.voice.adapter)

    def _read(self, slot: int, take: CsmTake, frame: list[int] | None) -> None:
        csm = self._slots.csm
        if frame is None:
            self._leave(slot)
            take.fail(SynthesisFailed("the model's numbers overflow with this voice and text"))
            return
        is_end = all(code == csm.eos for code in frame[:-1])  # generate checks all except the last
        if not (is_end and frame[-1] == csm.eos):
            take.frames.append(frame)
        if is_end or len(take.frames) >= take.script.max_frames:
            take.facts = TakeFacts(hit_limit=not is_end)
            if not is_end:
                take.warn(
                    f"the model did not stop within {take.script.max_frames / csm.frame_rate:g} s; "
                    "the speech may be cut off"
                )
            take.add_time("csm_s", time.perf_counter() - self._since_s[slot])
            self._leave(slot)
            take.is_complete = True
            self._render(take)

    def _leave(self, slot: int) -> None:
        del self._running[slot], self._since_s[slot]
        self._slots.leave(slot)

    def _leave_all(self) -> None:
        for slot in list(self._running):
            self._leave(slot)

    def _give_up(self, error: Exception) -> None:
        """Fail the takes in the batch, and if the device has failed, all takes."""
        log.error("the batch failed", exc_info=error)
        failure = answer_to(error, _DOING)
        failed = list(self._running.values())
        if isinstance(failure, DeviceFailed) or run(self._leave_all) is not None:
            with self._changed:
                self._broken = process_failed()
                failed += self._waiting
                self._waiting.discard(lambda _: True)
            self._running.clear()
        for take in failed:
            take.fail(failure)
