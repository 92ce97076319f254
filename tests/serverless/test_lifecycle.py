"""A worker's life under the platform, with the real SDK loop: cancelled, timed out, ended, poisoned, watched."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.localqueue import JobState, Limits, LocalQueue, WorkerStartError, WorkerState
from support.platform_queue import PREVIEW, TONE, cancel, eventually, open_queue

pytestmark = pytest.mark.slow

SENTENCE = "This is a slow sentence of some length, so that it is a chunk of its own. "
"""A chunk of 0.2 s."""
SLOW = {"text": SENTENCE * 20, "chunk_size": 80}
"""4 s, of the 10 that a worker has after a SIGTERM."""
ENDLESS = {"text": SENTENCE * 400, "chunk_size": 80}
"""80 s, later than any wait of these tests."""
LONG_TEXTS = {"CHATTERBOX_MAX_TEXT_CHARS": "100000"}
EXITS_S = 20.0


def held(queue: LocalQueue) -> str:
    """What the engine says about the places in its batch (workers/tone.py)."""
    revision: str = queue.run({"action": "info"})["output"]["models"]["multilingual"]["revision"]
    return revision


@pytest.mark.parametrize("stream", ["0", "1"])
def test_fifty_cancels_at_random_moments_free_every_place(tmp_path: Path, stream: str) -> None:
    moments = random.Random(1)
    with open_queue(
        TONE, tmp_path, CHATTERBOX_STREAM=stream, CHATTERBOX_CONCURRENCY="16", CHATTERBOX_MAX_TEXT_CHARS="100000"
    ) as queue:
        waiting: list[tuple[float, str]] = []
        for _ in range(50):
            waiting.append((time.monotonic() + moments.uniform(0.0, 2.0), queue.submit(ENDLESS)))
            time.sleep(moments.uniform(0.0, 0.1))
            for due in [entry for entry in waiting if entry[0] < time.monotonic()]:
                cancel(queue, due[1])
                waiting.remove(due)
        for at_s, job_id in sorted(waiting):
            time.sleep(max(0.0, at_s - time.monotonic()))
            cancel(queue, job_id)

        told: list[str] = []

        def all_are_free() -> bool:
            output = queue.run({"action": "info"})["output"]
            (info,) = output if stream == "1" else [output]
            told.append(info["models"]["multilingual"]["revision"])
            return told[-1] == "held 0"

        assert eventually(all_are_free), told[-3:]
        cancelled = [job for job in queue.jobs.values() if job.state is JobState.CANCELLED]
        assert len(cancelled) == 50
        assert not any(job.done_posts for job in cancelled)
        after = queue.run({"text": "All is well again."})
        assert after["status"] == "COMPLETED"


def test_a_job_over_its_execution_timeout_frees_its_places_at_once(tmp_path: Path) -> None:
    limits = Limits(execution_timeout_range_s=(0.2, 600.0))
    with open_queue(TONE, tmp_path, options={"limits": limits}, **LONG_TEXTS) as queue:
        answer = queue.run(ENDLESS, policy={"executionTimeout": 1000})

        assert answer["status"] == "TIMED_OUT"
        assert eventually(lambda: held(queue) == "held 0")


@pytest.mark.parametrize("stream", ["0", "1"])
def test_sigterm_in_mid_job_loses_nothing_and_ends_the_worker_in_time(tmp_path: Path, stream: str) -> None:
    with open_queue(TONE, tmp_path, CHATTERBOX_STREAM=stream) as queue:
        ((first, pid),) = queue.pids.items()
        running = [queue.submit(SLOW | {"seed": n}) for n in range(3)]
        assert eventually(lambda: all(queue.jobs[job_id].state is JobState.IN_PROGRESS for job_id in running))
        os.kill(pid, signal.SIGTERM)
        asked_s = time.monotonic()
        # until then a job on its way is taken, and finished here or given to another
        assert eventually(lambda: any("shutting down" in line for line in queue.log_lines))
        late = [queue.submit({"text": f"Number {n} comes late."}) for n in range(5)]
        answers = {job_id: queue.wait(job_id, 60) for job_id in (*running, *late)}
        assert eventually(lambda: queue.worker_states[first] is WorkerState.GONE, EXITS_S)

        assert time.monotonic() - asked_s < EXITS_S + 10  # and the time that the new worker took
        assert {answer["status"] for answer in answers.values()} == {"COMPLETED"}
        assert [answers[job_id]["workerId"] for job_id in running] == [first] * 3
        assert {answers[job_id]["workerId"] for job_id in late}.isdisjoint({first})
        assert all(queue.jobs[job_id].done_posts == 1 for job_id in answers)
        # a late one may have been given to a request that was just being closed
        assert not any("retries" in answers[job_id] for job_id in running)


def test_an_idle_worker_ends_at_once_on_sigterm(tmp_path: Path) -> None:
    with open_queue(TONE, tmp_path) as queue:
        ((first, pid),) = queue.pids.items()
        time.sleep(1.0)
        os.kill(pid, signal.SIGTERM)
        asked_s = time.monotonic()

        assert eventually(lambda: queue.worker_states[first] is WorkerState.GONE, EXITS_S)
        assert time.monotonic() - asked_s < 8.0


def test_a_job_too_long_to_be_finished_goes_to_another_worker(tmp_path: Path) -> None:
    endless = {"text": "This slow sentence is one chunk of the many here. " * 80, "chunk_size": 50}  # 16 s
    with open_queue(TONE, tmp_path) as queue:
        ((first, pid),) = queue.pids.items()
        job_id = queue.submit(endless)
        assert eventually(lambda: queue.jobs[job_id].state is JobState.IN_PROGRESS)
        time.sleep(0.5)
        os.kill(pid, signal.SIGTERM)
        asked_s = time.monotonic()
        assert eventually(lambda: queue.worker_states[first] is WorkerState.GONE, EXITS_S)
        assert 10.0 < time.monotonic() - asked_s < EXITS_S
        answer = queue.wait(job_id, 60)

        assert (answer["status"], answer["retries"]) == ("COMPLETED", 1)
        assert queue.jobs[job_id].done_posts == 1


@pytest.mark.parametrize("stream", ["0", "1"])
def test_a_failed_device_is_answered_and_a_fresh_worker_takes_over(tmp_path: Path, stream: str) -> None:
    with open_queue(TONE, tmp_path, CHATTERBOX_STREAM=stream) as queue:
        (first,) = queue.pids
        answer = queue.run({"text": "This is poison."})
        after = queue.run({"text": "And now for something else."}, timeout_s=300)

        assert (answer["status"], answer["error"]) == ("FAILED", "the device failed: ask again")
        assert answer["workerId"] == first
        assert after["status"] == "COMPLETED"
        assert after["workerId"] != first


def test_a_stream_that_fails_half_way_keeps_its_chunks_and_says_why(tmp_path: Path) -> None:
    sentence = "All is well at the start of this long text here. "
    text = sentence * 4 + "Then it will explode."
    with open_queue(TONE, tmp_path, CHATTERBOX_STREAM="1") as queue:
        failed = queue.run({"text": text, "chunk_size": 50})
        whole = queue.run({"text": sentence * 4, "chunk_size": 50})
        early = queue.run({"text": sentence * 2 + "Then it will explode.", "chunk_size": 50})
        refused = queue.run({"text": text, "speed": 9.0})

        assert (failed["status"], failed["error"]) == ("FAILED", "the engine failed on this chunk")
        *chunks, why = queue.jobs[failed["id"]].chunks
        assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
        good = [chunk["duration_s"] for chunk in queue.jobs[whole["id"]].chunks if "index" in chunk]
        assert sum(chunk["duration_s"] for chunk in chunks) == pytest.approx(sum(good), abs=0.1)
        first, *_ = queue.jobs[early["id"]].chunks  # two chunks, which are held back until the level is known
        assert first["duration_s"] > 0.9
        assert why == failed["output"] == {"message": failed["error"], "code": "synthesis_failed"}
        assert refused["status"] == "FAILED"
        assert "speed" in refused["error"]
        assert queue.jobs[refused["id"]].chunks == [refused["output"]]


def test_a_long_job_tells_its_progress_now_and_then(tmp_path: Path) -> None:
    seen: list[Any] = []
    with open_queue(TONE, tmp_path) as queue:
        job_id = queue.submit(SLOW | {"text": SENTENCE * 40})
        from_s = time.monotonic()

        def watch() -> bool:
            answer = queue.jobs[job_id].answer()
            if answer["status"] == "IN_PROGRESS" and answer.get("output") not in (None, *seen):
                seen.append(answer["output"])
            return bool(answer["status"] == "COMPLETED")

        assert eventually(watch)
        assert [sorted(update) for update in seen] == [["audio_s", "chunks", "chunks_done"]] * len(seen)
        assert 2 <= len(seen) <= 1 + (time.monotonic() - from_s) / 2  # at most one in 2 s of 8 or more
        assert [update["chunks_done"] for update in seen] == sorted(update["chunks_done"] for update in seen)
        assert queue.jobs[job_id].done_posts == 1


def test_a_model_that_does_not_speak_keeps_the_worker_from_the_queue(tmp_path: Path) -> None:
    with pytest.raises(WorkerStartError, match="generated silence"):  # noqa: SIM117
        with open_queue(TONE, tmp_path, TONE_IS_MUTE="1"):
            pass


@pytest.mark.parametrize("level", ["", "DEBUG"])
@pytest.mark.parametrize("stream", ["0", "1"])
def test_no_text_voice_audio_or_key_stands_in_any_log_line(tmp_path: Path, level: str, stream: str) -> None:
    marker = "XYZZYMARKER"
    key = {
        "endpointUrl": "http://127.0.0.1:9",
        "bucketName": f"b{marker.lower()}",
        "accessId": marker,
        "accessSecret": marker,
    }
    jobs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"text": f"Say {marker} aloud, slowly. " * 20, "chunk_size": 50}, {}),
        ({"text": f"Say {marker}.", "output": "s3"}, {"s3Config": key}),
        ({"text": f"There is a bug in {marker}."}, {}),
        ({"text": f"It will explode, {marker}."}, {}),
        ({"text": "Hello.", "voice": marker}, {}),
        ({"text": "Hello.", "reference_audio": f"data:audio/wav;base64,{marker}"}, {}),
        ({"text": "Hello.", "voice_url": f"http://127.0.0.1:9/{marker}"}, {}),
        ({"text": "Hello.", marker: 1}, {}),
    ]
    settings: dict[str, Any] = {"RUNPOD_ENDPOINT_ID": "local", "CHATTERBOX_STREAM": stream, "RUNPOD_LOG_LEVEL": level,
                "BUCKET_ENDPOINT_URL": "http://127.0.0.1:9/b", "BUCKET_ACCESS_KEY_ID": marker,
                "BUCKET_SECRET_ACCESS_KEY": marker}  # fmt: skip
    with open_queue(TONE, tmp_path, **settings) as queue:
        answers = [queue.run(job_input, timeout_s=300, **more) for job_input, more in jobs]
        lines = list(queue.log_lines)

    assert [answer["status"] for answer in answers] == ["COMPLETED"] * 2 + ["FAILED"] * 6
    assert not [line for line in lines if marker.lower() in line.lower()]
    logged = [entry for line in lines if line.startswith("{") for entry in _entries(line)]
    assert all(set(line) == {"requestId", "message", "level"} for line in logged)
    ours = [
        line for line in logged if line["message"].startswith("chatterbox_worker.serverless.worker: internal error")
    ]
    assert [line["requestId"] for line in ours] == [answers[2]["id"]]
    assert "tone.py" in ours[0]["message"]  # where it came from
    assert any(line["level"] == "DEBUG" for line in logged) is (level == "DEBUG")
    assert not [line for line in lines if "UklG" in line]  # the head of a wav in base64


def _entries(line: str) -> list[dict[str, Any]]:
    """The SDK's threads print without a lock, so that a line may hold the entries of two."""
    found, end = [], 0
    while end < len(line):
        entry, end = json.JSONDecoder().raw_decode(line, end)
        found.append(entry)
    return found


