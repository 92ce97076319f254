"""The queue of what is to be rendered as it runs on a GPU, in parallel with T3."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
import torch

from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.serving import render_queue
from chatterbox_worker.engines.chatterbox.serving.render import RenderJob, Stream
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.errors import Cancelled, SynthesisFailed
from support.render_jobs import job
from support.tiny_engine import CPU, prompt


class BlockedRenderer:
    """Records the batches; does not finish the first until `go_on` is set."""

    def __init__(self) -> None:
        self.batches: list[list[RenderJob]] = []
        self.started, self.go_on = threading.Event(), threading.Event()

    def render(self, jobs: Sequence[RenderJob]) -> None:
        self.batches.append(list(jobs))
        self.started.set()
        self.go_on.wait(60)
        for each in jobs:
            if each.stream is not None:
                each.stream.hops_rendered += 1
            if each.last:
                each.take.end()


@pytest.fixture
def blocked() -> BlockedRenderer:
    return BlockedRenderer()


@pytest.fixture
def busy(blocked: BlockedRenderer) -> Iterator[RenderQueue]:
    """A queue whose thread is already rendering."""
    queue = RenderQueue(blocked.render, CPU, in_background=True, more_to_come=lambda: False)
    queue.submit(job(500))
    assert blocked.started.wait(60)
    yield queue
    blocked.go_on.set()
    queue.close()


def finish(blocked: BlockedRenderer, jobs: Sequence[RenderJob]) -> list[list[int]]:
    """The batches after the first, as the jobs' numbers."""
    blocked.go_on.set()
    for each in jobs:
        if each.last:
            list(each.take)
    return [[jobs.index(each) for each in batch] for batch in blocked.batches[1:]]


def test_first_chunks_are_rendered_first_and_similar_lengths_together(
    blocked: BlockedRenderer, busy: RenderQueue
) -> None:
    jobs = [job(400, turn=2), job(200, turn=1), job(20, turn=0), job(22, turn=3), job(202, turn=0), job(24, turn=0)]
    for each in jobs:
        busy.submit(each)
    assert finish(blocked, jobs) == [[2, 5, 3], [4, 1], [0]]


def test_rows_of_neighbouring_lengths_share_a_batch_and_others_do_not(
    blocked: BlockedRenderer, busy: RenderQueue
) -> None:
    spare = -len(prompt("turbo").tokens) % 64
    jobs = [job(spare + tokens) for tokens in (64 * 2, 64 * 3, 64 * 1, 64 * 4, 64 * 3 - 1, 64 * 7)]
    for each in jobs:
        busy.submit(each)
    assert finish(blocked, jobs) == [[0, 1, 4], [2], [3], [5]]


def test_a_batch_has_a_limit_of_rows_and_of_tokens(blocked: BlockedRenderer, busy: RenderQueue) -> None:
    jobs = [job(20, seed=seed) for seed in range(10)] + [job(1000, seed=seed) for seed in range(5)]
    for each in jobs:
        busy.submit(each)
    assert [len(batch) for batch in finish(blocked, jobs)] == [8, 2, 3, 2]


def test_the_hops_of_a_stream_are_rendered_in_order_and_one_at_a_time(
    blocked: BlockedRenderer, busy: RenderQueue
) -> None:
    stream, first = Stream(), job(20)
    jobs = [
        RenderJob(first.take, first.prompt, [1] * (20 + hop), last=hop == 2, stream=stream, hop=hop) for hop in range(3)
    ]
    jobs += [job(21), job(21, seed=1)]
    for each in jobs:
        busy.submit(each)
    batches = finish(blocked, jobs)

    assert [number for batch in batches for number in batch if number < 3] == [0, 1, 2]
    assert all(sum(number < 3 for number in batch) <= 1 for batch in batches)


def test_a_job_waits_for_others_that_are_to_come(blocked: BlockedRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_queue, "_BATCH_WAIT_S", 1.0)  # enough for the other thread on any machine
    blocked.go_on.set()
    queue: RenderQueue
    jobs = [job(20), job(20, seed=1)]

    def more_to_come() -> bool:
        """Called with the queue's lock held: the second job gets in while the first one waits."""
        threading.Thread(target=queue.submit, args=[jobs[1]]).start()
        return True

    queue = RenderQueue(blocked.render, CPU, in_background=True, more_to_come=more_to_come)
    queue.submit(jobs[0])
    list(jobs[0].take)
    list(jobs[1].take)
    queue.close()
    assert blocked.batches == [[jobs[0], jobs[1]]]


def test_a_closed_queue_cancels_what_waits(blocked: BlockedRenderer, busy: RenderQueue) -> None:
    waiting = job(20)
    busy.submit(waiting)
    closing = threading.Thread(target=busy.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "what runs is finished first"
    blocked.go_on.set()
    closing.join()
    with pytest.raises(Cancelled):
        list(waiting.take)


def test_a_batch_that_fails_unexpectedly_fails_its_takes_and_the_next_is_rendered() -> None:
    fails = [True]

    def render(jobs: Sequence[RenderJob]) -> None:
        if fails.pop():
            raise KeyError("a bug")
        for each in jobs:
            each.take.end()

    queue = RenderQueue(render, CPU, in_background=True, more_to_come=lambda: False)
    stream, bad, good = Stream(), job(20), job(20)
    for hop in range(2):  # the second never becomes ready
        queue.submit(RenderJob(bad.take, bad.prompt, bad.tokens, last=hop == 1, stream=stream, hop=hop))
    with pytest.raises(SynthesisFailed):
        list(bad.take)
    fails.append(False)
    queue.submit(good)
    assert list(good.take) == []
    queue.close()


def test_the_prompt_counts_in_a_rows_length() -> None:
    short = Prompt(torch.zeros(10, dtype=torch.int64), torch.zeros(20, 80), torch.zeros(192))
    assert RenderJob(job(1).take, short, [1, 2, 3], last=True).length == 13
