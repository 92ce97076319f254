"""The order of the queue, and how many takes a batch may have."""

from __future__ import annotations

from chatterbox_worker.engines.chatterbox.serving.queue_policy import BatchLimit, WaitingQueue


def always(_: str) -> bool:
    return True


def order(queue: WaitingQueue[str]) -> list[str]:
    return [queue.take(always) or "" for _ in range(len(queue))]


def test_first_chunks_go_first_and_equals_go_as_they_came() -> None:
    queue: WaitingQueue[str] = WaitingQueue()
    for name, turn in (("a0", 0), ("a1", 1), ("a2", 2), ("b0", 0), ("b1", 1), ("c0", 0)):
        queue.add(name, turn)
    assert order(queue)[:3] == ["a0", "b0", "c0"]


def test_a_short_text_is_not_blocked_by_an_earlier_long_one() -> None:
    queue: WaitingQueue[str] = WaitingQueue()
    for turn in range(150):
        queue.add(f"long {turn}", turn)
    for _ in range(10):
        queue.take(always)
    queue.add("short", 0)
    assert "short" in [queue.take(always) for _ in range(2)]


def test_a_steady_flow_of_short_texts_does_not_block_a_long_one() -> None:
    queue: WaitingQueue[str] = WaitingQueue()
    for turn in range(5):
        queue.add("long", turn)
    taken = []
    for _ in range(20):
        queue.add("short", 0)
        taken.append(queue.take(always))
    assert taken.count("long") == 5


def test_items_that_are_not_ready_are_passed_over_and_returned_items_are_first() -> None:
    queue: WaitingQueue[str] = WaitingQueue()
    for name in ("a", "b", "c"):
        queue.add(name, 0)
    assert queue.take(lambda name: name != "a") == "b"
    assert queue.take(lambda name: name == "z") is None
    queue.put_back("b", 0)
    assert order(queue) == ["b", "a", "c"]


def test_a_limit_shrinks_at_once_and_grows_slowly() -> None:
    limit = BatchLimit(8)
    limit.shrink(3)
    assert limit.current == 3
    for _ in range(BatchLimit.GROW_AFTER):
        limit.record_success()
    assert limit.current == 4
    limit.shrink(0)
    assert limit.current == 1
    for _ in range(20 * BatchLimit.GROW_AFTER):
        limit.record_success()
    assert limit.current == 8
