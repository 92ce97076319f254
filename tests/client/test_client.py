"""Both clients against the real worker on a local queue."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from chatterbox_worker.client import (
    AsyncRunPodServerlessClient,
    ClientError,
    ConversionFields,
    Job,
    JobCancelled,
    JobFailed,
    NoAudio,
    Patience,
    RunPodServerlessClient,
    SpeechFields,
    StillRunning,
    TextError,
    TextFields,
    Unauthorized,
    Unavailable,
    wire,
)
from chatterbox_worker.client.sound import join
from chatterbox_worker.localqueue import JobState, Limits, LocalQueue
from chatterbox_worker.request import ConvertBody
from chatterbox_worker.serverless.job import JobBody
from support.audio_clips import wav_bytes
from support.paths import WORKERS
from support.preview_queue import preview_queue

QUICK = Patience(attempts=3, backoff_s=0.01, poll_s=0.05, poll_most_s=0.1)
STREAMING = WORKERS / "streaming.py"


@pytest.fixture(scope="module")
def streaming() -> Iterator[LocalQueue]:
    with LocalQueue(command=[sys.executable, STREAMING.name], cwd=STREAMING.parent, grace_s=0.2) as queue:
        yield queue


@pytest.fixture(scope="module")
def streaming_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPodServerlessClient]:
    """Of the real worker, which streams."""
    with preview_queue(tmp_path_factory.mktemp("volume"), stream="1") as queue, client_of(queue) as client:
        yield client


def client_of(queue: LocalQueue, key: str | None = None) -> RunPodServerlessClient:
    return RunPodServerlessClient("local", key or queue.api_key, base_url=queue.url, patience=QUICK)


@pytest.fixture
def client(queue: LocalQueue) -> Iterator[RunPodServerlessClient]:
    with client_of(queue) as client:
        yield client


def duration_s(path: Path) -> float:
    return float(soundfile.info(io.BytesIO(path.read_bytes())).duration)


def test_the_usage_of_the_readme(client: RunPodServerlessClient, tmp_path: Path) -> None:
    response = client.runsync(text="Hello world", format="mp3")
    client.save_audio(response, str(tmp_path / "output.mp3"))

    run_response = client.run(text="Longer text...")
    job_id = run_response["id"]
    final_response = client.poll_until_complete(job_id)
    client.save_audio(final_response, tmp_path / "new folder" / "output.wav")

    assert response["status"] == "COMPLETED"
    assert response["output"]["mimetype"] == "audio/mpeg"
    assert duration_s(tmp_path / "output.mp3") > 0.3
    assert duration_s(tmp_path / "new folder" / "output.wav") == pytest.approx(
        final_response.speech.duration_s, abs=0.01
    )


def test_results_are_typed_too(client: RunPodServerlessClient) -> None:
    speech = client.runsync("Hello there.", seed=7, sample_rate=16_000, cache=False).speech
    assert (speech.seed, speech.sample_rate, speech.model, speech.format) == (7, 16_000, "preview", "wav")
    assert (speech.mimetype, speech.cache_hit, speech.warnings, speech.url, speech.path) == (
        "audio/wav",
        False,
        (),
        None,
        None,
    )
    assert speech.audio is not None
    assert speech.audio[:4] == b"RIFF"


def test_the_clients_fields_are_the_workers() -> None:
    job_keys = {"webhook", "policy", "s3Config"}
    assert set(SpeechFields.__annotations__) - job_keys == set(JobBody.model_fields) - {"action", "text"}
    assert set(ConversionFields.__annotations__) - job_keys == set(ConvertBody.model_fields) - {
        "action", "audio", "audio_url"
    }  # fmt: skip


def test_a_refused_request_names_code_and_field(client: RunPodServerlessClient) -> None:
    with pytest.raises(JobFailed, match="format must be") as caught:
        client.runsync("Hello.", format="midi")
    assert (caught.value.code, caught.value.field) == ("invalid_request", "format")


def test_a_recording_is_sent_to_be_converted(client: RunPodServerlessClient) -> None:
    with pytest.raises(JobFailed, match="preview cannot convert speech") as caught:
        client.convert(wav_bytes(1.0), voice="alice", format="mp3")
    assert caught.value.field == "model"
    for sources in ((None, None), (b"RIFF", "http://example.org/a.wav")):
        with pytest.raises(ValueError, match="one of the two"):
            client.convert(sources[0], url=sources[1])


def test_several_texts_are_one_job_with_a_result_for_each(
    client: RunPodServerlessClient, queue: LocalQueue, tmp_path: Path
) -> None:
    recording = tmp_path / "voice.wav"
    recording.write_bytes(wav_bytes(6.0))
    texts: list[TextFields] = [
        {"id": "one", "text": "Number one.", "seed": 3, "voice": None},
        {"id": "two", "text": " "},
        {"id": "three", "text": "Number three.", "reference_audio": recording},  # the preview has its own voice only
        {"id": "four", "text": "Number four.", "format": "wav"},
    ]
    jobs = len(queue.jobs)

    job = client.runsync_many(texts, format="mp3", seed=4)
    later = client.poll_until_complete(client.run_many(texts[:1], format="mp3").id)

    assert len(queue.jobs) == jobs + 2
    one, two, three, four = job.results
    assert [result.id for result in job.results] == ["one", "two", "three", "four"]
    assert (one.speech.seed, one.speech.format, one.error) == (3, "mp3", None)
    assert (four.speech.seed, four.speech.format) == (4, "wav")
    assert two.error == TextError("invalid_request", "text is empty", "text")
    assert three.error is not None
    assert three.error.field == "reference_audio"
    assert duration_s(client.save_audio(one, tmp_path / "one.mp3")) > 0.2
    assert later.results[0]["cache_hit"]
    with pytest.raises(NoAudio, match="it was not spoken: text is empty"):
        client.save_audio(two, tmp_path / "two.mp3")
    with pytest.raises(NoAudio, match="no results"):
        _ = client.runsync("Hello.").results
    with pytest.raises(JobFailed, match="is taken by") as caught:
        client.runsync_many([texts[0], texts[0]])
    assert caught.value.field == "texts[1].id"


@pytest.mark.slow
def test_several_texts_on_a_streaming_endpoint(streaming_client: RunPodServerlessClient) -> None:
    texts: list[TextFields] = [{"id": str(n), "text": f"Number {n}." if n else ""} for n in range(12)]
    job = streaming_client.runsync_many(texts, format="mp3")
    assert [result.id for result in job.results] == [text["id"] for text in texts]
    assert [result.error is None for result in job.results] == [False] + [True] * 11
    assert len(streaming_client.audio(job.results[5])) > 1000
    with pytest.raises(NoAudio, match="has several texts"):
        list(streaming_client.stream(job_id=streaming_client.run_many(texts).id))


def test_the_lexicon_is_saved_listed_used_and_deleted(client: RunPodServerlessClient) -> None:
    client.lexicon.save({"Nguyen": "Nwin"})
    client.lexicon.save({"GIF": "yif"}, "es")
    assert [(entry.word, entry.language) for entry in client.lexicon.list()] == [("Nguyen", "*"), ("GIF", "es")]
    assert client.runsync("Ask Nguyen.").output["chunks"][0]["spoken"] == "Ask Nwin."
    own = client.runsync("Ask Nguyen.", pronunciations={"Nguyen": "Nuyen"})
    assert own.output["chunks"][0]["spoken"] == "Ask Nuyen."
    client.lexicon.delete("Nguyen")
    client.lexicon.delete("GIF", "es")
    with pytest.raises(JobFailed) as caught:
        client.lexicon.delete("GIF", "es")
    assert caught.value.code == "entry_not_found"


def test_voices_are_saved_listed_and_deleted(client: RunPodServerlessClient, tmp_path: Path) -> None:
    path = tmp_path / "alice.wav"
    path.write_bytes(wav_bytes(6.0))
    saved = client.voices.save("alice", path)
    assert (saved.voice, saved.duration_s) == ("alice", 6.0)
    assert client.voices.save("bob", path.read_bytes()).digest == saved.digest
    assert [voice.id for voice in client.voices.list()] == ["alice", "bob"]
    client.voices.delete("alice")
    assert client.voices.save("carol", client.voices.export("bob")).duration_s == 6.0
    client.voices.delete("carol")
    client.voices.delete("bob")
    assert client.voices.list() == []
    with pytest.raises(JobFailed) as caught:
        client.voices.delete("alice")
    assert caught.value.code == "voice_not_found"
    with pytest.raises(ValueError, match="one of the two"):
        client.voices.save("carol")


def test_info_and_health(client: RunPodServerlessClient) -> None:
    assert client.info()["default_model"] == "preview"
    assert client.health()["workers"]["ready"] == 1


def test_an_answer_without_audio_cannot_be_saved(client: RunPodServerlessClient, tmp_path: Path) -> None:
    with pytest.raises(NoAudio, match="holds no audio"):
        client.save_audio(client.call({"action": "info"}), tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


def test_a_wrong_key_is_named_in_the_error(queue: LocalQueue) -> None:
    with client_of(queue, "not the key") as client, pytest.raises(Unauthorized, match="is the API key right"):
        client.health()


def test_an_endpoint_that_is_not_there_is_tried_and_named() -> None:
    with (
        RunPodServerlessClient("x", "k", base_url="http://127.0.0.1:9/v2", patience=QUICK) as client,
        pytest.raises(Unavailable, match="cannot be reached"),
    ):
        client.run("Hello.")


@pytest.mark.parametrize("missing", ["RUNPOD_ENDPOINT_ID", "RUNPOD_API_KEY"])
def test_endpoint_and_key_come_from_the_environment_or_are_required(
    monkeypatch: pytest.MonkeyPatch, queue: LocalQueue, missing: str
) -> None:
    values = {
        "RUNPOD_ENDPOINT_ID": "local", "RUNPOD_API_KEY": queue.api_key, "RUNPOD_ENDPOINT_BASE_URL": queue.url,
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with RunPodServerlessClient() as client:
        assert client.health()["workers"]["ready"] == 1
    with pytest.raises(ValueError, match="base_url must be an http or https URL"):
        RunPodServerlessClient(base_url="host:80")
    monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", "host:80")
    with pytest.raises(ValueError, match="RUNPOD_ENDPOINT_BASE_URL must be an http or https URL"):
        RunPodServerlessClient()
    monkeypatch.delenv(missing)
    with pytest.raises(ValueError, match=missing):
        RunPodServerlessClient()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch, queue: LocalQueue, proxy: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    for base_url in (queue.url, queue.url.replace("127.0.0.1", "LOCALHOST")):
        with RunPodServerlessClient("local", queue.api_key, base_url=base_url) as client:
            assert client.health()["workers"]["ready"] == 1
    for base_url in ("http://localhost.example.org/v2", "https://api.runpod.ai/v2"):
        if proxy.startswith("socks"):
            with pytest.raises(ValueError, match="proxy that cannot be used: Using SOCKS proxy"):
                RunPodServerlessClient("x", "k", base_url=base_url)
            continue
        with (
            RunPodServerlessClient("x", "k", base_url=base_url, patience=QUICK) as client,
            pytest.raises(Unavailable, match="Connection refused"),
        ):
            client.health()


def test_a_key_is_never_shown(queue: LocalQueue) -> None:
    with client_of(queue, "rpa_SECRET") as client:
        assert "SECRET" not in repr(client._endpoint)


def test_the_package_imports_without_the_model_stack() -> None:
    code = "import sys, chatterbox_worker.client; print([m for m in ('torch', 'runpod', 'numpy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd="src", capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Streams, cancellation, deadlines


def test_a_stream_arrives_in_order_and_makes_one_file(streaming: LocalQueue, tmp_path: Path) -> None:
    with client_of(streaming) as client:
        stream = client.stream("Hello.")
        chunks = list(stream)
        assert [chunk.index for chunk in chunks] == [0, 1, 2, 3, 4]
        assert [chunk["duration_s"] for chunk in chunks] == [0.1] * 5
        assert stream.summary is not None
        assert stream.summary["duration_s"] == 0.5
        whole = client.save_audio(client.poll_until_complete(stream.job_id), tmp_path / "a.wav")
        assert duration_s(whole) == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("audio_format", ["wav", "mp3", "pcm"])
def test_the_real_worker_streams_a_long_text_and_its_pieces_are_the_whole(
    streaming_client: RunPodServerlessClient, audio_format: str
) -> None:
    text = " ".join(f"This is sentence number {index} of a rather long text." for index in range(24))
    stream = streaming_client.stream(text, format=audio_format, seed=3, cache=False)
    chunks = list(stream)
    whole = streaming_client.poll_until_complete(stream.job_id)
    assert len(chunks) > 3
    assert join([chunk.audio for chunk in chunks], audio_format) == whole.speech.audio
    assert stream.summary is not None
    assert stream.summary["duration_s"] == whole.speech.duration_s
    assert streaming_client.info()["default_model"] == "preview"
    assert streaming_client.voices.list() == []


def test_a_plain_endpoint_streams_one_piece(client: RunPodServerlessClient) -> None:
    stream = client.stream("Hello there.", seed=3)
    (chunk,) = stream
    assert chunk.audio == client.runsync("Hello there.", seed=3).speech.audio
    assert stream.summary is not None
    assert stream.summary["seed"] == 3


def test_a_stream_that_fails_on_the_way_returns_its_chunks_and_raises_the_reason(streaming: LocalQueue) -> None:
    with client_of(streaming) as client:
        chunks = iter(client.stream("fail at 2"))
        assert [next(chunks).index, next(chunks).index] == [0, 1]
        with pytest.raises(JobFailed, match="the model made no sound"):
            next(chunks)


def test_leaving_a_stream_early_cancels_its_job(streaming: LocalQueue) -> None:
    with client_of(streaming) as client, client.stream("slow", timeout_s=30) as stream:
        pass
    assert streaming.jobs[stream.job_id].state is JobState.CANCELLED


def test_a_cancelled_job_is_distinguished_from_a_failed_one(streaming: LocalQueue) -> None:
    with client_of(streaming) as client:
        job = client.run("slow")
        assert client.cancel(job.id).status == "CANCELLED"
        with pytest.raises(JobCancelled):
            client.poll_until_complete(job.id)


def test_waiting_ends_in_time_and_the_job_goes_on(streaming: LocalQueue) -> None:
    with client_of(streaming) as client:
        job = client.run("slow")
        started_s = time.monotonic()
        with pytest.raises(StillRunning):
            client.poll_until_complete(job.id, timeout_s=0.5)
        assert time.monotonic() - started_s < 2
        assert client.cancel(job.id).status == "CANCELLED"


def test_a_stream_takes_a_text_or_a_job(client: RunPodServerlessClient) -> None:
    with pytest.raises(ValueError, match="one of the two"):
        client.stream()
    with pytest.raises(ValueError, match="submitted already"):
        client.stream(job_id="j", format="mp3")


@pytest.mark.slow
def test_a_runsync_over_its_wait_is_polled_on_to_the_end(tmp_path: Path) -> None:
    limits = Limits(wait_range_s=(0.0, 0.0))  # the platform answers at once with what it has
    with preview_queue(tmp_path, limits=limits) as queue, client_of(queue) as client:
        assert client.runsync("Hello there. " * 40, cache=False)["status"] == "COMPLETED"


# The async twin


def test_the_async_client_does_all_of_it(queue: LocalQueue, streaming: LocalQueue, tmp_path: Path) -> None:
    async def everything() -> None:
        async with AsyncRunPodServerlessClient("local", queue.api_key, base_url=queue.url, patience=QUICK) as client:
            texts = [f"Number {index}." for index in range(8)]
            jobs = await asyncio.gather(*(client.runsync(text, format="mp3") for text in texts))
            assert {job.status for job in jobs} == {"COMPLETED"}
            path = await client.save_audio(jobs[0], tmp_path / "a.mp3")
            assert duration_s(path) > 0.2
            job = await client.run("Hello.")
            assert (await client.poll_until_complete(job["id"])).speech.model == "preview"
            assert (await client.status(job.id)).is_final
            saved = await client.voices.save("dora", wav_bytes(6.0))
            assert [voice.id for voice in await client.voices.list()] == [saved.voice]
            await client.voices.delete("dora")
            await client.lexicon.save({"Nguyen": "Nwin"})
            assert [entry.spoken for entry in await client.lexicon.list("*")] == ["Nwin"]
            await client.lexicon.delete("Nguyen")
            assert (await client.info())["default_model"] == "preview"
            assert (await client.health())["workers"]["ready"] == 1
            many = await client.runsync_many([{"id": "a", "text": "One."}, {"id": "b", "text": "Two."}], format="mp3")
            assert [result.id for result in many.results] == ["a", "b"]
            assert (await client.run_many([{"id": "a", "text": "One."}])).status in ("IN_QUEUE", "IN_PROGRESS")
            with pytest.raises(JobFailed) as caught:
                await client.runsync("")
            assert caught.value.field == "text"
        async with AsyncRunPodServerlessClient(
            "local", streaming.api_key, base_url=streaming.url, patience=QUICK
        ) as client:
            stream = await client.stream("Hello.")
            assert [chunk.index async for chunk in stream] == [0, 1, 2, 3, 4]
            assert stream.summary is not None
            async with await client.stream("slow") as left:
                pass
            assert streaming.jobs[left.job_id].state is JobState.CANCELLED
            with pytest.raises(ValueError, match="one of the two"):
                await client.stream()

    asyncio.run(everything())


# Failing servers and buckets


class Scripted(BaseHTTPRequestHandler):
    """Sends the replies of a test, one after another; None drops the connection."""

    replies: ClassVar[list[tuple[int, bytes] | None]] = []
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        self.seen.append((f"{self.command} {self.path}", self.headers.get("Authorization")))
        reply = self.replies.pop(0)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply[0])
        self.send_header("Content-Length", str(len(reply[1])))
        self.end_headers()
        self.wfile.write(reply[1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Scripted.replies.clear()
    Scripted.seen.clear()
    yield Scripted, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


JOB = b'{"id": "j", "status": "IN_QUEUE"}'


def test_refusals_and_failures_are_retried_and_a_lost_run_is_not_sent_twice(
    scripted: tuple[type[Scripted], str],
) -> None:
    script, url = scripted
    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        script.replies += [(429, b""), (503, b""), (200, JOB), (500, b""), None, (200, JOB)]
        assert client.status(client.run("Hello.").id).status == "IN_QUEUE"
        assert [call for call, _ in script.seen] == ["POST /e/run"] * 3 + ["GET /e/status/j"] * 3
        script.seen.clear()
        script.replies += [None]
        with pytest.raises(ClientError, match="was not sent again"):
            client.run("Hello.")
        assert [call for call, _ in script.seen] == ["POST /e/run"]


def test_a_presigned_url_is_downloaded_with_its_query_and_without_the_key(
    scripted: tuple[type[Scripted], str], tmp_path: Path
) -> None:
    script, url = scripted
    script.replies += [(503, b""), (200, b"sound")]
    job = Job(
        {"id": "j", "status": "COMPLETED", "output": {"audio_url": f"{url}/a.mp3?X-Amz-Signature=1", "format": "mp3"}}
    )
    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        assert client.save_audio(job, tmp_path / "a.mp3").read_bytes() == b"sound"
    assert script.seen == [("GET /a.mp3?X-Amz-Signature=1", None)] * 2


def test_a_download_over_the_limit_is_not_read_to_its_end(
    scripted: tuple[type[Scripted], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, url = scripted
    monkeypatch.setattr(wire, "_AUDIO_BYTES", 100_000)
    answer = {"audio_url": f"{url}/a.wav"}

    async def download() -> bytes:
        async with AsyncRunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
            return await client.audio(answer)

    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        script.replies += [(200, bytes(100_000)), (200, bytes(100_001))]
        assert len(client.audio(answer)) == 100_000
        with pytest.raises(NoAudio, match="more than"):
            client.audio(answer)
    script.replies += [(200, bytes(100_000)), (200, bytes(100_001))]
    assert len(asyncio.run(download())) == 100_000
    with pytest.raises(NoAudio, match="more than"):
        asyncio.run(download())


def test_pauses_of_a_text_are_exact_over_the_queue(client: RunPodServerlessClient) -> None:
    def pcm(text: str, **fields: Any) -> npt.NDArray[np.int16]:
        audio = client.runsync(text, format="pcm", cache=False, **fields).speech.audio
        assert audio is not None
        return np.frombuffer(audio, "<i2")

    plain, paused = pcm("Hello there."), pcm("[pause:1s] Hello there. [pause:1500ms]")
    # of the plain one, up to 0.15 s of what is around the words count as pause
    assert 2.5 - 0.15 <= (len(paused) - len(plain)) / 24_000 <= 2.5
    one, two = pcm("Hello there. [pause:1s] My friend."), pcm("Hello there. [pause:3s] My friend.")
    assert len(two) - len(one) == 2 * 24_000
    spoken = client.runsync("<speak>Hello <sub alias='World'>W</sub></speak>", text_format="ssml").output["chunks"]
    assert [chunk["spoken"] for chunk in spoken] == ["Hello World"]
