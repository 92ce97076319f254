"""Streams, cancellation and deadlines of both clients, against the real worker and a scripted one on a local queue."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbox_worker.client import (
    AsyncRunPodServerlessClient,
    JobCancelled,
    JobFailed,
    NoAudio,
    RunPodServerlessClient,
    StillRunning,
    TextFields,
)
from chatterbox_worker.client.sound import join
from chatterbox_worker.localqueue import JobState, Limits, LocalQueue
from support.audio_clips import wav_bytes
from support.clients import QUICK, client_of, duration_s
from support.paths import WORKERS
from support.preview_queue import preview_queue

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


@pytest.mark.slow
def test_several_texts_on_a_streaming_endpoint(streaming_client: RunPodServerlessClient) -> None:
    texts: list[TextFields] = [{"id": str(n), "text": f"Number {n}." if n else ""} for n in range(12)]
    job = streaming_client.runsync_many(texts, format="mp3")
    assert [result.id for result in job.results] == [text["id"] for text in texts]
    assert [result.error is None for result in job.results] == [False] + [True] * 11
    assert len(streaming_client.audio(job.results[5])) > 1000
    with pytest.raises(NoAudio, match="has several texts"):
        list(streaming_client.stream(job_id=streaming_client.run_many(texts).id))


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
        assert time.monotonic() - started_s < 15  # the job takes 20 s
        assert client.cancel(job.id).status == "CANCELLED"


def test_a_stream_takes_a_text_or_a_job(client: RunPodServerlessClient, queue: LocalQueue) -> None:
    job, count = client.run("Hello there."), len(queue.jobs)
    assert [chunk.index for chunk in client.stream(job_id=job.id)] == [0]
    assert len(queue.jobs) == count
    with pytest.raises(ValueError, match="one of the two"):
        client.stream()
    with pytest.raises(ValueError, match="submitted already"):
        client.stream(job_id="j", format="mp3")


@pytest.mark.slow
def test_a_runsync_over_its_wait_is_polled_on_to_the_end(tmp_path: Path) -> None:
    limits = Limits(wait_range_s=(0.0, 0.0))  # the platform answers at once with what it has
    with preview_queue(tmp_path, limits=limits) as queue, client_of(queue) as client:
        assert client.runsync("Hello there. " * 40, cache=False)["status"] == "COMPLETED"


def test_the_async_client_does_all_of_it(queue: LocalQueue, streaming: LocalQueue, tmp_path: Path) -> None:
    async def everything() -> None:
        async with AsyncRunPodServerlessClient("local", queue.api_key, base_url=queue.url, patience=QUICK) as client:
            texts = [f"Number {index}." for index in range(8)]
            jobs = await asyncio.gather(*(client.runsync(text, format="mp3") for text in texts))
            assert {(job.status, job.speech.format) for job in jobs} == {("COMPLETED", "mp3")}
            path = await client.save_audio(jobs[0], tmp_path / "a.mp3")
            assert duration_s(path) > 0.2
            job = await client.run("Hello.", seed=7)
            assert (await client.poll_until_complete(job["id"])).speech.seed == 7
            assert [chunk.index async for chunk in await client.stream(job_id=job.id)] == [0]
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
