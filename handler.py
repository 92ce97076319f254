"""The RunPod edge: what a job may hold, and what goes back.

`job["input"]` is one of
1. our own fields: `{"text": "Hello.", "model": "turbo", "voice": "alice", "format": "mp3", ...}` (docs/API.md);
2. the shape of RunPod's public Chatterbox endpoint: `{"prompt": "Hello.", "voice_url": "https://..."}`;
   the answer then carries `audio_url`, a data URI, in place of `audio_base64`;
3. what RunPod makes of its `/openai/v1/*` routes: `{"openai_route": "/v1/audio/speech", "openai_input": {...}}`;
4. an action: `{"action": "info"}`, `voices.list`, `voices.save`, `voices.delete`.

What goes back is JSON that fits RunPod's limit, or `{"error": "<sentence>", "code": "...", "field": "..."}`, which makes
the job FAILED. A start-up failure does not end the worker: every job is answered with the reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from chatterbox_worker import request as requests
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.delivery import inline
from chatterbox_worker.errors import DeviceFailed, InvalidRequest, NotReady, WorkerError, choices, shown
from chatterbox_worker.information import Tally, info
from chatterbox_worker.request import (
    DeleteVoiceRequest,
    InfoRequest,
    ListVoicesRequest,
    Request,
    SaveVoiceRequest,
    SpeechRequest,
)
from chatterbox_worker.synthesizer import Call, Synthesizer
from chatterbox_worker.voices.source import reference_bytes
from chatterbox_worker.wiring import build

log = logging.getLogger("handler")

_OPENAI_ROUTES: Mapping[str, Callable[[object], dict[str, Any]]] = {
    "/v1/audio/speech": requests.openai_speech,
    "/v1/models": lambda _: {"action": "info"},
}


def parse(job_input: object, settings: Settings) -> Request:
    """The request in a job's `input`. Pure; raises InvalidRequest."""
    if isinstance(job_input, dict) and "openai_route" in job_input:
        if unknown := set(job_input) - {"openai_route", "openai_input"}:
            raise InvalidRequest(f"unknown field {shown(min(unknown))} beside openai_route", field=min(unknown))
        route = job_input["openai_route"]
        if not isinstance(route, str) or route not in _OPENAI_ROUTES:
            raise InvalidRequest(
                f"openai_route must be {choices(_OPENAI_ROUTES)}, not {shown(route)}", field="openai_route"
            )
        job_input = _OPENAI_ROUTES[route](job_input.get("openai_input"))
    return requests.parse(job_input, settings)


class Worker:
    """Answers jobs, each on a thread of its own, so that the SDK's event loop stays free."""

    def __init__(self, settings: Settings, synthesizer: Synthesizer) -> None:
        self._settings = settings
        self._synthesizer = synthesizer
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="job")
        self._tally = Tally()

    async def __call__(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one job; never raises but to be cancelled."""
        call = Call()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._answer, job.get("input"), call
            )
        except asyncio.CancelledError:
            call.cancel()  # the thread cannot be interrupted, but its takes can
            raise
        except WorkerError as error:
            self._tally.jobs_failed += 1
            return error.answer() | ({"refresh_worker": True} if isinstance(error, DeviceFailed) else {})
        except Exception:  # the edge's one: a bug must not leave the job without an answer, nor show its insides
            self._tally.jobs_failed += 1
            log.exception("job %s failed", job.get("id"))
            return WorkerError("internal error; the worker's log has the details").answer()
        self._tally.jobs_done += 1
        return answer

    def _answer(self, job_input: object, call: Call) -> dict[str, Any]:
        request = parse(job_input, self._settings)
        library = self._synthesizer.library
        private = self._settings.allow_private_urls
        match request:
            case SpeechRequest():
                recording = self._synthesizer.speak(request, call)
                return inline(recording, as_url=request.as_url, limit_bytes=self._settings.payload_limit_bytes)
            case InfoRequest():
                return info(self._settings, self._synthesizer, self._tally)
            case ListVoicesRequest():
                return {"voices": [asdict(entry) for entry in library.list()]}
            case SaveVoiceRequest():
                data, field = reference_bytes(request.reference_audio, request.voice_url, allow_private_urls=private)
                voice = library.save(request.voice, data, field=field)
                return {"voice": voice.id, "digest": voice.digest, "duration_s": round(voice.duration_s, 3)}
            case DeleteVoiceRequest():
                library.delete(request.voice)
                return {"voice": request.voice, "deleted": True}


class Unready:
    """Stands in for a worker that could not start: every job hears why."""

    def __init__(self, reason: WorkerError) -> None:
        self._answer = NotReady(f"this worker could not start: {reason.message}", field=reason.field).answer()

    async def __call__(self, job: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._answer)


def start(env: Mapping[str, str]) -> tuple[Worker | Unready, Settings]:
    """The process's one worker, its models loaded; or a stand-in that knows why there is none."""
    settings = Settings()
    try:
        settings = Settings.from_env(env)
        return Worker(settings, build(settings)), settings
    except WorkerError as error:
        log.error("start-up failed: %s", error.message)  # noqa: TRY400  # the sentence is the whole story
        return Unready(error), settings
    except Exception as error:  # likewise the edge's: an engine that cannot load must say so to every job
        log.exception("start-up failed")
        return Unready(NotReady(f"{type(error).__name__} while loading; the worker's log has the details")), settings


def main() -> None:
    """Load, then serve RunPod's queue until it ends us."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s| %(name)s | %(message)s")
    worker, settings = start(environment())  # a module-level import of the model would load it twice on forkserver

    import runpod  # noqa: PLC0415  # 2 s and a child process at import: after the models, never in a test of parse()

    runpod.serverless.start({"handler": worker.__call__, "concurrency_modifier": lambda _: settings.concurrency})


if __name__ == "__main__":
    main()
