"""The server in front of a RunPod queue: the local one, with the real worker behind it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import soundfile
from openai import AsyncOpenAI, BadRequestError

from chatterbox_worker.config import Settings
from chatterbox_worker.localqueue import JobState, LocalQueue
from chatterbox_worker.server.app import create_app
from support import http_calls
from support.audio_clips import wav_bytes
from support.buckets import running_bucket
from support.platform_queue import PREVIEW, TONE, open_queue
from support.serving import decoded_s, on_a_socket, wait_for

TEXT = "One sentence. Another sentence, which is longer. And a third."
LIMIT_BYTES = 20_000
"""Of an answer, so small that a sentence in wav is over it."""
STORY = " ".join(f"Sentence number {n} of a long story tells what happened on day {n}." for n in range(12))
SLOW = " ".join(f"Sentence number {n} of this rather long text is a slow one." for n in range(12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volume")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Iterator[LocalQueue]:
    with open_queue(PREVIEW, folder / "plain") as queue:
        yield queue


@pytest.fixture(scope="module")
def streaming(folder: Path) -> Iterator[LocalQueue]:
    """A long answer is too large for the job's result, and there is no other place for it."""
    limit: dict[str, Any] = {"CHATTERBOX_PAYLOAD_LIMIT_BYTES": str(10 * LIMIT_BYTES)}
    with open_queue(PREVIEW, folder / "streaming", CHATTERBOX_STREAM="1", **limit) as queue:
        yield queue


@pytest.fixture(scope="module")
def on_volume(folder: Path) -> Iterator[LocalQueue]:
    settings: dict[str, Any] = {
        "CHATTERBOX_PAYLOAD_LIMIT_BYTES": str(LIMIT_BYTES),
        "CHATTERBOX_RUNSYNC_LIMIT_BYTES": str(2 * LIMIT_BYTES),  # of a piece
        "CHATTERBOX_OUTPUTS_DIR": str(folder / "outputs"),
    }
    with open_queue(PREVIEW, folder / "on_volume", **settings) as queue:
        yield queue


@pytest.fixture(scope="module")
def in_bucket(folder: Path) -> Iterator[LocalQueue]:
    with running_bucket() as bucket:
        settings: dict[str, Any] = {
            "CHATTERBOX_PAYLOAD_LIMIT_BYTES": str(LIMIT_BYTES),
            "BUCKET_ENDPOINT_URL": f"{bucket['endpointUrl']}/{bucket['bucketName']}",
            "BUCKET_ACCESS_KEY_ID": bucket["accessId"],
            "BUCKET_SECRET_ACCESS_KEY": bucket["accessSecret"],
        }
        with open_queue(PREVIEW, folder / "in_bucket", **settings) as queue:
            yield queue


@pytest.fixture(scope="module")
def slow(folder: Path) -> Iterator[LocalQueue]:
    """A streaming worker that takes 0.2 s for a chunk with the word "slow", and fails where the text says so."""
    with open_queue(TONE, folder / "slow", CHATTERBOX_STREAM="1") as queue:
        yield queue


def settings_for(queue: LocalQueue, **changes: Any) -> Settings:
    own = Settings(
        models=("preview",),
        backend="runpod:local",
        runpod_api_key=queue.api_key,
        runpod_base_url=queue.url,
        concurrency=4,
    )
    return replace(own, **changes)


@asynccontextmanager
async def open_gateway(queue: LocalQueue, **changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings_for(queue, **changes))
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server", timeout=60)
    async with app.router.lifespan_context(app), client:
        yield client


@pytest.fixture
def slow_url(slow: LocalQueue) -> Iterator[str]:
    with on_a_socket(create_app(settings_for(slow, models=("multilingual",)))) as url:
        yield url


