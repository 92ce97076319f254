"""CUDA graphs captured before they are needed: the most used at boot, the others in idle time, one at a time.

A capture records one graph. It runs on the thread that owns the state (the scheduler's for T3, the render queue's for
sound) when that thread has nothing else to do, so a request waits for at most one capture. Capturing in advance stops
when all graphs are captured, when memory is short, or when a capture fails: shapes without a graph still run, only
slower. A shape that does so repeatedly is captured next, under load too.

The hot graphs are those that a single caller with the model's own voice, a short text, the default sampling and up to
six seconds of speech needs.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from chatterbox_worker.engines.chatterbox.device.failures import free_memory, is_out_of_memory
from chatterbox_worker.engines.chatterbox.s3gen.graphs import ROW_STEP
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder

log = logging.getLogger(__name__)

Shape = TypeVar("Shape")
Capture = Callable[[], bool]
"""Captures one graph; False if there is no memory for it."""

_HOT_TEXT = 64  # positions
_HOT_SPEECH = 150  # tokens, 6 s
_MOST_FAILURES = 8  # exceptions, after which nothing is captured under load any more
_QUIET_S = 0.25
"""Without work before a capture that is not hot: requests that follow each other closely must not wait for one."""
_SHARE_UNDER_LOAD = 0.1
"""Of a busy thread's time: one capture takes as long as dozens of steps (350 ms reported for another model, H100)."""


class CaptureQueue:
    """The remaining captures, in order. For the thread that owns the state; other threads may only stop and wait."""

    def __init__(
        self,
        hot: Sequence[Capture] = (),
        later: Sequence[Capture] = (),
        wanted: Callable[[], Capture | None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`wanted` returns the capture of a shape that runs again and again without a graph, if there is one."""
        self._remaining = [*hot, *later][::-1]
        self._later = len(later)
        self._wanted = wanted
        self._clock, self._next_under_load_s, self._busy_s = clock, -math.inf, -math.inf
        self._stopped, self._failures = False, 0
        self._hot_done, self._all_done = threading.Event(), threading.Event()
        self._update_events()

    def __bool__(self) -> bool:
        """Whether captures remain."""
        return bool(self._remaining) or self._next_wanted() is not None

    def mark_busy(self) -> None:
        """Call when there was work."""
        self._busy_s = self._clock()

    @property
    def wait_s(self) -> float:
        """How long to be idle before the next capture; infinite if there is none."""
        if not self:
            return math.inf
        return 0.0 if len(self._remaining) > self._later else max(0.0, self._busy_s + _QUIET_S - self._clock())

    def capture_next(self) -> None:
        """Run the next capture in idle time: of a wanted shape, else the next in order. Never raises."""
        wanted = self._next_wanted()
        if wanted is not None:
            self._run(wanted)
            return
        try:
            capture = self._remaining.pop()
        except IndexError:  # stopped meanwhile
            return
        if not self._run(capture):
            if self._remaining:
                log.info("%d more graphs are not captured in advance", len(self._remaining))
            self._remaining.clear()
        self._update_events()

    def capture_wanted(self) -> None:
        """Run the capture of a wanted shape while others wait, if it is time for one. Never raises.

        So a worker that is never idle gets the graphs of its own load, and captures take a tenth of its time at most.
        """
        if self._clock() < self._next_under_load_s or (wanted := self._next_wanted()) is None:
            return
        started_s = self._clock()
        self._run(wanted)
        ended_s = self._clock()
        self._next_under_load_s = ended_s + (ended_s - started_s) * (1 / _SHARE_UNDER_LOAD - 1)

    def stop(self) -> None:
        """Drop the remaining captures and wake those who wait for them. From any thread."""
        self._stopped = True
        self._remaining.clear()
        self._update_events()

    def wait_hot(self, timeout_s: float) -> bool:
        """Wait for the hot captures; whether they are done."""
        return self._hot_done.wait(timeout_s)

    def wait_all(self, timeout_s: float) -> bool:
        """Wait for all captures; whether they are done."""
        return self._all_done.wait(timeout_s)

    def _next_wanted(self) -> Capture | None:
        return None if self._stopped or self._failures > _MOST_FAILURES else self._wanted()

    def _run(self, capture: Capture) -> bool:
        """Whether it succeeded."""
        failure: Exception | None = None
        try:
            if capture():
                return True
            log.info("a graph is not captured: memory is short, or the device supports none")
        except Exception as error:  # noqa: BLE001 - shapes without a graph still run
            failure = error
        if failure is not None:
            self._failures += 1
            log.warning("a graph could not be captured", exc_info=failure)
            if is_out_of_memory(failure):
                del failure  # whose frames keep tensors alive
                free_memory()
        return False

    def _update_events(self) -> None:
        if len(self._remaining) <= self._later:
            self._hot_done.set()
        if not self._remaining:
            self._all_done.set()


def speech_captures(slots: Decoder, prefix_length: int, *, sorts: bool) -> CaptureQueue:
    """T3's graphs, for a default voice of `prefix_length` positions; `sorts`: whether the default sampling sorts."""
    texts = slots.text_shapes(prefix_length)
    steps = [
        shape for order in (sorts, not sorts) for shape in slots.step_shapes(sorts=order) if shape[1] > prefix_length
    ]
    longest = slots.context_of(prefix_length + _HOT_TEXT + _HOT_SPEECH)
    hot_texts = [(context, padded) for context, padded in texts if padded <= _HOT_TEXT]
    hot_steps = [shape for shape in steps if shape[0] == 1 and shape[1] <= longest and shape[2] == sorts]
    return CaptureQueue(
        [*_each(slots.warm_text, hot_texts), *_each(slots.warm_step, hot_steps)],
        [
            *_each(slots.warm_text, [shape for shape in texts if shape not in hot_texts]),
            *_each(slots.warm_step, [shape for shape in steps if shape not in hot_steps]),
        ],
        slots.wanted,
    )


def sound_captures(s3gen: S3Gen, prompt_tokens: int) -> CaptureQueue:
    """S3Gen's graphs, for a default voice of `prompt_tokens` tokens."""
    flow, vocoder = s3gen.flow_graphs, s3gen.vocoder_graphs
    longest = _HOT_SPEECH + ROW_STEP
    hot_flows = [
        (rows, length) for rows, length in flow.variants() if rows == 1 and 0 < length - prompt_tokens < longest
    ]
    hot_vocoders = [(rows, length) for rows, length in vocoder.variants() if length < longest]
    hot_hops = [(rows, length) for rows, length in vocoder.hop_variants() if rows == 1]
    return CaptureQueue(
        [
            *_each(flow.warm, hot_flows),
            *_each(vocoder.warm, hot_vocoders),
            *_each(vocoder.warm_hops, hot_hops),
        ],
        [
            *_each(vocoder.warm, [each for each in vocoder.variants() if each not in hot_vocoders]),
            *_each(flow.warm, [each for each in flow.variants() if each not in hot_flows]),
            *_each(vocoder.warm_hops, [each for each in vocoder.hop_variants() if each not in hot_hops]),
        ],
        lambda: flow.wanted() or vocoder.wanted(),
    )


def _each(capture: Callable[[Shape], bool], shapes: Sequence[Shape]) -> list[Capture]:
    return [functools.partial(capture, shape) for shape in shapes]