def test_info_tells_what_the_worker_is_and_how_it_does(tmp_path: Path) -> None:
    with open_queue(PREVIEW, tmp_path) as queue:
        queue.run({"text": "Hello."})
        queue.run({"text": ""})
        info = queue.run({"action": "info"})["output"]

    assert (info["jobs_done"], info["jobs_failed"]) == (1, 1)
    assert info["models"]["preview"]["device"] == "cpu"
    assert info["models"]["preview"]["revision"].startswith("espeak-ng-")
    assert info["memory"]["rss_bytes"] > 20_000_000
    assert isinstance(info["memory"]["gpus"], list)
    assert {"chatterbox-worker", "runpod", "torch", "python"} <= set(info["versions"])
    assert (info["cache"]["hits"], info["cache"]["misses"]) == (0, 1)
    assert info["uptime_s"] > 0


def test_a_stream_under_the_hubs_conditions_still_gives_its_result(tmp_path: Path) -> None:
    options = {"hub": True}
    with open_queue(TONE, tmp_path, options=options, CHATTERBOX_STREAM="1") as queue:  # nowhere to post chunks to
        answer = queue.run({"text": "Hello there."})

    chunk, summary = answer["output"]
    assert (answer["status"], chunk["index"], summary["chunks_streamed"]) == ("COMPLETED", 0, 1)
    assert chunk["audio_base64"]
