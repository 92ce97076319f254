"""What a worker holds after many long answers: about what it held after the first."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.localqueue import Limits, LocalQueue
from support.platform_queue import TONE, open_queue

pytestmark = [pytest.mark.slow, pytest.mark.alone]

ANSWERS = 20
TEXT = "This sentence of the story has about a hundred characters, as all others, so that they can be counted. " * 760
"""Fifteen minutes: 10 ms of tone for a character, and the pauses between the sentences."""


def speak(queue: LocalQueue, number: int, **fields: Any) -> None:
    answer = queue.run({"text": TEXT, "seed": number, **fields}, timeout_s=300)
    assert answer["status"] == "COMPLETED", answer.get("error")
    assert answer["output"]["duration_s"] > 850


def level(queue: LocalQueue) -> float:
    """Megabytes that the worker holds; it gives memory back just after a job, so the least of a second counts."""
    levels = []
    for _ in range(10):
        levels.append(queue.run({"action": "info"})["output"]["memory"]["rss_bytes"] / 1e6)
        time.sleep(0.1)
    return float(min(levels))


def test_twenty_answers_of_fifteen_minutes_leave_no_more_than_the_first(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "CHATTERBOX_OUTPUTS_DIR": str(tmp_path / "outputs"), "CHATTERBOX_MAX_TEXT_CHARS": "100000",
        "CHATTERBOX_PAYLOAD_LIMIT_BYTES": "100000000",
    }  # fmt: skip
    ways: list[dict[str, Any]] = [{"output": "volume"}, {"output": "inline"}]
    options = {"limits": Limits(run_bytes=100_000_000)}
    with open_queue(TONE, tmp_path, options=options, **settings) as queue:
        for number, way in enumerate(ways):
            speak(queue, number, **way)
        first = level(queue)
        for number in range(ANSWERS):
            speak(queue, 100 + number, **ways[number % 2])
        last = level(queue)
    assert last <= 1.1 * first, f"{first:.0f} MB after the first answers, {last:.0f} MB after {ANSWERS} more"
