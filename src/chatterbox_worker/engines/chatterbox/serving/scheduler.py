"""Continuous batching: takes join T3's running batch at any step and leave it when they have said their last token.

One thread owns the slots and steps them; tokens that are due go on to be made sound. Tokens are read one step late where
there is a GPU, so that the device never waits for the host to see them; a take may thus be stepped once too often, which
nobody hears. First chunks are admitted first (`order`). For want of memory the batch shrinks: those who no longer fit
wait in front of the line and start again, and since their tokens depend on their seed alone, nobody hears that either.
Policy only: what a token or a sound is, the models know.
"""

from __future__ import annotations

import collections.abc
import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import SPEECH_CODES, TOKEN_RATE
from chatterbox_worker.engines.chatterbox.device.failures import answer_to, attempt, is_device_failure, is_out_of_memory
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.serving.queue_policy import BatchLimit, WaitingQueue
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import DeviceFailed, WorkerError

log = logging.getLogger(__name__)

_ADMITTED_AT_ONCE = 4  # between two steps, while others are speaking: reading a text takes as long as a few steps
_DOING = "speaking"


@dataclass(slots=True, eq=False)
class Sequence:
    """A take and what the batch needs of it."""

    take: ChatterboxTake
    text_ids: collections.abc.Sequence[int]
    sampling: Sampling
    voice: Future[EncodedVoice]
    """Being made ready; a failure of it is the take's."""
    max_tokens: int
    stream: Stream | None = None
    """Where hops are wanted before the end."""
    tokens: list[int] = field(default_factory=list)
    to_repeat: int = 0
    """How many tokens were drawn before the take had to start again."""
    codes: int = 0
    """How many of the tokens can be heard."""
    admitted_s: float = 0.0
    """By the scheduler's clock, which stands still while sound is made on its thread."""

    def say(self, token: int) -> bool:
        """The next token; True where a hop of the stream is due."""
        if self.to_repeat:
            self.to_repeat -= 1
            return False
        self.tokens.append(token)
        self.codes += token < SPEECH_CODES
        return self.stream is not None and self.stream.clock.is_due(self.codes)

    def start_again(self) -> None:
        self.to_repeat = len(self.tokens)


Render = Callable[[Sequence, bool], None]
"""Called on the scheduler's thread with a take, and whether its tokens are whole; does not raise for the take's own failure."""