def state_of_last_job(queue: LocalQueue) -> JobState:
    return list(queue.jobs.values())[-1].state


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("fmt", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("endpoint", ["plain", "streaming"])
async def test_the_openai_client_speaks_through_the_queue(
    request: pytest.FixtureRequest, endpoint: str, fmt: Any
) -> None:
    async with open_gateway(request.getfixturevalue(endpoint)) as http:
        client = AsyncOpenAI(api_key="none", base_url="http://server/v1", http_client=http, max_retries=0)
        asked: dict[str, Any] = {"model": "preview", "voice": "default", "input": TEXT, "response_format": fmt}
        whole = await client.audio.speech.create(**asked)
        async with client.audio.speech.with_streaming_response.create(**asked, stream_format="audio") as response:
            streamed = b"".join([piece async for piece in response.iter_bytes()])
        events = await http.post("/v1/audio/speech", json={"input": TEXT, "stream_format": "sse", "captions": "srt"})

    assert decoded_s(whole.content, fmt) > 2
    assert decoded_s(streamed, fmt) == pytest.approx(decoded_s(whole.content, fmt), abs=0.15)
    assert float(whole.response.headers["X-Chatterbox-Duration"]) == pytest.approx(decoded_s(streamed, fmt), abs=0.15)
    done = json.loads(events.text.rstrip().split("\n\n")[-1].removeprefix("data: "))
    assert done["type"] == "speech.audio.done"
    assert (done["speech"]["format"], done["speech"]["mimetype"]) == ("mp3", "audio/mpeg")
    assert done["speech"]["captions"].startswith("1\n")


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_other_routes_work_through_the_queue_too(plain: LocalQueue) -> None:
    async with open_gateway(plain) as http:
        client = AsyncOpenAI(api_key="none", base_url="http://server/v1", http_client=http, max_retries=0)
        with pytest.raises(BadRequestError) as refused:
            await client.audio.speech.create(model="preview", voice="nobody", input="Hello.")
        saved = await http.post("/voices", files={"file": ("alice.wav", wav_bytes())}, data={"language": "en"})
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
    assert saved.json()["language"] == about["language"] == back.json()["language"] == "en"
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


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_other_routes_work_in_front_of_a_streaming_endpoint(streaming: LocalQueue) -> None:
    async with open_gateway(streaming) as http:
        saved = await http.post("/voices", files={"file": ("alice.wav", wav_bytes(1.0))})
        listed = (await http.get("/voices")).json()
        detailed = (await http.get("/v1/voices")).json()
        file = await http.get("/voices/alice/file")
        back = await http.post("/voices", files={"file": ("bob.safetensors", file.content)})
        deleted = [(await http.delete(f"/voices/{voice}")).status_code for voice in ("alice", "bob")]
        left = (await http.get("/voices")).json()
        dialogue = await http.post("/dialogue", json={"turns": [{"text": STORY}, {"text": "Ready."}], "format": "mp3"})

    assert saved.status_code == 201
    assert listed == ["default", "alice"]
    assert "alice" in json.dumps(detailed)
    assert back.json()["duration_s"] == saved.json()["duration_s"] == 1.0
    assert (deleted, left) == ([200, 200], ["default"])
    assert decoded_s(dialogue.content, "mp3") > 10


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ["on_volume", "in_bucket"])
async def test_an_answer_outside_the_job_is_fetched(
    request: pytest.FixtureRequest, endpoint: str, folder: Path
) -> None:
    queue: LocalQueue = request.getfixturevalue(endpoint)
    body = {"input": TEXT, "seed": 7, "response_format": "wav"}
    async with open_gateway(queue, outputs_dir=folder / "outputs") as http:
        first = await http.post("/v1/audio/speech", json=body)
        again = await http.post("/v1/audio/speech", json=body)
        streamed = await http.post("/v1/audio/speech", json=body | {"stream_format": "audio"})

    spoken = [job.result["output"] for job in queue.jobs.values() if "text" in job.body["input"]][-3:]
    assert all(("audio_path" if endpoint == "on_volume" else "audio_url") in output for output in spoken)
    assert (first.status_code, streamed.status_code) == (200, 200)
    assert first.content == again.content
    assert (first.headers["X-Chatterbox-Cache"], again.headers["X-Chatterbox-Cache"]) == ("miss", "hit")
    assert first.headers["X-Chatterbox-Seed"] == "7"
    assert decoded_s(first.content, "wav") > 2
    assert decoded_s(streamed.content, "wav") == pytest.approx(decoded_s(first.content, "wav"), abs=0.01)


