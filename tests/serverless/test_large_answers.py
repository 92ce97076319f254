"""Fifteen minutes of speech over the real SDK loop: streamed, through a bucket, over the volume, refused."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from support.buckets import running_bucket
from support.platform_queue import PREVIEW, open_queue

pytestmark = pytest.mark.slow

STORY = " ".join(
    f"Sentence number {n} of a very long story tells what happened on day {n}, and who came to see it."
    for n in range(155)
)
TEXT = {"text": STORY, "seed": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("large")


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    with running_bucket() as config:
        yield config


@pytest.fixture(scope="module")
def queue(folder: Path, bucket: dict[str, str]) -> Iterator[LocalQueue]:
    settings: dict[str, Any] = {
        "BUCKET_ENDPOINT_URL": f"{bucket['endpointUrl']}/{bucket['bucketName']}",
        "BUCKET_ACCESS_KEY_ID": bucket["accessId"],
        "BUCKET_SECRET_ACCESS_KEY": bucket["accessSecret"],
        "CHATTERBOX_OUTPUTS_DIR": str(folder / "outputs"),
    }
    with open_queue(PREVIEW, folder, **settings) as queue:
        yield queue


@pytest.fixture(scope="module")
def unstreamed(queue: LocalQueue) -> tuple[dict[str, Any], bytes]:
    """The answer that came over the volume, and its file."""
    answer = queue.run(TEXT | {"output": "volume"}, timeout_s=300)
    assert answer["status"] == "COMPLETED", answer
    return answer["output"], Path(answer["output"]["audio_path"]).read_bytes()


def samples(wav: bytes) -> bytes:
    with wave.open(io.BytesIO(wav)) as file:
        return bytes(file.readframes(file.getnframes()))


def test_forty_megabytes_go_over_the_volume(unstreamed: tuple[dict[str, Any], bytes], folder: Path) -> None:
    output, file = unstreamed

    assert Path(output["audio_path"]).parent == folder / "outputs"
    assert len(file) == output["size_bytes"] > 40_000_000
    assert output["duration_s"] > 15 * 60
    assert not {"audio_base64", "audio_url"} & set(output)
    assert len(samples(file)) / 48_000 == pytest.approx(output["duration_s"], abs=1e-3)


def test_forty_megabytes_go_through_the_workers_bucket(
    queue: LocalQueue, unstreamed: tuple[dict[str, Any], bytes]
) -> None:
    answer = queue.run(TEXT, timeout_s=300)["output"]

    got = httpx.get(answer["audio_url"], timeout=60)
    assert got.headers["Content-Type"] == "audio/wav"
    assert got.content == unstreamed[1]
    assert (answer["expires_s"], answer["cache_hit"]) == (7 * 86_400, True)


def test_forty_megabytes_are_refused_clearly_where_there_is_neither(
    folder: Path, unstreamed: tuple[dict[str, Any], bytes]
) -> None:
    with open_queue(PREVIEW, folder) as queue:  # the same cache, so nothing is spoken again
        answer = queue.run(TEXT, timeout_s=300)
        own = queue.run(TEXT | {"output": "s3"}, timeout_s=300)

        assert answer["status"] == "FAILED"
        assert answer["output"] == {"code": "answer_too_large", "field": "format", "message": answer["error"]}
        megabytes = len(unstreamed[1]) * 4 / 3 / 1e6
        assert re.search(rf"has {int(megabytes)}\.\d MB", answer["error"])
        assert "at most 10.0 MB" in answer["error"]
        assert "s3Config" in answer["error"]
        assert own["output"] == {"code": "invalid_request", "field": "output", "message": own["error"]}
        assert all(job.done_posts == 1 and not job.refused_posts for job in queue.jobs.values())


def test_fifteen_minutes_are_streamed_in_order_under_the_cap_and_to_the_bit(
    folder: Path, unstreamed: tuple[dict[str, Any], bytes]
) -> None:
    with open_queue(PREVIEW, folder, CHATTERBOX_STREAM="1", CHATTERBOX_CACHE_DIR=str(folder / "other")) as queue:
        spoken = _streamed(queue, TEXT)
        cached = _streamed(queue, TEXT)

    for chunks, summary in (spoken, cached):
        assert all(len(json.dumps(chunk)) <= CHUNK_BYTES for chunk in chunks)
        assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
        ends = [chunk["start_s"] + chunk["duration_s"] for chunk in chunks]
        assert [chunk["start_s"] for chunk in chunks] == pytest.approx([0.0, *ends[:-1]], abs=2e-3)
        assert summary["duration_s"] == pytest.approx(ends[-1], abs=2e-3)
        joined = b"".join(samples(base64.b64decode(chunk["audio_base64"])) for chunk in chunks)
        assert joined == samples(unstreamed[1])
        assert summary["chunks"] == unstreamed[0]["chunks"]
        assert "audio_base64" not in summary
        assert any("it is in the stream only" in warning for warning in summary["warnings"])
    assert (spoken[1]["cache_hit"], cached[1]["cache_hit"]) == (False, True)


def _streamed(queue: LocalQueue, job_input: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the platform got as chunks; and what the SDK posted last, without the audio it could not hold."""
    answer = queue.run(job_input, timeout_s=300)
    job = queue.jobs[answer["id"]]
    assert (answer["status"], job.done_posts, job.refused_posts) == ("COMPLETED", 1, 0)
    *chunks, summary = job.chunks
    *collected, last = answer["output"]
    assert last == summary
    assert collected == [{key: value for key, value in chunk.items() if key != "audio_base64"} for chunk in chunks]
    return chunks, summary
