"""Fine-tuned voices at work: each speaks with a T3 of its own, made when it is first wanted; so many at once and no more.

A mouth is a T3 with the voices it has listened to and the batch it speaks in. The model's own mouth is not kept here and pays
nothing for these. They are made on one thread, one after the other, and a failure there is that of the takes that wait for it.
Where there is no room for another, the one that is silent longest goes; if all speak, the one that was asked least recently takes
no more work, says what it has to say and goes, so that whoever waits is served in the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from chatterbox_worker.engine import Adapter
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.device.failures import (
    answer_to,
    attempt,
    free_memory,
    is_device_failure,
    is_out_of_memory,
)
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.serving.adapters import adapted, check
from chatterbox_worker.engines.chatterbox.serving.scheduler import Scheduler
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import VoiceCache
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed, WorkerError

_log = logging.getLogger(__name__)
_DOING = "loading the fine-tuned voice"


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedModel:
    """A T3 at work."""

    voices: VoiceCache
    scheduler: Scheduler

    def finish(self) -> None:
        """Say what was begun, and end."""
        self.scheduler.finish()
        self.voices.close()

    def close(self) -> None:
        self.scheduler.close()
        self.voices.close()


Begin = Callable[[AdaptedModel], None]
"""Hands a take to a mouth; does not wait."""


@dataclass(slots=True, eq=False)
class _Place:
    mouth: AdaptedModel | None = None
    """None while it is being made."""
    waiting: list[tuple[ChatterboxTake, Begin]] = field(default_factory=list)


class AdapterPool:
    """Safe for any thread."""

    def __init__(self, t3: T3, checkpoint: Checkpoint | None, make: Callable[[T3], AdaptedModel], *, most: int) -> None:
        """`t3` was made of `checkpoint`; None, or 0 for `most`: no fine-tuned voices. `make` is called on a thread of this class."""
        self._t3, self._checkpoint, self._make, self._most = t3, checkpoint, make, most
        self._base = checkpoint.t3_digest if checkpoint is not None and most else ""
        self._places: OrderedDict[str, _Place] = OrderedDict()  # by the voice's digest; the one asked last is last
        self._leaving: AdaptedModel | None = None
        self._closed = False
        self._lock = threading.RLock()  # a take that fails while it is being handed over wakes everyone
        self._maker = ThreadPoolExecutor(1, "adapters", initializer=work_on, initargs=(t3.device,))

    def check(self, adapter: Adapter) -> Checkpoint:
        """The checkpoint that the adapter is for.

        Raises:
            InvalidRequest: it is for another model or for other weights, or none are served.
        """
        if self._checkpoint is None or not self._most:
            raise InvalidRequest("this worker serves no fine-tuned voices (CHATTERBOX_ADAPTERS is 0)", field="voice")
        check(adapter, self._checkpoint.layout.name, self._base)
        return self._checkpoint

    def submit(self, adapter: Adapter, take: ChatterboxTake, begin: Begin) -> None:
        """`begin` with the voice's mouth, now or when it is there; else the take fails."""
        key = take.utterance.voice.digest
        with self._lock:
            if self._closed:
                take.cancel()
                return
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place()
                self._maker.submit(self._fill, key, adapter)
            self._places.move_to_end(key)
            if place.mouth is None:
                place.waiting.append((take, begin))
            else:
                begin(place.mouth)

    def wake(self) -> None:
        """A take is over: the batch that holds it may change."""
        with self._lock:
            adapter_pool = self._all()
        for mouth in adapter_pool:
            mouth.scheduler.wake()

    @property
    def active(self) -> int:
        """Takes in the batches right now."""
        with self._lock:
            return sum(mouth.scheduler.active for mouth in self._all())

    def close(self) -> None:
        """Give up what runs and waits."""
        with self._lock:
            self._closed = True
            adapter_pool, waiting = self._all(), [take for place in self._places.values() for take, _ in place.waiting]
            self._places.clear()
        for take in waiting:
            take.cancel()
        for mouth in adapter_pool:
            mouth.close()
        self._maker.shutdown(cancel_futures=True)

    def _all(self) -> list[AdaptedModel]:
        adapter_pool = [place.mouth for place in self._places.values() if place.mouth is not None]
        return adapter_pool if self._leaving is None else [*adapter_pool, self._leaving]

    def _made(self, adapter: Adapter) -> AdaptedModel:
        checkpoint = self.check(adapter)
        check(adapter, checkpoint.layout.name, checkpoint.t3_digest)  # the file, too: it may have changed
        try:
            return self._make(adapted(self._t3, load_t3_state(checkpoint), adapter))
        finally:
            release_threads()

    def _fill(self, key: str, adapter: Adapter) -> None:
        """Make the mouth of a place, on the maker's thread."""
        if self._is_unwanted(key):
            return
        started_s = time.perf_counter()
        while len(self._all()) >= self._most:
            self._see_off()
        made: list[AdaptedModel] = []
        while (failure := attempt(lambda: made.append(self._made(adapter)))) is not None:
            if not (is_out_of_memory(failure) and self._see_off()):
                self._refuse(key, adapter, failure)
                return
        _log.info("%s with a fine-tuned voice is ready after %.1f s", adapter.model, time.perf_counter() - started_s)
        with self._lock:
            place = self._places.get(key)
            if place is not None:
                place.mouth, waiting, place.waiting = made[0], place.waiting, []
                for _, begin in waiting:
                    begin(made[0])
        if place is None:  # closed meanwhile
            made[0].close()

    def _is_unwanted(self, key: str) -> bool:
        """Whether all who waited have gone away; then the place is gone, too."""
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return True
            if all(take.is_over for take, _ in place.waiting):
                del self._places[key]
                return True
            return False

    def _see_off(self) -> bool:
        """Let one mouth finish and go; False if there is none."""
        with self._lock:
            there = [(key, place.mouth) for key, place in self._places.items() if place.mouth is not None]
            if not there:
                return False
            key, self._leaving = next(((key, mouth) for key, mouth in there if mouth.scheduler.is_idle), there[0])
            del self._places[key], there
        self._leaving.finish()
        self._leaving = None
        free_memory()
        return True

    def _refuse(self, key: str, adapter: Adapter, failure: Exception) -> None:
        if not isinstance(failure, WorkerError):
            _log.error("a fine-tuned voice could not be loaded", exc_info=failure)
        answer = answer_to(failure, _DOING)
        if is_out_of_memory(failure) and not is_device_failure(failure):
            answer = SynthesisFailed(f"there is not enough memory for {adapter.model} with a fine-tuned voice")
        with self._lock:
            place = self._places.pop(key, _Place())
        for take, _ in place.waiting:
            take.fail(answer)
