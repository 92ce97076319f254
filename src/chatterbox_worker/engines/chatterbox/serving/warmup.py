"""CUDA graphs captured before they are needed: the most used at boot, the others in idle time, one at a time.

A capture records one graph. It runs on the thread that owns the state (the scheduler's for T3, the render queue's for
sound) when that thread has nothing else to do, so a request waits for at most one capture. Capturing stops when all
graphs are captured, when memory is short, or when a capture fails: shapes without a graph still run, only slower.

The hot graphs are those that a single caller with the model's own voice, a short text, the default sampling and up to
six seconds of speech needs.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from chatterbox_worker.engines.chatterbox.device.failures import free_memory, is_out_of_memory
from chatterbox_worker.engines.chatterbox.s3gen.graphs import ROW_STEP
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.slots import Slots

log = logging.getLogger(__name__)

Shape = TypeVar("Shape")
Capture = Callable[[], bool]
"""Captures one graph; False if there is no memory for it."""

_HOT_TEXT = 64  # positions
_HOT_SPEECH = 150  # tokens, 6 s


class CaptureQueue:
    """The remaining captures, in order. For the thread that owns the state; other threads may only stop and wait."""

    def __init__(self, hot: Sequence[Capture] = (), later: Sequence[Capture] = ()) -> None:
        self._remaining = [*hot, *later][::-1]
        self._later = len(later)
        self._hot_done, self._all_done = threading.Event(), threading.Event()
        self._update_events()

    def __bool__(self) -> bool:
        """Whether captures remain."""
        return bool(self._remaining)

    def capture_next(self) -> None:
        """Run the next capture; never raises."""
        try:
            capture, is_short = self._remaining.pop(), False
        except IndexError:  # stopped meanwhile
            return
        try:
            if not capture():
                log.info(
                    "%d graphs are not captured: memory is short, or the device supports none", len(self._remaining) + 1
                )
                self._remaining.clear()
        except Exception as error:
            skipped = len(self._remaining) + 1
            log.warning("a graph could not be captured in advance; %d are skipped", skipped, exc_info=error)
            self._remaining.clear()
            is_short = is_out_of_memory(error)
        if is_short:  # here, where no handled exception keeps its frames alive
            free_memory()
        self._update_events()

    def stop(self) -> None:
        """Drop the remaining captures and wake those who wait for them. From any thread."""
        self._remaining.clear()
        self._update_events()

    def wait_hot(self, timeout_s: float) -> bool:
        """Wait for the hot captures; whether they are done."""
        return self._hot_done.wait(timeout_s)

    def wait_all(self, timeout_s: float) -> bool:
        """Wait for all captures; whether they are done."""
        return self._all_done.wait(timeout_s)

    def _update_events(self) -> None:
        if len(self._remaining) <= self._later:
            self._hot_done.set()
        if not self._remaining:
            self._all_done.set()


def speech_captures(slots: Slots, prefix_length: int, *, sorts: bool) -> CaptureQueue:
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
    )


def sound_captures(s3gen: S3Gen, prompt_tokens: int) -> CaptureQueue:
    """S3Gen's graphs, for a default voice of `prompt_tokens` tokens."""
    flows, vocoders = s3gen.flow_graphs.variants(), s3gen.vocoder_graphs.variants()
    longest = _HOT_SPEECH + ROW_STEP
    hot_flows = [(rows, length) for rows, length in flows if rows == 1 and 0 < length - prompt_tokens < longest]
    hot_vocoders = [(rows, length) for rows, length in vocoders if length < longest]
    return CaptureQueue(
        [*_each(s3gen.flow_graphs.warm, hot_flows), *_each(s3gen.vocoder_graphs.warm, hot_vocoders)],
        [
            *_each(s3gen.vocoder_graphs.warm, [each for each in vocoders if each not in hot_vocoders]),
            *_each(s3gen.flow_graphs.warm, [each for each in flows if each not in hot_flows]),
        ],
    )


def _each(capture: Callable[[Shape], bool], shapes: Sequence[Shape]) -> list[Capture]:
    return [functools.partial(capture, shape) for shape in shapes]
