"""Continuous batching: takes join T3's running batch at any step and leave it after their last token.

One thread owns the slots and steps them; tokens that are due go on to be rendered. On a GPU tokens are read one step
late, so that the device never waits for the host to read them; a take may be stepped once more than needed, and that
token is dropped. First chunks are admitted first (`queue_policy`). When memory runs out the batch shrinks: takes that
no longer fit go to the front of the queue, and go on with the tokens that they have. Tokens depend only on the seed,
and in the last bits of the logits on the batch. Policy only: the models know what tokens and sound are.
"""

from __future__ import annotations

import collections.abc
import functools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from chatterbox_worker.engine import TakeFacts
from chatterbox_worker.engines.chatterbox.checkpoint.layout import TOKEN_RATE
from chatterbox_worker.engines.chatterbox.device.failures import (
    answer_to,
    attempt,
    is_device_failure,
    is_out_of_memory,
    process_failed,
    run,
)
from chatterbox_worker.engines.chatterbox.device.host_copy import HostCopy
from chatterbox_worker.engines.chatterbox.device.streams import finish_stream, work_on_stream
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.serving.queue_policy import BatchLimit, WaitingQueue
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

log = logging.getLogger(__name__)

_ADMITTED_AT_ONCE = 4  # between two steps, while others are running: reading a text takes as long as a few steps
_DOING = "speaking"


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """A take whose tokens need no T3, and the work that renders them."""

    take: ChatterboxTake
    render: Callable[[], None]
    """Answers the take; may raise."""


Render = Callable[[Sequence, bool], None]
"""Called on the scheduler's thread with a sequence and whether its tokens are complete.

Does not raise for the take's own failure.
"""


