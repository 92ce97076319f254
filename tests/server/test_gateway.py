"""The server in front of a RunPod queue: the local one, with the real worker behind it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Busy, Cancelled, NotReady, SynthesisFailed, VoiceNotFound, WorkerError
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.server import speech
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.gateway import RunPodBackend
from chatterbox_worker.server.refusals import BodyTooLarge
from chatterbox_worker.synthesizer import CancelScope
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
TEXT = "One sentence. Another sentence, which is longer. And a third."
ABOUT = {"mimetype": "audio/wav", "format": "wav", "sample_rate": 24000, "duration_s": 6.0, "seed": 1, "model": "preview",
         "language": "en", "voice": "default", "device": "cpu", "chunks": [], "warnings": []}  # fmt: skip


# A queue that says what a test wants


class Queue:
    """Answers like RunPod's API: what /run is sent is kept, /status says the next of `states`."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.asked: list[str] = []
        self.inputs: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer local"
        path = request.url.path.removeprefix("/v2/local")
        self.asked.append(path)
        if path == "/run":
            self.inputs.append(json.loads(request.content)["input"])
            return httpx.Response(200, json={"id": "job", "status": "IN_QUEUE"})
        if path.startswith("/cancel"):
            return httpx.Response(200, json={"id": "job", "status": "CANCELLED"})
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, int):
            return httpx.Response(state)
        if isinstance(state, Exception):
            raise state
        return httpx.Response(200, json={"id": "job", **state})

    def backend(self) -> RunPodBackend:
        return RunPodBackend(SETTINGS, httpx.MockTransport(self))


def _request(**fields: Any) -> SpeechRequest:
    return speech.parse({"text": "Hello."} | fields, SETTINGS)


WAITING = {"status": "IN_QUEUE"}
DONE = {
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
async def test_a_job_holds_what_was_asked_and_nothing_that_was_left_open() -> None:
    queue = Queue(WAITING, {"status": "IN_PROGRESS"}, DONE)
    recording = await queue.backend().speak(_request(speed=1.5, format="wav", language="de"), CancelScope())

    assert queue.inputs == [{
        "text": "Hello.", "model": "preview", "language": "de", "voice": "default", "format": "wav", "sample_rate": 24000,
        "speed": 1.5, "split_text": True, "cache": True,
    }]  # fmt: skip
    assert decoded_s(recording.audio, "wav") == pytest.approx(6.0)
    assert recording.info.seed == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("state", "kind", "said"),
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
async def test_what_happens_to_a_job_is_told_as_our_own_error(state: Any, kind: type[WorkerError], said: str) -> None:
    with pytest.raises(kind) as failed:
        await Queue(state).backend().speak(_request(), CancelScope())

    assert said in failed.value.message


@pytest.mark.anyio
async def test_a_poll_that_fails_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatterbox_worker.server.gateway._LONGEST_POLL_S", 0.01)
    queue = Queue(502, httpx.ConnectError("down"), WAITING, DONE)

    assert (await queue.backend().speak(_request(), CancelScope())).info.duration_s == 6.0


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["call", "task"])
async def test_who_goes_away_cancels_the_job(how: str) -> None:
    queue = Queue(WAITING)
    call = CancelScope()
    task = asyncio.create_task(queue.backend().speak(_request(), call))
    while "/status/job" not in queue.asked:  # noqa: ASYNC110 - another's progress
        await asyncio.sleep(0.01)
    if how == "call":
        call.cancel()
        with pytest.raises(Cancelled):
            await task
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert queue.asked[-1] == "/cancel/job"


@pytest.mark.anyio
async def test_a_request_that_the_queue_would_refuse_is_not_sent() -> None:
    queue = Queue(DONE)
    with pytest.raises(BodyTooLarge):
        await queue.backend().save_voice("alice", bytes(9_000_000))
    assert not queue.asked


@pytest.mark.anyio
async def test_the_list_of_voices_is_asked_for_once_a_minute_and_after_a_change() -> None:
    entry = {"id": "alice", "size_bytes": 1, "modified": "2026-01-01T00:00:00+00:00"}
    queue = Queue({"status": "COMPLETED", "output": {"voices": [entry]}})
    backend = queue.backend()
    for _ in range(3):
        assert [voice.id for voice in await backend.voices()] == ["alice"]
    await backend.delete_voice("alice")
    await backend.voices()

    assert [asked["action"] for asked in queue.inputs] == ["voices.list", "voices.delete", "voices.list"]


