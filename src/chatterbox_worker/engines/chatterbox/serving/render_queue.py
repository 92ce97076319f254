"""When jobs are rendered, and which ones together.

On a GPU they are rendered in parallel with T3, in batches of similar length; on a CPU at once, one at a time. Lengths
are similar if their multiples of `ROW_STEP` are equal or neighbours.

First chunks go first. An utterance waits a few milliseconds for others to share its batch if more are being generated;
a hop of a stream never waits. On a CPU a batch would gain nothing: one row keeps the cores busy.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence

import torch

from chatterbox_worker.engines.chatterbox.device.failures import answer_to, process_failed
from chatterbox_worker.engines.chatterbox.device.streams import work_on_stream
from chatterbox_worker.engines.chatterbox.s3gen.graphs import MOST_ROWS, MOST_TOKENS, ROW_STEP
from chatterbox_worker.engines.chatterbox.serving.queue_policy import WaitingQueue
from chatterbox_worker.engines.chatterbox.serving.render import RenderJob
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import DeviceFailed

log = logging.getLogger(__name__)

_DOING = "generating audio"
_BUSY_WAIT_S = 0.2  # between checks whether T3 is idle, since captures wait until then
_BATCH_WAIT_S = 0.003  # a few steps of T3, little compared to the flow's 4 ms and more


class RenderQueue:
    """On a GPU it renders on its own thread and CUDA stream, so that `submit` does not wait; on a CPU, in `submit`."""

    def __init__(
        self,
        render: Callable[[Sequence[RenderJob]], None],
        device: torch.device,
        *,
        in_background: bool,
        more_to_come: Callable[[], bool],
        captures: CaptureQueue | None = None,
        owner: str = "",
    ) -> None:
        """`render` renders a batch and does not raise.

        `in_background`: on a thread of its own. `captures` run one at a time, while nothing waits and nothing is to
        come.
        """
        self._render, self._device, self._more_to_come = render, device, more_to_come
        self._captures = CaptureQueue() if captures is None else captures
        self._waiting: WaitingQueue[RenderJob] = WaitingQueue()
        self._changed = threading.Condition()
        self._owner = owner
        self._closed = False
        self._broken: DeviceFailed | None = None
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="render", daemon=True) if in_background else None
        if self._thread is not None:
            self._thread.start()

    def submit(self, job: RenderJob) -> None:
        if self._thread is None:
            with self._one_at_a_time:
                self._render([job])
            return
        with self._changed:
            broken = self._broken
            if broken is None:
                self._waiting.add(job, job.take.turn)
                self._changed.notify()
        if broken is not None:
            job.take.fail(broken)

    def close(self) -> None:
        """Cancel what waits, finish what runs."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._captures.stop()
        if self._thread is not None:
            self._thread.join()
        for job in self._waiting:
            job.take.cancel()

    def _run(self) -> None:
        try:
            work_on(self._device)
            with work_on_stream(self._device, "sound", self._owner):
                while (batch := self._next()) is not None:
                    self._render_or_fail(batch)
                    self._captures.mark_busy()
        except Exception:  # the thread's edge: if it died silently, every caller would hang
            log.exception("rendering ended")
            self._give_up()

    def _render_or_fail(self, batch: Sequence[RenderJob]) -> None:
        try:
            self._render(batch)
        except Exception as error:
            log.exception("a batch could not be rendered")
            for job in batch:
                job.take.fail(answer_to(error, _DOING))

    def _give_up(self) -> None:
        """Fail all takes, now and later: only another process can speak."""
        failure = process_failed()
        with self._changed:
            self._broken = failure
            waiting = list(self._waiting)
            self._waiting.discard(lambda _: True)
        for job in waiting:
            job.take.fail(failure)

    def _next(self) -> list[RenderJob] | None:
        """The next batch; None when closed."""
        while not self._something_waits():
            if not self._more_to_come() and self._captures.wait_s <= 0:
                self._captures.capture_next()
        self._captures.capture_wanted()
        with self._changed:
            first = None if self._closed else self._waiting.take(_is_ready)
            if first is None:
                return None
            batch = [first]
            self._fill(batch)
            if first.stream is None and len(batch) < _most_rows(_pad(first.length)) and self._more_to_come():
                self._changed.wait_for(lambda: self._closed, timeout=_BATCH_WAIT_S)
                self._fill(batch)
            return batch

    def _something_waits(self) -> bool:
        """Wait for a job that is ready or for the queue to be closed; False on a timeout, which it has only while
        captures remain.
        """
        with self._changed:
            self._waiting.discard(_is_over)  # the hops after one that failed never become ready
            timeout_s: float | None = self._captures.wait_s
            if timeout_s == math.inf:
                timeout_s = None
            elif self._more_to_come():
                timeout_s = _BUSY_WAIT_S
            return self._changed.wait_for(lambda: self._closed or any(map(_is_ready, self._waiting)), timeout=timeout_s)

    def _fill(self, batch: list[RenderJob]) -> None:
        """Add waiting jobs whose padded length is the batch's or next to it, as long as the batch fits."""

        def fits(job: RenderJob) -> bool:
            lengths = [_pad(each.length) for each in (*batch, job)]
            return job.is_ready and max(lengths) - min(lengths) <= ROW_STEP and len(lengths) <= _most_rows(max(lengths))

        while (other := self._waiting.take(fits)) is not None:
            batch.append(other)


def _is_over(job: RenderJob) -> bool:
    return job.take.is_over


def _is_ready(job: RenderJob) -> bool:
    return job.is_ready


def _most_rows(length: int) -> int:
    return max(1, min(MOST_ROWS, MOST_TOKENS // length))


def _pad(tokens: int) -> int:
    return -(-tokens // ROW_STEP) * ROW_STEP
