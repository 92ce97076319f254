"""Speaks all texts of a job at once: every chunk is submitted before anything is waited for, and each text fails alone.

A few threads start the texts (a voice may have to be downloaded) and a few read the audio. A voice that several texts
share is downloaded and decoded once, and texts that ask for exactly the same audio are spoken once.
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

from chatterbox_worker.answer import Recording
from chatterbox_worker.cache import CacheEntry
from chatterbox_worker.cancel import CancelScope, Progress
from chatterbox_worker.engine import Voice
from chatterbox_worker.errors import InvalidRequest, WorkerError, for_caller
from chatterbox_worker.request import OF_A_VOICE, SpeechRequest
from chatterbox_worker.serverless.job import SpeechJob
from chatterbox_worker.serverless.texts.request import Text, TextsJob
from chatterbox_worker.synthesis.plan import Plan
from chatterbox_worker.synthesis.synthesizer import Synthesizer, finish, from_cache
from chatterbox_worker.voices.source import VoiceSource

log = logging.getLogger(__name__)

_THREADS = 16  # that start texts, and as many that read them; the engine has all texts either way

Check = Callable[[SpeechJob], None]
"""Raises InvalidRequest for an output that does not exist here."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


def speak(
    job: TextsJob, synthesizer: Synthesizer, check: Check, scope: CancelScope
) -> Iterator[tuple[int, Recording | WorkerError]]:
    """Each text's index and its result, in the order in which they finish.

    Raises:
        Cancelled: the scope was cancelled.
    """
    session = _Session(synthesizer, check, scope)
    starters = ThreadPoolExecutor(_THREADS, thread_name_prefix="start")
    readers = ThreadPoolExecutor(_THREADS, thread_name_prefix="read")
    try:
        started = [_submit(starters, session.start, index, text) for index, text in enumerate(job.texts)]
        indices = {_submit(readers, session.read, index, future): index for index, future in enumerate(started)}
        for result in as_completed(indices):
            scope.check()
            yield indices[result], result.result()
    finally:
        starters.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(wait=False, cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
    return pool.submit(partial(copy_context().run, work, *args, **kwargs))  # so that log lines have their job


class _Once(Generic[_T]):
    """A value computed by the first caller that needs it; or the error of computing it."""

    def __init__(self, compute: Callable[[], _T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._result: tuple[_T] | WorkerError | None = None

    def __call__(self) -> _T:
        with self._lock:
            if self._result is None:
                try:
                    self._result = (self._compute(),)
                except WorkerError as error:
                    self._result = error
        if isinstance(self._result, WorkerError):
            raise self._result
        return self._result[0]


Finish = Callable[[], Recording]
"""Waits for a text that was submitted, and returns its recording."""


class _Session:
    def __init__(self, synthesizer: Synthesizer, check: Check, scope: CancelScope) -> None:
        self._synthesizer = synthesizer
        self._check = check
        self._scope = scope
        self._progress = _TotalProgress(scope.progress)
        self._lock = threading.Lock()
        self._sources: dict[tuple[str | None, ...], _Once[VoiceSource]] = {}
        self._recordings: dict[str, _Once[_Once[Recording]]] = {}

    def start(self, index: int, text: Text) -> Finish | WorkerError:
        """Submit every chunk of the text."""
        try:
            return self._start(index, text.job)
        except Exception as error:  # noqa: BLE001 - the others go on
            return for_caller(error, log)

    def read(self, index: int, started: Future[Finish | WorkerError]) -> Recording | WorkerError:
        try:
            result = started.result()
            return result if isinstance(result, WorkerError) else result()
        except Exception as error:  # noqa: BLE001 - the others go on
            return for_caller(error, log)
        finally:
            self._progress.finish(index)

    def _start(self, index: int, job: SpeechJob | InvalidRequest) -> Finish:
        started_s = time.perf_counter()
        if isinstance(job, InvalidRequest):
            raise job
        self._check(job)
        request = job.request
        assert isinstance(request, SpeechRequest)  # noqa: S101 - a text can only be spoken
        plan = self._synthesizer.plan(request, self._source_of)
        if not request.cache:
            return self._submit(index, plan, started_s)
        with self._lock:
            shared = self._recordings.get(plan.key)
            is_first = shared is None
            if shared is None:
                shared = self._recordings[plan.key] = _Once(lambda: _Once(self._submit_cached(index, plan, started_s)))
        recording = shared()
        return recording if is_first else lambda: _repeat(plan, recording(), started_s)

    def _submit_cached(self, index: int, plan: Plan, started_s: float) -> Finish:
        """From the cache, or submitted and then stored there."""
        request, cache = plan.request, self._synthesizer.cache
        entry = cache.get(plan.key, request.format)
        if entry is not None:
            recording = from_cache(plan, entry, started_s)
            return lambda: recording
        finish_text = self._submit(index, plan, started_s)

        def finish_and_store() -> Recording:
            recording = finish_text()
            cache.put(plan.key, request.format, CacheEntry(recording.audio, recording.info))
            return recording

        return finish_and_store

    def _submit(self, index: int, plan: Plan, started_s: float) -> Finish:
        self._progress.start(index, len(plan.chunks))
        speech = self._synthesizer.stream(plan, self._scope.part(self._progress.of(index)))
        return lambda: finish(speech, started_s)

    def _source_of(self, request: SpeechRequest) -> VoiceSource:
        voice = tuple(getattr(request, name) for name in OF_A_VOICE)
        with self._lock:
            source = self._sources.setdefault(voice, _Once(lambda: _decode_once(self._synthesizer.source(request))))
        return source()


def _decode_once(source: VoiceSource) -> VoiceSource:
    load: _Once[Voice] = _Once(source.load)
    return replace(source, load=load)


def _repeat(plan: Plan, recording: Recording, started_s: float) -> Recording:
    """A recording that another text of the job asked for too."""
    return from_cache(plan, CacheEntry(recording.audio, recording.info), started_s)


class _TotalProgress:
    """The progress of all texts as one: chunks done, chunks in total, seconds of audio."""

    def __init__(self, report: Progress | None) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._texts: dict[int, tuple[int, int, float]] = {}

    def start(self, index: int, chunks: int) -> None:
        with self._lock:
            self._texts[index] = (0, chunks, 0.0)

    def of(self, index: int) -> Progress:
        def update(done: int, chunks: int, audio_s: float) -> None:
            with self._lock:
                self._texts[index] = (done, chunks, audio_s)
                texts = list(self._texts.values())
            if self._report is not None:
                self._report(sum(text[0] for text in texts), sum(text[1] for text in texts), sum(t[2] for t in texts))

        return update

    def finish(self, index: int) -> None:
        """Nothing more of this text is to come, however it ended."""
        with self._lock:
            _, chunks, audio_s = self._texts.get(index, (0, 0, 0.0))
            self._texts[index] = (chunks, chunks, audio_s)
