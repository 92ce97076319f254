"""When and with whom tokens become sound: on a GPU beside T3, in batches of like length; on a CPU at once, one at a time.

First chunks go first. An utterance waits a few milliseconds for company where more are on their way; a hop of a stream
never waits. On a CPU there is nothing to gain from company: the cores are busy with one row.
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

_BUSY_WAIT_S = 0.2  # chores rest while T3 speaks
_COMPANY_WAIT_S = 0.003  # a few steps of T3, little beside the flow's 4 ms and more (chatterbox.md 1.7)


class RenderQueue:
    """`submit` never waits for a GPU. A thread of its own with a stream of its own, unless there is no GPU."""

    def __init__(
        self,
        make: Callable[[Sequence[RenderJob]], None],
        device: torch.device,
        *,
        beside: bool,
        more_to_come: Callable[[], bool],
        captures: CaptureQueue | None = None,
    ) -> None:
        """`make` renders a batch and does not raise. `captures` are done, one at a time, while nothing waits or is to come."""
        self._make, self._device, self._more_to_come = make, device, more_to_come
        self._captures = captures or CaptureQueue()
        self._line: WaitingQueue[RenderJob] = WaitingQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._alone = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="render", daemon=True) if beside else None
        if self._thread is not None:
            self._thread.start()

    def submit(self, job: RenderJob) -> None:
        if self._thread is None:
            with self._alone:
                self._make([job])
            return
        with self._changed:
            self._line.join(job, job.take.utterance.turn)
            self._changed.notify()

    def close(self) -> None:
        """Give up what waits, finish what runs."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._captures.stop()
        if self._thread is not None:
            self._thread.join()
        for job in self._line:
            job.take.cancel()

    def _run(self) -> None:
        work_on(self._device)
        with _own_stream(self._device):
            while (batch := self._next()) is not None:
                try:
                    self._make(batch)
                except Exception as error:  # the thread's edge: if it died, every caller would hang
                    log.exception("a batch could not be rendered")
                    for job in batch:
                        job.take.fail(answer_to(error, "making sound"))

    def _next(self) -> list[RenderJob] | None:
        """The next batch; None when closed."""
        while not self._something_waits():
            if not self._more_to_come():
                self._captures.do_one()
        with self._changed:
            first = None if self._closed else self._line.take(_is_ready)
            if first is None:
                return None
            batch, length = [first], _padded(first.length)
            most = max(1, min(MOST_ROWS, MOST_TOKENS // length))
            self._join(batch, length, most)
            if first.stream is None and len(batch) < most and self._more_to_come():
                self._changed.wait_for(lambda: self._closed, timeout=_COMPANY_WAIT_S)
                self._join(batch, length, most)
            return batch

    def _something_waits(self) -> bool:
        """Once it does, or the queue is closed; False where there are chores to look at meanwhile."""
        with self._changed:
            patience = None if not self._captures else _BUSY_WAIT_S if self._more_to_come() else 0.0
            return self._changed.wait_for(lambda: self._closed or len(self._line) > 0, timeout=patience)

    def _join(self, batch: list[RenderJob], length: int, most: int) -> None:
        """Let those in who are as long."""

        def is_like(job: RenderJob) -> bool:
            taken = any(other.take is job.take for other in batch)
            return job.is_ready and not taken and _padded(job.length) == length

        while len(batch) < most and (company := self._line.take(is_like)) is not None:
            batch.append(company)


def _is_ready(job: RenderJob) -> bool:
    return job.is_ready


def _padded(tokens: int) -> int:
    return -(-tokens // ROW_STEP) * ROW_STEP


def _own_stream(device: torch.device) -> contextlib.AbstractContextManager[object]:
    if device.type != "cuda":
        return contextlib.nullcontext()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.default_stream(device))  # where the weights were made
    return torch.cuda.stream(stream)
