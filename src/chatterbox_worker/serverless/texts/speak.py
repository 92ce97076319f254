"""All texts of a job spoken at once: every chunk is submitted before anything is waited for, and each text fails alone.

A few threads begin the texts (a voice may have to be fetched) and a few read what is spoken. A voice that several texts
share is fetched and decoded once, and texts that ask for the very same audio are spoken once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from chatterbox_worker.cache import CacheEntry
from chatterbox_worker.engine import Voice
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.request import OF_A_VOICE, SpeechRequest
from chatterbox_worker.serverless.texts.request import Text, Texts
from chatterbox_worker.synthesizer import CancelScope, Plan, Progress, Recording, Synthesizer, found
from chatterbox_worker.voices.source import VoiceSource

log = logging.getLogger(__name__)

_AT_ONCE = 16  # texts begun, and texts read; the engine has them all either way

Check = Callable[[SpeechRequest], None]
"""Raises InvalidRequest for what cannot be delivered as asked."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


def spoken(
    texts: Texts, synthesizer: Synthesizer, check: Check, call: CancelScope
) -> Iterator[tuple[int, Recording | WorkerError]]:
    """Each text's place and what became of it, as they are finished.

    Raises:
        Cancelled: the call was cancelled.
    """
    speaking = _Speaking(synthesizer, check, call)
    beginners = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="begin")
    readers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="read")
    try:
        begun = [_submit(beginners, speaking.begin, index, text) for index, text in enumerate(texts)]
        places = {_submit(readers, speaking.read, index, begun[index]): index for index in range(len(texts))}
        for outcome in as_completed(places):
            call.check()
            yield places[outcome], outcome.result()
    finally:
        beginners.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(wait=False, cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
    return pool.submit(partial(copy_context().run, work, *args, **kwargs))  # so that log lines know their job


class _Once(Generic[_T]):
    """A value made by whoever needs it first; or why it could not be."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._result: tuple[_T] | WorkerError | None = None

    def __call__(self) -> _T:
        with self._lock:
            if self._result is None:
                try:
                    self._result = (self._make(),)
                except WorkerError as error:
                    self._result = error
        if isinstance(self._result, WorkerError):
            raise self._result
        return self._result[0]


Begun = Callable[[], Recording]


class _Speaking:
    def __init__(self, synthesizer: Synthesizer, check: Check, call: CancelScope) -> None:
        self._synthesizer = synthesizer
        self._check = check
        self._call = call
        self._told = _Told(call.progress)
        self._lock = threading.Lock()
        self._sources: dict[tuple[str | None, ...], _Once[VoiceSource]] = {}
        self._made: dict[str, _Once[_Once[Recording]]] = {}

    def begin(self, index: int, text: Text) -> Begun | WorkerError:
        """Everything submitted; what to call for the recording."""
        try:
            return self._begin(index, text.request)
        except Exception as error:  # noqa: BLE001 - one text's edge: the others go on
            return _said(error)

    def read(self, index: int, begun: Future[Begun | WorkerError]) -> Recording | WorkerError:
        try:
            ready = begun.result()
            return ready if isinstance(ready, WorkerError) else ready()
        except Exception as error:  # noqa: BLE001 - likewise
            return _said(error)
        finally:
            self._told.over(index)

    def _begin(self, index: int, request: SpeechRequest | InvalidRequest) -> Begun:
        started_s = time.perf_counter()
        if isinstance(request, InvalidRequest):
            raise request
        self._check(request)
        plan = self._synthesizer.plan(request, self._source_of)
        if not request.cache:
            return self._submitted(index, plan, started_s)
        with self._lock:
            maker = self._made.get(plan.key)
            is_first = maker is None
            if maker is None:
                maker = self._made[plan.key] = _Once(lambda: _Once(self._kept(index, plan, started_s)))
        recording = maker()
        return recording if is_first else lambda: _again(plan, recording(), started_s)

    def _kept(self, index: int, plan: Plan, started_s: float) -> Begun:
        """As the cache has it, or submitted and then kept there."""
        request, cache = plan.request, self._synthesizer.cache
        entry = cache.get(plan.key, request.format)
        if entry is not None:
            recording = found(plan, entry, started_s)
            return lambda: recording
        make = self._submitted(index, plan, started_s)

        def made() -> Recording:
            recording = make()
            cache.put(plan.key, request.format, CacheEntry(recording.audio, recording.about))
            return recording

        return made

    def _submitted(self, index: int, plan: Plan, started_s: float) -> Begun:
        self._told.begun(index, len(plan.chunks))
        speech = self._synthesizer.stream(plan, self._call.part(self._told.of(index)))
        return lambda: self._synthesizer.finish(plan, speech, started_s)

    def _source_of(self, request: SpeechRequest) -> VoiceSource:
        voice = tuple(getattr(request, name) for name in OF_A_VOICE)
        with self._lock:
            source = self._sources.setdefault(voice, _Once(lambda: _decoded_once(self._synthesizer.source(request))))
        return source()


def _decoded_once(source: VoiceSource) -> VoiceSource:
    load: _Once[Voice] = _Once(source.load)
    return replace(source, load=load)


def _again(plan: Plan, recording: Recording, started_s: float) -> Recording:
    """A recording that another text of the job asked for too."""
    return found(plan, CacheEntry(recording.audio, recording.about), started_s)


def _said(error: Exception) -> WorkerError:
    """What the caller hears of it; a bug's insides go to the log."""
    if isinstance(error, WorkerError):
        return error
    log.error("a bug", exc_info=error)
    return WorkerError("internal error; the worker's log has the details")


class _Told:
    """The progress of all texts as one: chunks done, chunks in all, seconds of audio."""

    def __init__(self, tell: Progress | None) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._texts: dict[int, tuple[int, int, float]] = {}

    def begun(self, index: int, chunks: int) -> None:
        with self._lock:
            self._texts[index] = (0, chunks, 0.0)

    def of(self, index: int) -> Progress:
        def tell(done: int, chunks: int, audio_s: float) -> None:
            with self._lock:
                self._texts[index] = (done, chunks, audio_s)
                every = list(self._texts.values())
            if self._tell is not None:
                self._tell(sum(text[0] for text in every), sum(text[1] for text in every), sum(t[2] for t in every))

        return tell

    def over(self, index: int) -> None:
        """However it ended, nothing more of it is to come."""
        with self._lock:
            _, chunks, audio_s = self._texts.get(index, (0, 0, 0.0))
            self._texts[index] = (chunks, chunks, audio_s)