class Scheduler:
    def __init__(self, slots: Slots, render: Render, *, name: str, captures: CaptureQueue | None = None) -> None:
        """`captures` are done, one at a time, while nobody speaks or is ready to."""
        self._slots = slots
        self._render = render
        self._captures = captures or CaptureQueue()
        self._lag = 1 if slots.t3.device.type == "cuda" else 0
        self._waiting: WaitingQueue[Sequence] = WaitingQueue()
        self._speaking: dict[int, Sequence] = {}
        self._bound = BatchLimit(slots.size)
        self._sound_s = 0.0  # spent in `render` so far
        self._unread: deque[tuple[Tensor, torch.cuda.Event | None, dict[int, Sequence]]] = deque()
        self._changed = threading.Condition()
        self._closed = self._finishing = False
        self._broken: DeviceFailed | None = None
        self._thread = threading.Thread(target=self._run, name=f"t3-{name}", daemon=True)
        self._thread.start()

    def submit(self, speaking: Sequence) -> None:
        """Queue it; takes are admitted as their voices become ready."""
        with self._changed:
            if self._broken is None:
                self._waiting.join(speaking, speaking.take.utterance.turn)
        if self._broken is not None:
            speaking.take.fail(self._broken)
            return
        speaking.voice.add_done_callback(lambda _: self.wake())  # at once, if it is ready

    def wake(self) -> None:
        """Something happened that may let the batch change: a take is over, a voice is ready."""
        with self._changed:
            self._changed.notify()

    @property
    def active(self) -> int:
        """Takes in the batch right now."""
        return len(self._speaking)

    @property
    def is_idle(self) -> bool:
        """Whether nobody speaks and nobody waits."""
        return not self._speaking and not len(self._waiting)

    def finish(self) -> None:
        """Speak what was submitted, and end the thread. Nothing may be submitted meanwhile."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        self._thread.join()

    def close(self) -> None:
        """Give up what runs and waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._captures.stop()
        self._thread.join()

    @property
    def _is_done(self) -> bool:
        return self._closed or (self._finishing and self.is_idle)

    def _run(self) -> None:
        work_on(self._slots.t3.device)
        while True:
            with self._changed:
                self._waiting.send_away(_is_over)
                while not (self._is_done or self._is_wanted() or self._captures):
                    release_threads()
                    self._changed.wait()
                    self._waiting.send_away(_is_over)
                if self._is_done:
                    break
                is_idle = not self._is_wanted()
            if is_idle:
                self._captures.do_one()
                continue
            try:
                self._advance()
            except Exception as error:  # noqa: BLE001 - the thread's edge: if it died, every caller would hang
                self._give_up(error)
        for speaking in (*self._speaking.values(), *self._waiting):
            speaking.take.cancel()

    def _is_wanted(self) -> bool:
        return bool(self._speaking) or any(map(_is_ready, self._waiting))

    def _advance(self) -> None:
        for slot, speaking in list(self._speaking.items()):
            if speaking.take.is_over:
                self._leave(slot)
        self._admit()
        if not self._speaking or not self._stepped():
            return
        self._unread.append(self._copied())
        self._read_all_but(self._lag)
        if any(self._slots.remaining_steps(slot) < 1 for slot in self._speaking):
            self._read_all_but(0)  # a slot without room must not be stepped again

    def _admit(self) -> None:
        """Fill free places with those whose voice is ready; a few at a time, for whoever is speaking waits meanwhile."""
        for _ in range(_ADMITTED_AT_ONCE if self._speaking else self._slots.size):
            if not (free := self._slots.free) or len(self._speaking) >= self._bound.now:
                return
            with self._changed:
                self._waiting.send_away(_is_over)
                speaking = self._waiting.take(_is_ready)
            if speaking is None:
                return
            failure = attempt(functools.partial(self._enter, free[0], speaking))
            if failure is None:
                self._speaking[free[0]] = speaking
            elif is_out_of_memory(failure) and self._speaking:
                self._send_back([speaking])
                return
            else:
                self._refuse(speaking, failure)

    def _enter(self, slot: int, speaking: Sequence) -> None:
        heard = speaking.voice.result()
        speaking.take.started()
        self._slots.prefill(slot, heard.prefix, speaking.text_ids, speaking.sampling, speaking.take.utterance.seed)
        speaking.admitted_s = self._clock_s()
        speaking.max_tokens = min(speaking.max_tokens, self._slots.remaining_steps(slot))

    def _refuse(self, speaking: Sequence, failure: Exception) -> None:
        speaking.take.fail(answer_to(failure, _DOING))
        if not isinstance(failure, WorkerError):  # else the take's own: a voice that is none, a text too long
            log.error("a take could not begin", exc_info=failure)
        if is_device_failure(failure):
            raise failure

    def _stepped(self) -> bool:
        """One more token for everyone; False where there was no memory for it, and fewer have stayed to try again."""
        failure = attempt(self._slots.step)
        if failure is None:
            return True
        if not is_out_of_memory(failure):
            raise failure
        self._read_all_but(0)
        staying = sorted(
            self._speaking, key=lambda slot: (self._speaking[slot].stream is None, self._speaking[slot].admitted_s)
        )
        if len(staying) == 1:
            self._refuse(self._speaking[staying[0]], failure)
            return False
        leaving = [self._speaking[slot] for slot in staying[(len(staying) + 1) // 2 :]]
        for slot in staying[(len(staying) + 1) // 2 :]:
            self._leave(slot)
        self._send_back(leaving)
        return False

    def _send_back(self, leaving: collections.abc.Sequence[Sequence]) -> None:
        """They did not fit beside those who are speaking now."""
        log.warning("out of memory: %d takes go on, %d start again later", len(self._speaking), len(leaving))
        self._bound.shrink(len(self._speaking))
        with self._changed:
            for speaking in reversed(leaving):
                speaking.start_again()
                self._waiting.rejoin(speaking, speaking.take.utterance.turn)

    def _copied(self) -> tuple[Tensor, torch.cuda.Event | None, dict[int, Sequence]]:
        """The last step's tokens on their way to the host, and whose they are."""
        if not self._lag:
            return self._slots.tokens.clone(), None, dict(self._speaking)
        host = torch.empty(self._slots.tokens.shape, dtype=torch.int64, pin_memory=True)
        host.copy_(self._slots.tokens, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return host, event, dict(self._speaking)

    def _read_all_but(self, unread: int) -> None:
        while len(self._unread) > unread:
            tokens, event, whose = self._unread.popleft()
            if event is not None:
                event.synchronize()
            for slot, speaking in whose.items():
                if self._speaking.get(slot) is speaking:
                    self._read(slot, speaking, int(tokens[slot]))

    def _read(self, slot: int, speaking: Sequence, token: int) -> None:
        # upstream's GPT-2 loop looks for the end from the second token on; the first is fed back whatever it is
        if token == self._slots.t3.eos and (speaking.tokens or not self._slots.t3.is_gpt):
            self._finish(slot, speaking)
            return
        hop_is_due = speaking.say(token)
        if len(speaking.tokens) >= speaking.max_tokens and not speaking.to_repeat:
            speaking.take.warn(
                f"the model did not stop within {speaking.max_tokens} tokens ({speaking.max_tokens / TOKEN_RATE:.0f} s); "
                "what it said may be cut off"
            )
            self._finish(slot, speaking)
        elif hop_is_due:
            self._sound(speaking, is_whole=False)

    def _finish(self, slot: int, speaking: Sequence) -> None:
        self._leave(slot)
        self._bound.served()
        speaking.take.spent("t3_s", self._clock_s() - speaking.admitted_s)
        self._sound(speaking, is_whole=True)

    def _sound(self, speaking: Sequence, *, is_whole: bool) -> None:
        started_s = time.perf_counter()
        self._render(speaking, is_whole)
        self._sound_s += time.perf_counter() - started_s

    def _clock_s(self) -> float:
        return time.perf_counter() - self._sound_s

    def _leave(self, slot: int) -> None:
        del self._speaking[slot]
        self._slots.release(slot)

    def _give_up(self, error: Exception) -> None:
        """The batch cannot be trusted any more: its takes fail, and all takes where the device is gone."""
        log.error("the batch failed", exc_info=error)
        failure = answer_to(error, _DOING)
        failed = list(self._speaking.values())
        self._unread.clear()
        self._speaking.clear()
        if isinstance(failure, DeviceFailed):
            with self._changed:
                self._broken = failure
                failed += self._waiting
                self._waiting.send_away(lambda _: True)
        else:
            for slot in self._slots.active:
                self._slots.release(slot)
        for speaking in failed:
            speaking.take.fail(failure)


def _is_over(speaking: Sequence) -> bool:
    return speaking.take.is_over


def _is_ready(speaking: Sequence) -> bool:
    return speaking.voice.done()
