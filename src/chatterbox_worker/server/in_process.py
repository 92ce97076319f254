"""The backend in this process: a synthesizer on its own threads, so that the event loop stays free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from chatterbox_worker import wiring
from chatterbox_worker.answer import Recording
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import NO_DETAILS, VoiceDetails
from chatterbox_worker.errors import WorkerError
from chatterbox_worker.request import AudioRequest, SpeechRequest
from chatterbox_worker.server.backend import Live, Readiness
from chatterbox_worker.server.idle_unload import IdleUnloader
from chatterbox_worker.server.local_stream import LocalStream
from chatterbox_worker.server.threads import low_priority_pool, run_conversion
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import lexicon_at
from chatterbox_worker.text.preview import preview
from chatterbox_worker.voices.folder import MIMETYPES, LibraryEntry
from chatterbox_worker.voices.library import VoiceLibrary

log = logging.getLogger(__name__)

_CHECKS_PER_IDLE = 10  # how often idleness is checked within its limit


class LocalBackend:
    def __init__(
        self,
        settings: Settings,
        build: Callable[[Settings], Synthesizer] = wiring.build,
        *,
        on_device_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Raises:
            InvalidRequest: see `wiring.check_aliases`.
        """
        self._settings = settings
        self._unloader = IdleUnloader(
            lambda: build(settings),
            idle_s=settings.idle_unload_s,
            offloads=settings.idle_unload == "offload",
            on_device_failed=on_device_failed,
        )
        self._library = VoiceLibrary(settings.voices_dir, forget=wiring.conditionings(settings).forget)
        self._lexicon = lexicon_at(settings.lexicon)
        wiring.check_aliases(settings, self._library)
        self._executor = low_priority_pool(settings.concurrency, "speak")
        self._resumed = low_priority_pool(settings.concurrency, "resume")  # not behind those that have not begun
        self._scopes: set[CancelScope] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def condition(self) -> Readiness:
        return self._unloader.condition

    async def open(self) -> None:
        self._track(asyncio.create_task(self._start()))
        if self._settings.idle_unload_s:
            self._track(asyncio.create_task(self._watch_idleness()))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for scope in list(self._scopes):
            scope.cancel()
        for executor in (self._executor, self._resumed):
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        await asyncio.to_thread(self._unloader.close)

    async def speak(self, request: AudioRequest, scope: CancelScope) -> Recording:
        def work() -> Recording:
            scope.check()
            with self._unloader.acquire() as synthesizer:
                return synthesizer.speak(request, scope)

        self._scopes.add(scope)
        try:
            return await asyncio.wrap_future(scope.hold(self._executor.submit(work)))
        except asyncio.CancelledError:
            scope.check()  # before a thread was free
            raise
        finally:
            self._scopes.discard(scope)

    async def stream(self, request: AudioRequest, scope: CancelScope) -> Live:
        live = LocalStream(asyncio.get_running_loop(), self._unloader, request, scope, self._resumed.submit)
        self._scopes.add(scope)
        live.running.add_done_callback(lambda _: self._scopes.discard(scope))
        live.begin(self._executor.submit)
        await live.first_piece()
        return live

    async def voices(self) -> list[LibraryEntry]:
        return await asyncio.to_thread(self._library.list)

    async def about_voice(self, voice: str) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            loaded = self._library.get(voice)
            entry = self._library.entry(voice)
            return asdict(entry) | {
                "duration_s": round(loaded.duration_s, 3),
                "digest": loaded.digest,
                "transcript": loaded.details.transcript,
            }

        return await asyncio.to_thread(read)

    async def recording(self, voice: str) -> tuple[bytes, str]:
        def read() -> tuple[bytes, str]:
            data, suffix = self._library.recording(voice)
            return data, MIMETYPES[suffix]

        return await asyncio.to_thread(read)

    async def export_voice(self, voice: str) -> bytes:
        return await asyncio.to_thread(self._library.export, voice)

    async def save_voice(self, name: str, data: bytes, details: VoiceDetails = NO_DETAILS) -> dict[str, Any]:
        def save() -> dict[str, Any]:
            return self._library.describe(self._library.save(name, data, field="file", details=details))

        return await run_conversion(save)

    async def delete_voice(self, voice: str) -> None:
        await asyncio.to_thread(self._library.delete, voice)

    async def preview(self, request: SpeechRequest) -> dict[str, Any]:
        return await asyncio.to_thread(preview, request, self._lexicon)

    async def lexicon(self, language: str | None, offset: int) -> dict[str, Any]:
        return await asyncio.to_thread(self._lexicon.page, language, offset)

    async def save_entries(self, entries: Mapping[str, str], language: str) -> dict[str, Any]:
        count = await asyncio.to_thread(self._lexicon.save, entries, language)
        return {"saved": len(entries), "count": count, "warnings": []}

    async def delete_entry(self, word: str, language: str) -> None:
        await asyncio.to_thread(self._lexicon.delete, word, language)

    async def _start(self) -> None:
        def load() -> None:
            with self._unloader.acquire():
                pass

        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, load)
        except WorkerError as error:
            log.error("not ready: %s", error.message)  # noqa: TRY400 - a traceback would add nothing

    async def _watch_idleness(self) -> None:
        while True:
            await asyncio.sleep(self._settings.idle_unload_s / _CHECKS_PER_IDLE)
            try:
                await asyncio.to_thread(self._unloader.unload_if_idle)
            except Exception:  # the next check must come all the same
                log.exception("unloading the models failed")

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
