"""When a worker gives memory back: an answer that is still being sent does not hide what is free after it."""

from __future__ import annotations

from chatterbox_worker.serverless.memory import next_level

MB = 2**20


def test_an_answer_that_is_still_held_raises_the_level_by_a_quarter() -> None:
    assert next_level(120 * MB, 164 * MB) == 131 * MB


def test_the_level_falls_at_once() -> None:
    assert next_level(131 * MB, 121 * MB) == 121 * MB


def test_memory_that_stays_is_accepted_after_some_jobs() -> None:
    level = 120 * MB
    for _ in range(10):
        level = next_level(level, 200 * MB)
    assert 190 * MB < level < 200 * MB
