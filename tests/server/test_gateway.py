"""The server in front of a RunPod queue that is scripted: what it sends, and what it makes of each answer."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatterbox_worker.audio.clip import silence
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.client import AsyncRunPodServerlessClient, Patience
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import (
    AnswerTooLarge,
    Busy,
    Cancelled,
    NotReady,
    SynthesisFailed,
    VoiceNotFound,
    WorkerError,
)
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.server import speech
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.gateway.backend import CANCEL_POLL_S, RunPodBackend
from chatterbox_worker.server.refusals import BodyTooLarge
from support.audio_clips import wav_base64, wav_bytes
from support.paths import ROOT
from support.serving import decoded_s

SETTINGS = Settings(
    models=("preview",),
    backend="runpod:local",
    runpod_api_key="local",
    runpod_base_url="http://queue/v2",
    concurrency=4,
)
QUICK = Patience(attempts=3, backoff_s=0.01, poll_s=0.01, poll_most_s=0.05)
ABOUT = {
    "mimetype": "audio/wav", "format": "wav", "sample_rate": 24000, "duration_s": 6.0, "seed": 1, "model": "preview",
    "language": "en", "voice": "default", "device": "cpu", "chunks": [], "warnings": [],
}  # fmt: skip


class Queue:
    """Answers like RunPod's API: records the inputs of jobs; /stream and /status answer with the next of `states`."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.asked: list[str] = []
        self.inputs: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer local"
        path = request.url.path.removeprefix("/v2/local")
        self.asked.append(path)
        if path in ("/run", "/runsync"):
            self.inputs.append(json.loads(request.content)["input"])
            return httpx.Response(200, json={"id": "job", "status": "IN_QUEUE"})
        if path.startswith("/cancel"):
            return httpx.Response(200, json={"id": "job", "status": "CANCELLED"})
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, int):
            return httpx.Response(state)
        if isinstance(state, Exception):
            raise state
        if path == "/stream/job":  # without "stream": of an endpoint that does not stream
            return httpx.Response(200, json={"status": state["status"], "stream": state.get("stream", [])})
        return httpx.Response(200, json={"id": "job", **state})

    def backend(self) -> RunPodBackend:
        client = AsyncRunPodServerlessClient("local", "local", base_url="http://queue/v2", patience=QUICK)
        client._http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return RunPodBackend(SETTINGS, client)


def _request(**fields: Any) -> SpeechRequest:
    return speech.parse({"text": "Hello."} | fields, SETTINGS)


WAITING = {"status": "IN_QUEUE"}
DONE: dict[str, Any] = {
    "status": "COMPLETED",
    "output": {
        **ABOUT,
        "audio_base64": wav_base64(),
        "cache_hit": False,
        "cache_key": "k",
        "timings": {"total_s": 1.0},
    },
}


@pytest.mark.anyio
async def test_a_job_has_the_requested_fields_and_none_that_was_left_open() -> None:
    queue = Queue(WAITING, {"status": "IN_PROGRESS"}, DONE)
    recording = await queue.backend().speak(_request(speed=1.5, format="wav", language="de"), CancelScope())

    assert queue.inputs == [{
        "text": "Hello.", "model": "preview", "language": "de", "voice": "default", "format": "wav",
        "sample_rate": 24000, "speed": 1.5, "split_text": True, "cache": True,
    }]  # fmt: skip
    assert decoded_s(recording.audio, "wav") == pytest.approx(6.0)
    assert recording.info.seed == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        ({"status": "FAILED", "error": "the engine failed"}, SynthesisFailed, "the engine failed"),
        ({"status": "FAILED", "error": "no", "code": "voice_not_found", "field": "voice"}, VoiceNotFound, "no"),
        ({"status": "FAILED", "output": {"error": "no", "code": "voice_not_found"}}, VoiceNotFound, "no"),
        ({"status": "FAILED"}, SynthesisFailed, "FAILED"),
        ({"status": "TIMED_OUT"}, SynthesisFailed, "longer than the endpoint allows"),
        ({"status": "CANCELLED"}, Cancelled, "cancelled"),
        (401, NotReady, "answered 401"),
        (404, NotReady, "answered 404"),
        (429, Busy, "no more requests"),
    ],
)
async def test_a_failed_job_raises_our_own_error(state: Any, kind: type[WorkerError], message: str) -> None:
    with pytest.raises(kind) as failed:
        await Queue(state).backend().speak(_request(), CancelScope())

    assert type(failed.value) is kind
    assert message in failed.value.message
    assert failed.value.field == (state.get("field") if isinstance(state, dict) else None)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("state", "kind"), [(404, NotReady), ({"status": "FAILED", "error": "no", "code": "busy"}, Busy)]
)
async def test_a_failed_action_raises_our_own_error(state: Any, kind: type[WorkerError]) -> None:
    backend = Queue(state).backend()
    for action in (backend.voices(), backend.export_voice("alice"), backend.delete_voice("alice")):
        with pytest.raises(kind):
            await action