def test_a_gateway_without_a_key_does_not_start() -> None:
    with pytest.raises(NotReady, match="RUNPOD_API_KEY"):
        create_app(Settings(backend="runpod:abc"))


def test_a_gateway_needs_no_torch() -> None:
    program = (
        "import sys; from chatterbox_worker.config import Settings; from chatterbox_worker.server.app import create_app;"
        "create_app(Settings(backend='runpod:abc', runpod_api_key='x'));"
        "print([name for name in ('torch', 'transformers', 'runpod') if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"


# The real thing


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalQueue]:
    folder = tmp_path_factory.mktemp("volume")
    env = {
        "CHATTERBOX_MODELS": "preview",
        "CHATTERBOX_CACHE_DIR": str(folder / "c"),
        "CHATTERBOX_VOICES_DIR": str(folder / "v"),
    }
    with LocalQueue(env=env, cwd=ROOT) as running:
        yield running


@pytest.fixture
def open_gateway(queue: LocalQueue) -> Callable[[], Any]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[httpx2.AsyncClient]:
        settings = Settings(
            models=("preview",),
            backend="runpod:local",
            runpod_api_key=queue.api_key,
            runpod_base_url=queue.url,
            concurrency=4,
        )
        app = create_app(settings)
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server", timeout=60)
        async with app.router.lifespan_context(app), client:
            yield client

    return opened


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("fmt", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
async def test_the_openai_client_speaks_through_the_queue(open_gateway: Callable[[], Any], fmt: Any) -> None:
    async with open_gateway() as http:
        client = AsyncOpenAI(api_key="none", base_url="http://server/v1", http_client=http, max_retries=0)
        asked: dict[str, Any] = {"model": "preview", "voice": "default", "input": TEXT, "response_format": fmt}
        whole = await client.audio.speech.create(**asked)
        async with client.audio.speech.with_streaming_response.create(**asked, stream_format="audio") as response:
            streamed = b"".join([piece async for piece in response.iter_bytes()])
        events = await http.post("/v1/audio/speech", json={"input": TEXT, "stream_format": "sse", "captions": "srt"})

    assert decoded_s(whole.content, fmt) > 2
    assert decoded_s(streamed, fmt) == pytest.approx(decoded_s(whole.content, fmt), abs=0.15)
    done = json.loads(events.text.rstrip().split("\n\n")[-1].removeprefix("data: "))
    assert done["type"] == "speech.audio.done"
    assert done["speech"]["captions"].startswith("1\n")


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_other_routes_work_through_the_queue_too(open_gateway: Callable[[], Any]) -> None:
    async with open_gateway() as http:
        client = AsyncOpenAI(api_key="none", base_url="http://server/v1", http_client=http, max_retries=0)
        with pytest.raises(BadRequestError) as refused:
            await client.audio.speech.create(model="preview", voice="nobody", input="Hello.")
        saved = await http.post("/voices", files={"file": ("alice.wav", wav_bytes())})
        bad = await http.post("/voices", files={"file": ("bad.wav", b"not audio")})
        listed = (await http.get("/voices")).json()
        about = (await http.get("/voices/alice")).json()
        audio = await http.get("/voices/alice/audio")
        file = await http.get("/voices/alice/file")
        back = await http.post("/voices", files={"file": ("bob.safetensors", file.content)})
        await http.delete("/voices/bob")
        deleted = await http.delete("/voices/alice")
        gone = await http.get("/voices/alice")
        dialogue = await http.post(
            "/dialogue", json={"turns": [{"text": "Ready?"}, {"text": "Ready."}], "format": "mp3"}
        )
        health = (await http.get("/health")).json()

    assert refused.value.param == "voice"
    assert saved.status_code == 201
    assert (bad.status_code, bad.json()["code"]) == (400, "invalid_request")
    assert listed == ["default", "alice"]
    assert about["size_bytes"] > 0
    assert audio.status_code == 501
    assert back.json()["duration_s"] == pytest.approx(6.0)
    assert deleted.status_code == 200
    assert gone.status_code == 404
    assert decoded_s(dialogue.content, "mp3") > 0.5
    assert (health["status"], health["backend"]) == ("ok", "runpod:local")
