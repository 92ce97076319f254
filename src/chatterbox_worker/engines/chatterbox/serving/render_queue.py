"""When jobs are rendered, and which ones together.

On a GPU they are rendered in parallel with T3, in batches of similar length; on a CPU at once, one at a time.

First chunks go first. An utterance waits a few milliseconds for others to share its batch if more are being generated;
a hop of a stream never waits. On a CPU a batch would gain nothing: one row keeps the cores busy.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

import torch

from chatterbox_worker.engines.chatterbox.device.failures import answer_to
from chatterbox_worker.engines.chatterbox.s3gen.graphs import MOST_ROWS, MOST_TOKENS, ROW_STEP
from chatterbox_worker.engines.chatterbox.serving.queue_policy import WaitingQueue
from chatterbox_worker.engines.chatterbox.serving.render import RenderJob
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.device import work_on

log = logging.getLogger(__name__)

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
    ) -> None:
        """`render` renders a batch and does not raise.

        `in_background`: on a thread of its own. `captures` run one at a time, while nothing waits and nothing is to
        come.
        """
        self._render, self._device, self._more_to_come = render, device, more_to_come
        self._captures = captures or CaptureQueue()
        self._waiting: WaitingQueue[RenderJob] = WaitingQueue()
        self._changed = threading.Condition()
        self._closed = False
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
            self._waiting.add(job, job.take.utterance.turn)
            self._changed.notify()

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
        work_on(self._device)
        with _own_stream(self._device):
            while (batch := self._next()) is not None:
                try:
                    self._render(batch)
                except Exception as error:  # the thread's edge: if it died, every caller would hang
                    log.exception("a batch could not be rendered")
                    for job in batch:
                        job.take.fail(answer_to(error, "generating audio"))

    def _next(self) -> list[RenderJob] | None:
        """The next batch; None when closed."""
        while not self._something_waits():
            if not self._more_to_come():
                self._captures.capture_next()
        with self._changed:
            first = None if self._closed else self._waiting.take(_is_ready)
            if first is None:
                return None
            batch, length = [first], _pad(first.length)
            most = max(1, min(MOST_ROWS, MOST_TOKENS // length))
            self._fill(batch, length, most)
            if first.stream is None and len(batch) < most and self._more_to_come():
                self._changed.wait_for(lambda: self._closed, timeout=_BATCH_WAIT_S)
                self._fill(batch, length, most)
            return batch

    def _something_waits(self) -> bool:
        """Wait for a job or for the queue to be closed; False on a timeout, which it has only while captures remain."""
        with self._changed:
            timeout_s = None if not self._captures else _BUSY_WAIT_S if self._more_to_come() else 0.0
            return self._changed.wait_for(lambda: self._closed or len(self._waiting) > 0, timeout=timeout_s)

    def _fill(self, batch: list[RenderJob], length: int, most: int) -> None:
        """Add waiting jobs whose padded length is `length`."""

        def fits(job: RenderJob) -> bool:
            is_in_batch = any(other.take is job.take for other in batch)
            return job.is_ready and not is_in_batch and _pad(job.length) == length

        while len(batch) < most and (other := self._waiting.take(fits)) is not None:
            batch.append(other)


def _is_ready(job: RenderJob) -> bool:
    return job.is_ready


def _pad(tokens: int) -> int:
    return -(-tokens // ROW_STEP) * ROW_STEP


def _own_stream(device: torch.device) -> contextlib.AbstractContextManager[object]:
    if device.type != "cuda":
        return contextlib.nullcontext()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.default_stream(device))  # on which the weights were loaded
    return torch.cuda.stream(stream)
