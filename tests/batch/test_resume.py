"""Two hundred texts through the local queue, with kills: no text is lost and none is synthesized twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.batch.manifest import NAME
from chatterbox_worker.localqueue import LocalQueue
from support.paths import ROOT
from support.preview_queue import preview_queue

pytestmark = pytest.mark.slow

TEXTS = 200


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[LocalQueue]:
    with preview_queue(tmp_path / "volume") as queue:
        yield queue


def command(queue: LocalQueue, folder: Path) -> list[str]:
    keys = ["--endpoint", "local", "--key", queue.api_key, "--url", queue.url]
    return [
        sys.executable,
        "-m",
        "chatterbox_worker.batch",
        str(folder / "rows.jsonl"),
        "-o",
        str(folder / "out"),
        *keys,
    ]


def write_rows(folder: Path, count: int) -> None:
    rows = [{"id": f"text-{n:03}", "text": f"This is text number {n}. " * 3} for n in range(count)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def manifest(folder: Path) -> list[dict[str, Any]]:
    """Its complete lines."""
    try:
        content = (folder / "out" / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith("\n")]


def states(folder: Path) -> Counter[str]:
    return Counter({line["key"]: line["state"] for line in manifest(folder)}.values())


def run_and_kill(queue: LocalQueue, folder: Path, done: int) -> None:
    """Start a run and kill it when `done` texts are done, at a moment when every submitted job is in the manifest."""
    process = subprocess.Popen(command(queue, folder), cwd=ROOT / "src", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if states(folder)["done"] < done:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.01)
            continue
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.2)  # requests in transit have reached the queue
        if set(queue.jobs) == {line["job"] for line in manifest(folder) if "job" in line}:
            break
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_run_that_is_killed_twice_synthesizes_every_text_once(queue: LocalQueue, tmp_path: Path) -> None:
    write_rows(tmp_path, TEXTS)

    run_and_kill(queue, tmp_path, done=40)
    assert states(tmp_path)["submitted"] > 0  # jobs were in flight
    run_and_kill(queue, tmp_path, done=120)
    assert len(queue.jobs) < TEXTS
    run = subprocess.run(command(queue, tmp_path), cwd=ROOT / "src", capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    texts = Counter(job.body["input"]["text"] for job in queue.jobs.values())
    assert len(texts) == TEXTS
    assert set(texts.values()) == {1}, "a text was sent twice"
    assert all(job.done_posts == 1 and not job.result["output"]["cache_hit"] for job in queue.jobs.values())

    lines = manifest(tmp_path)
    assert [line["id"] for line in lines] == [f"text-{n:03}" for n in range(TEXTS)]
    assert {line["state"] for line in lines} == {"done"}
    for line in lines:
        assert (tmp_path / "out" / line["file"]).stat().st_size == line["size_bytes"]
    assert len(list((tmp_path / "out").iterdir())) == TEXTS + 1


def test_a_submission_that_was_not_recorded_is_sent_again_and_answered_from_the_cache(
    queue: LocalQueue, tmp_path: Path
) -> None:
    write_rows(tmp_path, 60)
    run_and_kill(queue, tmp_path, done=20)
    lines = (tmp_path / "out" / NAME).read_text(encoding="utf-8").splitlines(keepends=True)
    unfinished = {line["key"]: line for line in map(json.loads, lines)}
    lost = {key for key, line in unfinished.items() if line["state"] == "submitted"}
    assert lost
    kept = [line for line in lines if json.loads(line)["key"] not in lost]
    (tmp_path / "out" / NAME).write_text("".join(kept), encoding="utf-8")

    run = subprocess.run(command(queue, tmp_path), cwd=ROOT / "src", capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert len(queue.jobs) == 60 + len(lost)
    spoken = Counter(
        job.body["input"]["text"] for job in queue.jobs.values() if not job.result["output"]["cache_hit"]
    )  # fmt: skip
    assert len(spoken) == 60
    assert set(spoken.values()) == {1}, "a text was synthesized twice"
