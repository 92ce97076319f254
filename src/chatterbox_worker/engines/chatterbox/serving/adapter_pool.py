"""Fine-tuned voices: each is spoken by a T3 of its own, built on first use; a fixed number of them is loaded at once.

An adapted model is a T3 with the voices it has encoded and the batch it runs. The base model is not in the pool and
pays nothing for it. Adapted models are built on one thread, one after the other; if building fails, the takes that wait
for the model fail with it. When the pool is full, the model that has been idle longest is removed. If all are busy, the
least recently requested one takes no more work, finishes what it has and is removed, so that every waiting take is
served in the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from chatterbox_worker.engine import Adapter
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.device.failures import (
    answer_to,
    attempt,
    is_device_failure,
    is_out_of_memory,
    run,
)
from chatterbox_worker.engines.chatterbox.device.streams import finish_stream, work_on_stream
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.serving.adapters import adapt, check
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
    """A T3, the voices encoded for it, and its batch."""

    voices: VoiceCache
    scheduler: Scheduler

    def finish(self) -> None:
        """Finish what was submitted, then end."""
        self.scheduler.finish()
        self.voices.close()

    def close(self) -> None:
        self.scheduler.close()
        self.voices.close()


Start = Callable[[AdaptedModel], None]
"""Submits a take to a model; does not wait."""


@dataclass(slots=True, eq=False)
class _Entry:
    model: AdaptedModel | None = None
    """None while it is being built."""
    waiting: list[tuple[ChatterboxTake, Start]] = field(default_factory=list)


class AdapterPool:
    """Safe to use from any thread."""

    def __init__(
        self, t3: T3, checkpoint: Checkpoint | None, build: Callable[[T3], AdaptedModel], *, limit: int
    ) -> None:
        """At most `limit` models at once, built by `build` on a thread of this class.

        `t3` was loaded from `checkpoint`. Without a checkpoint, or with a limit of 0, there are no fine-tuned voices.
        """
        self._t3, self._checkpoint, self._build, self._limit = t3, checkpoint, build, limit
        self._base = checkpoint.t3_digest if checkpoint is not None and limit and not checkpoint.is_prepared else ""
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # by the voice's digest, the most recently used last
        self._evicted: AdaptedModel | None = None
        """Finishes its work and is then closed."""
        self._closed = False
        self._lock = threading.RLock()  # a take that fails while it is being submitted calls `wake`
        self._builder = ThreadPoolExecutor(1, "adapters")

    def check(self, adapter: Adapter) -> Checkpoint:
        """The checkpoint that the adapter is for.

        Raises:
            InvalidRequest: it is for another model or for other weights, or no fine-tuned voices are served.
        """
        if self._checkpoint is None or not self._limit:
            raise InvalidRequest("this worker serves no fine-tuned voices (CHATTERBOX_ADAPTERS is 0)", field="voice")
        if self._checkpoint.is_prepared:
            raise InvalidRequest(
                "this worker serves no fine-tuned voices: they need the model's original weights, which its image "
                "leaves out (build it with ./build.sh --originals)",
                field="voice",
            )
        check(adapter, self._checkpoint.layout.name, self._base)
        return self._checkpoint

    def submit(self, adapter: Adapter, take: ChatterboxTake, start: Start) -> None:
        """Call `start` with the voice's model, now or when it is built; the take fails if it cannot be built."""
        key = take.utterance.voice.digest
        with self._lock:
            if self._closed:
                take.cancel()
                return
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
                self._builder.submit(self._load_or_fail, key, adapter)
            self._entries.move_to_end(key)
            if entry.model is None:
                entry.waiting.append((take, start))
            else:
                start(entry.model)

    def wake(self) -> None:
        """Called when a take is over: the batch that it is in may change."""
        for model in self._models():
            model.scheduler.wake()

    @property
    def active(self) -> int:
        """How many takes are in the batches right now."""
        return sum(model.scheduler.active for model in self._models())

    def close(self) -> None:
        """Cancel what runs and what waits."""
        with self._lock:
            self._closed = True
            models, waiting = self._models(), [take for entry in self._entries.values() for take, _ in entry.waiting]
            self._entries.clear()
        for take in waiting:
            take.cancel()
        for model in models:
            model.close()
        self._builder.shutdown(cancel_futures=True)

    def _models(self) -> list[AdaptedModel]:
        with self._lock:
            models = [entry.model for entry in self._entries.values() if entry.model is not None]
            return models if self._evicted is None else [*models, self._evicted]

    def _adapt(self, adapter: Adapter) -> AdaptedModel:
        checkpoint = self.check(adapter)
        check(adapter, checkpoint.layout.name, checkpoint.t3_digest)  # again, on the file: it may have changed
        device = self._t3.device
        try:
            work_on(device)
            with work_on_stream(device, "adapters"):
                model = self._build(adapt(self._t3, load_t3_state(checkpoint), adapter))
                finish_stream(device)  # from here on it is used on other streams
                return model
        finally:
            release_threads()

    def _load_or_fail(self, key: str, adapter: Adapter) -> None:
        try:
            self._load(key, adapter)
        except Exception as error:  # noqa: BLE001 - a thread's edge: an unanswered take would leave its reader waiting
            self._fail(key, adapter, error)

    def _load(self, key: str, adapter: Adapter) -> None:
        """Build the model of an entry, on the builder's thread."""
        if self._is_unwanted(key):
            return
        started_s = time.perf_counter()
        while len(self._models()) >= self._limit and self._evict():
            pass
        built: list[AdaptedModel] = []
        while (failure := attempt(lambda: built.append(self._adapt(adapter)))) is not None:
            if not (is_out_of_memory(failure) and self._evict()):
                self._fail(key, adapter, failure)
                return
        _log.info("%s with a fine-tuned voice is ready after %.1f s", adapter.model, time.perf_counter() - started_s)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                entry.model, waiting, entry.waiting = built[0], entry.waiting, []
                for take, start in waiting:
                    if (failure := run(partial(start, built[0]))) is not None:  # as without room for a thread
                        take.fail(answer_to(failure, _DOING))
        if entry is None:  # closed meanwhile
            built[0].close()

    def _is_unwanted(self, key: str) -> bool:
        """Whether every take that waited is over; the entry is then removed as well."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return True
            if all(take.is_over for take, _ in entry.waiting):
                del self._entries[key]
                return True
            return False

    def _evict(self) -> bool:
        """Let one model finish and remove it; False if there is none."""
        with self._lock:
            loaded = [(key, entry.model) for key, entry in self._entries.items() if entry.model is not None]
            if not loaded:
                return False
            key, self._evicted = next(((key, model) for key, model in loaded if model.scheduler.is_idle), loaded[0])
            del self._entries[key], loaded
        try:
            self._evicted.finish()
        finally:
            self._evicted = None
        return True

    def _fail(self, key: str, adapter: Adapter, failure: Exception) -> None:
        if not isinstance(failure, WorkerError):
            _log.error("a fine-tuned voice could not be loaded", exc_info=failure)
        answer = answer_to(failure, _DOING)
        if is_out_of_memory(failure) and not is_device_failure(failure):
            answer = SynthesisFailed(f"there is not enough memory for {adapter.model} with a fine-tuned voice")
        with self._lock:
            entry = self._entries.pop(key, _Entry())
        for take, _ in entry.waiting:
            take.fail(answer)