class Scheduler:
    def __init__(
        self, slots: Decoder, render: Render, *, name: str, captures: CaptureQueue | None = None, owner: str = ""
    ) -> None:
        """`captures` run one at a time, while no take is running or ready to run; wanted ones between two steps too.

        `owner`: of the stream of tokens; adapted models share their engine's.
        """
        self._slots = slots
        self._render = render
        self._captures = CaptureQueue() if captures is None else captures
        self._owner = owner
        self._lag = 1 if slots.t3.device.type == "cuda" else 0
        self._waiting: WaitingQueue[Sequence] = WaitingQueue()
        self._errands: deque[Errand] = deque()
        self._running: dict[int, Sequence] = {}
        self._limit = BatchLimit(slots.size)
        self._render_s = 0.0  # spent in `render` so far
        self._unread: deque[tuple[HostCopy, dict[int, Sequence]]] = deque()
        """The tokens of a step, and the sequences by slot that it stepped."""
        self._changed = threading.Condition()
        self._closed = self._finishing = False
        self._any_over = False  # whether a take may be over since the last look
        self._broken: DeviceFailed | None = None
        self._thread = threading.Thread(target=self._run, name=f"t3-{name}", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queue the sequence; it is admitted once its voice is ready."""
        with self._changed:
            broken, closed = self._broken, self._closed
            if broken is None and not closed:
                self._waiting.add(sequence, sequence.take.utterance.turn)
        if broken is not None:
            sequence.take.fail(broken)
        elif closed:
            sequence.take.cancel()
        else:
            sequence.voice.add_done_callback(lambda _: self.wake())  # at once, if it is ready

    def submit_errand(self, errand: Errand) -> None:
        """Queue it, to be done on the scheduler's thread: one between two steps, so that takes go on meanwhile."""
        with self._changed:
            broken, closed = self._broken, self._closed
            if broken is None and not closed:
                self._errands.append(errand)
                self._changed.notify()
        if broken is not None:
            errand.take.fail(broken)
        elif closed:
            errand.take.cancel()

    def wake(self) -> None:
        """Call when the batch may have to change: a take is over, a voice is ready."""
        with self._changed:
            self._any_over = True
            self._changed.notify()

    @property
    def active(self) -> int:
        """How many takes are in the batch right now."""
        return len(self._running)

    @property
    def is_idle(self) -> bool:
        """Whether no take is running and none waits."""
        return not self._running and not len(self._waiting) and not self._errands

    def finish(self) -> None:
        """Finish what was submitted, and end the thread. Nothing may be submitted meanwhile."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        self._thread.join()
        self._slots.close()

    def close(self) -> None:
        """Cancel what runs and what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._captures.stop()
        self._thread.join()
        self._slots.close()

    @property
    def _is_done(self) -> bool:
        return self._closed or (self._finishing and self.is_idle)

    def _run(self) -> None:
        device = self._slots.t3.device
        try:
            work_on(device)
            with work_on_stream(device, "tokens", self._owner):
                while self._wait_for_work():
                    self._work_or_give_up()
                finish_stream(device)  # the cache may be freed now
        except Exception:  # the thread's edge: if it died silently, every caller would hang
            log.exception("the batch ended")
            self._break()
        for unfinished in (*self._running.values(), *self._waiting, *self._errands):
            unfinished.take.cancel()

    def _wait_for_work(self) -> bool:
        """False when there will be no more."""
        if self._running and not self._any_over and not self._closed:
            return True  # most steps: nothing has changed
        with self._changed:
            self._waiting.discard(_is_over)
            while not (self._is_done or self._is_wanted() or (wait_s := self._captures.wait_s) <= 0):
                release_threads()
                self._changed.wait(None if wait_s == math.inf else wait_s)
                self._waiting.discard(_is_over)
            return not self._is_done

    def _work_or_give_up(self) -> None:
        try:
            if self._is_wanted():
                self._captures.capture_wanted()
                self._advance()
            else:
                self._captures.capture_next()
        except Exception as error:  # noqa: BLE001 - the takes are answered
            self._give_up(error)

    def _is_wanted(self) -> bool:
        return bool(self._running) or bool(self._errands) or any(map(_is_ready, self._waiting))

    def _advance(self) -> None:
        self._captures.mark_busy()
        if self._any_over:
            self._any_over = False
            for slot, sequence in list(self._running.items()):
                if sequence.take.is_over:
                    self._leave(slot)
        if len(self._waiting):
            self._admit()
        if self._errands:
            self._do(self._errands.popleft())
        if not self._running or not self._step():
            return
        self._unread.append((HostCopy.start(self._slots.tokens), dict(self._running)))
        self._read_all_but(self._lag)
        if self._slots.steps_left < 1:
            self._read_all_but(0)  # a slot without a free position must not be stepped again

    def _admit(self) -> None:
        """Fill free slots with sequences whose voice is ready; a few at a time, since running ones wait meanwhile."""
        for _ in range(_ADMITTED_AT_ONCE if self._running else self._slots.size):
            if not (free := self._slots.free) or len(self._running) >= self._limit.current:
                return
            with self._changed:
                self._waiting.discard(_is_over)
                sequence = self._waiting.take(_is_ready)
            if sequence is None:
                return
            failure = attempt(functools.partial(self._enter, free[0], sequence))
            if failure is None:
                self._running[free[0]] = sequence
            elif is_out_of_memory(failure) and self._running:
                self._send_back([sequence])
                return
            else:
                self._refuse(sequence, failure)

    def _do(self, errand: Errand) -> None:
        if errand.take.is_over:
            return
        errand.take.mark_started()
        started_s = time.perf_counter()
        failure = run(errand.render)
        self._render_s += time.perf_counter() - started_s
        if failure is not None:
            errand.take.fail(answer_to(failure, _DOING))
            if is_device_failure(failure):
                raise failure

    def _enter(self, slot: int, sequence: Sequence) -> None:
        voice = sequence.voice.result()
        voice.use()
        sequence.take.mark_started()
        seed, tokens = sequence.take.utterance.seed, sequence.tokens
        self._slots.prefill(
            slot, voice.prefix, sequence.text_ids, sequence.sampling, seed, tokens=tokens, observe=sequence.observe
        )
        sequence.admitted_s = self._clock_s()
        sequence.max_tokens = min(sequence.max_tokens, len(tokens) + self._slots.remaining_steps(slot))

    def _refuse(self, sequence: Sequence, failure: Exception) -> None:
        sequence.take.fail(answer_to(failure, _DOING))
        if not isinstance(failure, WorkerError):  # else the take's own: an unusable voice, a text too long
            log.error("a take could not be started", exc_info=failure)
        if is_device_failure(failure):
            raise failure

    def _step(self) -> bool:
        """One more token for every running sequence; False if memory ran out: half go back, a single one fails.

        Neither happens if a token that was not read yet ends a sequence: the others may fit then.
        """
        failure = attempt(self._slots.step)
        if failure is None:
            return True
        if not is_out_of_memory(failure):
            raise failure
        before = len(self._running)
        self._read_all_but(0)
        if len(self._running) < before:
            return False
        staying = sorted(
            self._running, key=lambda slot: (self._running[slot].stream is None, self._running[slot].admitted_s)
        )
        if len(staying) == 1:
            self._refuse(self._running[staying[0]], failure)
            return False
        leaving = [self._running[slot] for slot in staying[(len(staying) + 1) // 2 :]]
        for slot in staying[(len(staying) + 1) // 2 :]:
            self._leave(slot)
        self._send_back(leaving)
        return False

    def _send_back(self, leaving: collections.abc.Sequence[Sequence]) -> None:
        """Return sequences to the queue that did not fit next to those still running."""
        log.warning("out of memory: %d takes go on, %d go on later", len(self._running), len(leaving))
        self._limit.shrink(len(self._running))
        with self._changed:
            for sequence in reversed(leaving):
                self._waiting.put_back(sequence, sequence.take.utterance.turn)

    def _copy_attention(self, slot: int, sequence: Sequence) -> None:
        """Start copying an observed utterance's attention to the host."""
        attention = self._slots.attention(slot, len(sequence.tokens))
        if attention is not None:
            sequence.attention = HostCopy.start(attention.mean(0))

    def _read_all_but(self, unread: int) -> None:
        while len(self._unread) > unread:
            copied, sequences = self._unread.popleft()
            tokens, eos = self._slots.read(copied.read()), self._slots.t3.eos
            for slot, sequence in sequences.items():
                for token in tokens[slot]:
                    if self._running.get(slot) is not sequence:
                        break
                    if token == eos:
                        self._read_end(slot, sequence)
                    else:
                        self._read(slot, sequence, token)

    def _read_end(self, slot: int, sequence: Sequence) -> None:
        # upstream's GPT-2 loop checks for the end from the second token on; the first is fed back whatever it is
        if self._slots.t3.is_gpt and not sequence.tokens:
            self._read(slot, sequence, self._slots.t3.eos)
        else:
            self._finish(slot, sequence)

    def _read(self, slot: int, sequence: Sequence, token: int) -> None:
        hop_is_due = sequence.add_token(token)
        if len(sequence.tokens) >= sequence.max_tokens:
            if self._slots.has_overflowed(slot):  # such an utterance has no probabilities and so no end
                self._leave(slot)
                sequence.take.fail(SynthesisFailed("the model's numbers overflow with this voice and text"))
                return
            sequence.take.warn(
                f"the model did not stop within {sequence.max_tokens} tokens "
                f"({sequence.max_tokens / TOKEN_RATE:g} s); the speech may be cut off"
            )
            self._finish(slot, sequence, hit_limit=True)
        elif hop_is_due:
            self._render_and_time(sequence, is_whole=False)

    def _finish(self, slot: int, sequence: Sequence, *, hit_limit: bool = False) -> None:
        sequence.take.facts = TakeFacts(hit_limit, tuple(sequence.tokens))
        failure = attempt(functools.partial(self._copy_attention, slot, sequence))
        if failure is not None:
            if not is_out_of_memory(failure):
                raise failure
            log.warning("out of memory: a take has no times for its words")
        self._leave(slot)
        self._limit.record_success()
        self._render_and_time(sequence, is_whole=True)

    def _render_and_time(self, sequence: Sequence, *, is_whole: bool) -> None:
        started_s = time.perf_counter()
        self._render(sequence, is_whole)
        self._render_s += time.perf_counter() - started_s

    def _clock_s(self) -> float:
        return time.perf_counter() - self._render_s

    def _leave(self, slot: int) -> None:
        sequence = self._running.pop(slot)
        sequence.take.add_time("t3_s", self._clock_s() - sequence.admitted_s)
        self._slots.release(slot)

    def _give_up(self, error: Exception) -> None:
        """The batch's state is no longer valid: fail its takes, and if the device has failed, all takes."""
        log.error("the batch failed", exc_info=error)
        failure = answer_to(error, _DOING)
        failed = list(self._running.values())
        self._unread.clear()
        self._running.clear()
        is_lost = isinstance(failure, DeviceFailed)
        if not is_lost and (problem := run(self._slots.release_all)) is not None:
            log.error("the batch cannot go on", exc_info=problem)
            is_lost = True
        for sequence in failed:
            sequence.take.fail(failure)
        if is_lost:
            self._break()

    def _break(self) -> None:
        """Fail all takes, now and later: only another process can speak."""
        failure = process_failed()
        with self._changed:
            self._broken = failure
            failed = [*self._running.values(), *self._waiting, *self._errands]
            self._running.clear()
            self._errands.clear()
            self._waiting.discard(lambda _: True)
        for lost in failed:
            lost.take.fail(failure)


def _is_over(sequence: Sequence) -> bool:
    return sequence.take.is_over


def _is_ready(sequence: Sequence) -> bool:
    return sequence.voice.done()