@pytest.mark.anyio
@pytest.mark.parametrize("output", [None, "text", [], {"voices": []}, {"audio_base64": "a"}, {"audio_base64": "aGk="}])
async def test_an_answer_that_is_not_our_workers_is_an_error(output: Any) -> None:
    with pytest.raises(SynthesisFailed, match="the endpoint's answer"):
        await Queue({"status": "COMPLETED", "output": output}).backend().speak(_request(), CancelScope())
    with pytest.raises(SynthesisFailed, match="the endpoint's answer"):
        await Queue({"status": "COMPLETED", "output": output}).backend().stream(_request(), CancelScope())


@pytest.mark.anyio
async def test_a_poll_that_fails_for_a_moment_is_tried_again() -> None:
    queue = Queue(502, httpx.ConnectError("down"), WAITING, DONE)

    assert (await queue.backend().speak(_request(), CancelScope())).info.duration_s == 6.0


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["scope", "task"])
@pytest.mark.parametrize("what", ["speak", "stream"])
async def test_a_caller_that_goes_away_cancels_the_job(what: str, how: str) -> None:
    queue = Queue(WAITING)
    scope = CancelScope()
    backend = queue.backend()
    work: Any = backend.speak(_request(), scope) if what == "speak" else backend.stream(_request(), scope)
    task = asyncio.create_task(work)
    while "/stream/job" not in queue.asked:  # noqa: ASYNC110 - waits for another task
        await asyncio.sleep(0.01)
    if how == "scope":
        scope.cancel()
        with pytest.raises(Cancelled):
            await task
    else:
        task.cancel()
        if what == "stream":  # its job is not the caller's task; the routes cancel the scope too
            scope.cancel()
            await asyncio.sleep(3 * CANCEL_POLL_S)
        with pytest.raises(asyncio.CancelledError):
            await task

    assert queue.asked[-1] == "/cancel/job"


@pytest.mark.anyio
async def test_a_caller_that_goes_away_during_the_submission_cancels_the_job() -> None:
    queue = Queue(WAITING)
    submitted, answer = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/run"):
            submitted.set()
            await answer.wait()
        return queue(request)

    backend = queue.backend()
    backend._client._http = httpx.AsyncClient(transport=httpx.MockTransport(slow))
    task = asyncio.create_task(backend.speak(_request(), CancelScope()))
    await submitted.wait()
    task.cancel()
    answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert queue.asked == ["/run", "/cancel/job"]


@pytest.mark.anyio
async def test_a_server_that_ends_cancels_its_jobs() -> None:
    queue = Queue(WAITING)
    backend = queue.backend()
    task = asyncio.create_task(backend.stream(_request(), CancelScope()))
    while "/stream/job" not in queue.asked:  # noqa: ASYNC110 - waits for another task
        await asyncio.sleep(0.01)
    await backend.close()

    assert queue.asked[-1] == "/cancel/job"
    with pytest.raises(asyncio.CancelledError):
        await task