@pytest.mark.slow
@pytest.mark.anyio
async def test_an_answer_on_a_volume_that_is_not_mounted_here_is_fetched_in_pieces(
    on_volume: LocalQueue, tmp_path: Path
) -> None:
    before, body = len(on_volume.jobs), {"input": 3 * f"{TEXT} ", "response_format": "wav"}
    async with open_gateway(on_volume, outputs_dir=tmp_path / "outputs") as http:
        whole = await http.post("/v1/audio/speech", json=body)
        streamed = await http.post("/v1/audio/speech", json=body | {"stream_format": "audio"})
        short = await http.post("/v1/audio/speech", json={"input": "Hi.", "response_format": "opus"})

    inputs = [job.body["input"] for job in on_volume.jobs.values()][before:]
    pieces = Counter(given["path"] for given in inputs if given.get("action") == "outputs.get")
    assert (whole.status_code, streamed.status_code) == (200, 200)
    assert decoded_s(whole.content, "wav") == pytest.approx(decoded_s(streamed.content, "wav"), abs=0.01)
    assert len(pieces) == 2
    assert min(pieces.values()) > 1
    assert decoded_s(short.content, "opus") > 0.1


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_streaming_endpoint_sends_what_no_answer_could_hold(streaming: LocalQueue) -> None:
    body = {"input": STORY, "seed": 7}
    async with open_gateway(streaming) as http:
        wav = await http.post("/v1/audio/speech", json=body | {"response_format": "wav"})
        flac = await http.post("/v1/audio/speech", json=body | {"response_format": "flac"})
        pcm = await http.post("/v1/audio/speech", json=body | {"response_format": "pcm", "stream_format": "audio"})

    assert "audio_base64" not in json.dumps(list(streaming.jobs.values())[-1].result)
    assert len(wav.content) > 20 * LIMIT_BYTES
    assert soundfile.read(io.BytesIO(wav.content), dtype="int16")[0].tobytes() == pcm.content
    assert soundfile.read(io.BytesIO(flac.content), dtype="int16")[0].tobytes() == pcm.content


@pytest.mark.slow
def test_the_first_sound_of_a_streaming_endpoint_comes_before_the_job_ends(slow: LocalQueue, slow_url: str) -> None:
    body = {"input": " ".join([SLOW] * 8), "response_format": "pcm", "stream_format": "audio"}  # 20 chunks of 0.2 s
    with http_calls.stream("POST", f"{slow_url}/v1/audio/speech", json=body) as response:
        pieces = response.iter_bytes()
        assert next(pieces)
        assert state_of_last_job(slow) is JobState.IN_PROGRESS
        rest = b"".join(pieces)

    assert state_of_last_job(slow) is JobState.COMPLETED
    assert decoded_s(rest, "pcm") > 3


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ["plain", "streaming"])
async def test_words_come_through_the_queue(request: pytest.FixtureRequest, endpoint: str) -> None:
    body = {"input": STORY, "response_format": "mp3", "chunk_size": 100, "seed": 1}
    async with open_gateway(request.getfixturevalue(endpoint)) as http:
        lines = (await http.post("/dev/captioned_speech", json=body)).text.splitlines()
        sse = {"timestamps": "word", "stream_format": "sse"}
        events = (await http.post("/v1/audio/speech", json=body | sse)).text.strip().split("\n\n")

    sent = [word for line in lines for word in json.loads(line)["timestamps"]]
    told = [event for event in (json.loads(event.removeprefix("data: ")) for event in events) if "words" in event]
    assert [word["word"] for word in sent] == [word["text"] for event in told for word in event["words"]]
    assert len(sent) > 5  # preview knows the times of chunks only
    assert (len(told) > 2) is (endpoint == "streaming")


@pytest.mark.slow
@pytest.mark.parametrize("manner", [{}, {"stream_format": "audio"}])
def test_a_client_that_hangs_up_cancels_the_job_on_the_queue(
    slow: LocalQueue, slow_url: str, manner: dict[str, str]
) -> None:
    body = {"input": " ".join([SLOW] * 16), "response_format": "pcm"} | manner  # 40 chunks of 0.2 s
    jobs = len(slow.jobs)
    if manner:
        with http_calls.stream("POST", f"{slow_url}/v1/audio/speech", json=body) as response:
            next(response.iter_bytes())
    else:
        with http_calls.left_post(f"{slow_url}/v1/audio/speech", body):
            wait_for(lambda: len(slow.jobs) > jobs and state_of_last_job(slow) is JobState.IN_PROGRESS)

    assert len(slow.jobs) == jobs + 1
    wait_for(lambda: state_of_last_job(slow) is JobState.CANCELLED)


@pytest.mark.slow
def test_a_streaming_endpoint_that_fails_is_an_error_with_its_sentence(slow_url: str) -> None:
    body = {"input": SLOW + " And now explode.", "response_format": "pcm"}
    whole = http_calls.post(f"{slow_url}/v1/audio/speech", json=body)
    events = http_calls.broken_off_post(f"{slow_url}/v1/audio/speech", body | {"stream_format": "sse"})
    with pytest.raises(httpx2.RemoteProtocolError):
        http_calls.post(f"{slow_url}/v1/audio/speech", json=body | {"stream_format": "audio"})

    assert (whole.status_code, whole.json()["error"]["message"]) == (500, "the engine failed on this chunk")
    last = json.loads(events.rstrip().split("\n\n")[-1].removeprefix("data: "))
    assert (last["type"], last["error"]["message"]) == ("error", "the engine failed on this chunk")
    assert "speech.audio.delta" in events
    assert "speech.audio.done" not in events
