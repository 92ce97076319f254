"""CUDA graphs before they are needed: the hottest at boot, the rest in idle time, one at a time.

A chore captures one graph. The thread that owns the state does it (the scheduler's for T3, the render queue's for sound) when it
has nothing else to do, so a request waits for one capture at most. Chores end when all are done, when memory gets short, or when
one fails: what has no graph still runs, only slower.

Hot is what a single caller with the model's own voice, a short text, the default sampling and up to six seconds of speech needs.
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
"""Captures one graph; False where there is no room for it."""

_HOT_TEXT = 64  # positions
_HOT_SPEECH = 150  # tokens, 6 s


class CaptureQueue:
    """What is left to do, in order. For the thread that owns the state; `wait` is for others."""

    def __init__(self, hot: Sequence[Capture] = (), later: Sequence[Capture] = ()) -> None:
        self._left = [*hot, *later][::-1]
        self._later = len(later)
        self._hot_done, self._all_done = threading.Event(), threading.Event()
        self._note()

    def __bool__(self) -> bool:
        """Whether something is left."""
        return bool(self._left)

    def do_one(self) -> None:
        """The next one; never raises."""
        try:
            chore, is_short = self._left.pop(), False
        except IndexError:  # stopped meanwhile
            return
        try:
            if not chore():
                log.info("%d graphs are left out: memory is short, or the device captures none", len(self._left) + 1)
                self._left.clear()
        except Exception as error:
            log.warning("a graph could not be captured ahead; %d are left out", len(self._left) + 1, exc_info=error)
            self._left.clear()
            is_short = is_out_of_memory(error)
        if is_short:  # where no handled exception keeps its frames alive
            free_memory()
        self._note()

    def stop(self) -> None:
        """Leave the rest, and let nobody wait for it. From any thread."""
        self._left.clear()
        self._note()

    def wait_hot(self, timeout_s: float) -> bool:
        """Until the hot ones are done. Whether they are."""
        return self._hot_done.wait(timeout_s)

    def wait_all(self, timeout_s: float) -> bool:
        """Until nothing is left. Whether that is so."""
        return self._all_done.wait(timeout_s)

    def _note(self) -> None:
        if len(self._left) <= self._later:
            self._hot_done.set()
        if not self._left:
            self._all_done.set()


def speech_captures(slots: Slots, prefix_length: int, *, sorts: bool) -> CaptureQueue:
    """T3's, where the model's own voice takes `prefix_length` positions and its default sampling sorts or does not."""
    texts = slots.text_shapes(prefix_length)
    steps = [shape for how in (sorts, not sorts) for shape in slots.step_shapes(sorts=how) if shape[1] > prefix_length]
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
    """S3Gen's, where the model's own voice has so many tokens."""
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