WORDS = [{"text": "Hi.", "start": at, "end": at + 3, "start_s": at / 4, "end_s": at / 4 + 0.4} for at in (0, 4, 8)]
_CLIP = {"audio_base64": base64.b64encode(encode(silence(1.0, 24_000), "flac", 24_000)).decode()}
_SUMMARY = {name: value for name, value in DONE["output"].items() if name != "audio_base64"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "second", "summary", "seen"),
    [
        ({"words": WORDS[:1]}, {"words": WORDS[1:]}, {"words": WORDS}, [1, 3, 3]),
        ({"words": WORDS[:1]}, {"words": WORDS[1:]}, {}, [1, 3, 3]),  # too many for the summary
        ({"words": WORDS[:1]}, {"words": WORDS[1:2]}, {"words": WORDS}, [1, 2, 3]),  # too many for a piece
        ({}, {}, {"words": WORDS}, [0, 0, 3]),  # an older worker
        ({}, {}, {}, [0, 0, 0]),
    ],
)
async def test_a_streaming_endpoints_words_come_with_its_pieces(
    first: Any, second: Any, summary: Any, seen: list[int]
) -> None:
    pieces = [{"index": index, "start_s": float(index), **_CLIP, **own} for index, own in enumerate((first, second))]
    items = [{"output": item} for item in (*pieces, _SUMMARY | summary)]
    queue = Queue({"status": "IN_PROGRESS", "stream": items[:2]}, {"status": "COMPLETED", "stream": items[2:]})
    live = await queue.backend().stream(_request(timestamps="word"), CancelScope())

    known = [len(live.words) async for _ in live.pieces()] + [len(live.words)]

    assert (queue.inputs[0]["timestamps"], queue.inputs[0]["format"]) == ("word", "flac")
    assert known == seen
    assert live.info().words == (tuple(live.words) or None)


@pytest.mark.anyio
async def test_a_request_over_the_queues_limit_is_not_sent() -> None:
    queue = Queue(DONE)
    with pytest.raises(BodyTooLarge):
        await queue.backend().save_voice("alice", bytes(16_000_000))
    request = replace(_request(), voice=None, reference_audio=wav_base64(9.0) + "A" * 10_000_000)
    with pytest.raises(BodyTooLarge):
        await queue.backend().speak(request, CancelScope())
    assert not queue.asked


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/runpod-volume/outputs/..", "..", "", "/", "/runpod-volume/outputs/link.wav", "a\0b", "sub"],
)
async def test_only_files_of_the_outputs_folder_are_read(path: str, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    (outputs / "sub").mkdir(parents=True)
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav_bytes())
    (outputs / "link.wav").symlink_to(secret)
    queue = Queue({"status": "COMPLETED", "output": {**ABOUT, "audio_path": path}})
    backend = queue.backend()
    backend._outputs_dir = outputs

    with pytest.raises(AnswerTooLarge, match="cannot read the endpoint's volume"):
        await backend.speak(_request(), CancelScope())


@pytest.mark.anyio
async def test_the_list_of_voices_is_requested_once_a_minute_and_after_a_change() -> None:
    entry = {"id": "alice", "size_bytes": 1, "modified": "2026-01-01T00:00:00+00:00"}
    queue = Queue({"status": "COMPLETED", "output": {"voices": [entry]}})
    backend = queue.backend()
    for _ in range(3):
        assert [voice.id for voice in await backend.voices()] == ["alice"]
    await backend.delete_voice("alice")
    await backend.voices()

    assert [asked["action"] for asked in queue.inputs] == ["voices.list", "voices.delete", "voices.list"]


@pytest.mark.anyio
async def test_a_preview_and_the_lexicon_are_the_endpoints() -> None:
    queue = Queue({"status": "COMPLETED", "output": {"answer": 1}})
    backend = queue.backend()

    assert await backend.preview(_request(pronunciations={"a": "b"})) == {"answer": 1}
    assert await backend.lexicon(None, 0) == {"answer": 1}
    assert await backend.save_entries({"a": "b"}, "es") == {"answer": 1}
    await backend.delete_entry("a", "es")

    preview, *others = queue.inputs
    assert (preview["action"], preview["text"], preview["pronunciations"]) == ("text.preview", "Hello.", {"a": "b"})
    assert others == [
        {"action": "lexicon.list", "offset": 0},
        {"action": "lexicon.save", "entries": {"a": "b"}, "language": "es"},
        {"action": "lexicon.delete", "word": "a", "language": "es"},
    ]


def test_a_gateway_without_a_key_does_not_start() -> None:
    with pytest.raises(NotReady, match="RUNPOD_API_KEY"):
        create_app(Settings(backend="runpod:abc"))


def test_a_gateway_needs_no_torch() -> None:
    program = (
        "import sys;"
        "from chatterbox_worker.config import Settings;"
        "from chatterbox_worker.server.app import create_app;"
        "create_app(Settings(backend='runpod:abc', runpod_api_key='x'));"
        "print([name for name in ('torch', 'transformers', 'runpod') if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"
