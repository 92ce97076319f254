"""Progress: seldom, and never after the end."""

from __future__ import annotations

from typing import Any

from chatterbox_worker.serverless.progress import Progress


def told(steps: list[tuple[float, int, int]]) -> list[dict[str, Any]]:
    """What is sent when, at each time in seconds, so many chunks of so many are done."""
    sent: list[dict[str, Any]] = []
    times = iter([0.0, *(at_s for at_s, _, _ in steps)])
    progress = Progress(sent.append, lambda: next(times))
    for at_s, done, total in steps:
        progress(done, total, at_s * 10)
    return sent


def test_at_most_one_update_in_two_seconds() -> None:
    sent = told([(n / 2, n, 100) for n in range(1, 21)])

    assert [update["chunks_done"] for update in sent] == [4, 8, 12, 16, 20]
    assert sent[0] == {"chunks_done": 4, "chunks": 100, "audio_s": 20.0}


def test_a_short_job_tells_nothing() -> None:
    assert told([(5.0, 1, 3), (10.0, 2, 3)]) == []


def test_nothing_is_reported_once_all_chunks_are_done() -> None:
    assert told([(10.0, 10, 10)]) == []
