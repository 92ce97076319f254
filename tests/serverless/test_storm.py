"""A thousand jobs through a storm of errors and dropped connections on every route of the platform."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chatterbox_worker.localqueue import Fault, JobState, Limits
from chatterbox_worker.localqueue.fault import Route
from chatterbox_worker.localqueue.store import LOST
from support.platform_queue import TONE, open_queue

JOBS = 1000
GUSTS = 40
# How often each trouble comes in a gust, on average. A 429 to a take costs the SDK 5 s, so there are few.
WEATHER: dict[Route, list[tuple[Fault, float]]] = {
    "job-take": [
        (Fault(status=500), 3),
        (Fault(drop=True), 2),
        (Fault(status=404), 1),
        (Fault(status=429), 0.1),
    ],
    "job-stop": [(Fault(status=500), 1), (Fault(drop=True), 1)],
    "job-done": [
        (Fault(status=500), 3),
        (Fault(status=503), 1),
        (Fault(drop=True), 2),
        (Fault(status=429), 0.3),
    ],
    "ping": [(Fault(status=500), 0.2), (Fault(drop=True), 0.2)],
}


@pytest.mark.slow
def test_a_thousand_jobs_are_posted_once_or_reported(tmp_path: Path) -> None:
    weather = random.Random(3)
    limits = Limits(lost_after_s=6.0)
    options = {"limits": limits, "workers": 2}
    with open_queue(TONE, tmp_path, options=options, CHATTERBOX_CONCURRENCY="32") as queue:
        ids = [queue.submit({"text": f"Job number {n} of the storm.", "seed": n}) for n in range(JOBS)]
        for _ in range(GUSTS):
            for route, troubles in WEATHER.items():
                for fault, average in troubles:
                    times = int(average + weather.random())
                    if times and not queue.faults.is_due(route):
                        queue.faults.add(route, fault, times=times)
            time.sleep(0.3)
        answers = [queue.wait(job_id, 200) for job_id in ids]
        time.sleep(1.0)  # for a second post that should not come
        jobs = [queue.jobs[job_id] for job_id in ids]

    posted = [job for job in jobs if job.state is JobState.COMPLETED]
    reported = [answer for answer in answers if answer["status"] == "FAILED"]
    assert len(posted) + len(reported) == JOBS
    # once for each time it was given to a worker: on a busy machine one that is late is taken for lost, and posts too
    assert all(1 <= job.done_posts <= 1 + job.retries for job in posted)
    assert {answer["error"] for answer in reported} <= {LOST}
    assert len(reported) <= JOBS // 100
    seeds = {answer["output"]["seed"] for answer in answers if answer["status"] == "COMPLETED"}
    assert len(seeds) == len(posted)  # each its own answer
    assert not queue.faults.is_due("job-done")
    taken_again = sum(job.retries for job in jobs)
    print(f"{len(posted)} posted, {len(reported)} reported lost, {taken_again} given to a worker once more")  # noqa: T201
