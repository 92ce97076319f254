from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.device.failures import in_parts, is_device_failure, is_out_of_memory
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow, Prompt
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.serving import render_queue
from chatterbox_worker.engines.chatterbox.serving.render import Renderer, RenderJob, Stream
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.errors import Cancelled, NoSpeech, SynthesisFailed
from support.tiny_engine import CPU, Unmarked, parts, prompt, say, sound_of


def renderer(model: str = "turbo") -> Renderer:
    return Renderer(parts(model).s3gen, parts(model).layout, Unmarked())


def job(
    tokens: int,
    *,
    model: str = "turbo",
    seed: int = 0,
    turn: int = 0,
    stream: Stream | None = None,
    hop: int = 0,
    last: bool = True,
) -> RenderJob:
    take = ChatterboxTake(say(model, seed=seed, turn=turn), lambda: None)
    codes = torch.randint(0, 6561, (tokens,), generator=torch.Generator().manual_seed(seed)).tolist()
    return RenderJob(take, prompt(model), codes, last, stream, hop)


LENGTHS = [30, 12, 45, 30, 3]


def alone(model: str = "turbo") -> list[Any]:
    sounds = []
    for seed, tokens in enumerate(LENGTHS):
        single = job(tokens, model=model, seed=seed)
        renderer(model).render([single])
        sounds.append(sound_of(single.take))
    return sounds


@pytest.mark.parametrize("model", ["turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def test_a_ragged_batch_sounds_as_its_rows_do_alone(model: str) -> None:
    jobs = [job(tokens, model=model, seed=seed) for seed, tokens in enumerate(LENGTHS)]
    renderer(model).render(jobs)

    for together, own in zip(jobs, alone(model), strict=True):
        sound = sound_of(together.take)
        assert sound.shape == own.shape
        np.testing.assert_allclose(sound, own, atol=5e-4)  # mels differ by 1e-6, and pitch adds up to phase


@pytest.mark.parametrize("model", ["turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def test_a_row_of_a_ragged_batch_has_the_mel_it_has_alone(model: str) -> None:
    s3gen, rows = parts(model).s3gen, []
    for seed, tokens in enumerate(LENGTHS):
        noise = SeededNoise(seed, CPU).whole(prompt(model), tokens)
        rows.append(FlowRow(torch.tensor(job(tokens, seed=seed).tokens), prompt(model), noise.mel))

    for together, row in zip(s3gen.mels(rows), rows, strict=True):
        torch.testing.assert_close(together, s3gen.mels([row])[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stage", ["mels", "sounds"])
def test_a_batch_that_does_not_fit_into_memory_is_rendered_in_parts(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = getattr(S3Gen, stage)
    sizes = []

    def fits_two(s3gen: S3Gen, rows: Sequence[Any], *args: Any) -> Any:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(s3gen, rows, *args)

    expected = alone()
    monkeypatch.setattr(S3Gen, stage, fits_two)
    jobs = [job(tokens, seed=seed) for seed, tokens in enumerate(LENGTHS)]
    renderer().render(jobs)

    for rendered, own in zip(jobs, expected, strict=True):
        np.testing.assert_allclose(sound_of(rendered.take), own, atol=5e-4)
    assert sizes == [5, 3, 2, 1, 2]


def test_a_job_that_fits_at_the_second_try_is_rendered_and_one_that_never_fits_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, tries = S3Gen.mels, {12: 1, 30: 10**6}

    def sometimes(s3gen: S3Gen, rows: Sequence[FlowRow]) -> Any:
        for row in rows:
            if tries.get(len(row.tokens) - 3, 0):
                tries[len(row.tokens) - 3] -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
        return real(s3gen, rows)

    monkeypatch.setattr(S3Gen, "mels", sometimes)
    late, never, good = job(12), job(30), job(20)
    renderer().render([late])
    renderer().render([never, good])

    assert len(sound_of(late.take))
    assert len(sound_of(good.take))
    with pytest.raises(SynthesisFailed, match="not enough memory"):
        list(never.take)


def test_a_bad_row_fails_alone() -> None:
    good, silent, long = job(20), job(1), job(3000)
    silent = RenderJob(silent.take, silent.prompt, [6561, 8000], last=True)
    renderer().render([silent, good, long])

    assert len(sound_of(good.take))
    with pytest.raises(NoSpeech, match="generated no speech for this text"):
        list(silent.take)
    with pytest.raises(SynthesisFailed, match="while generating audio"):
        list(long.take)


@pytest.mark.parametrize(("verbatim", "tokens"), [(True, 12), (False, 12 + 3 - 1)])
def test_a_recordings_tokens_have_no_silence_added_and_none_cut(*, verbatim: bool, tokens: int) -> None:
    layout = replace(parts("turbo").layout, cuts_last_token=True)
    one = replace(job(12), verbatim=verbatim)
    Renderer(parts("turbo").s3gen, layout, Unmarked()).render([one])
    assert len(sound_of(one.take)) == tokens * 960


def test_a_take_that_is_over_is_not_rendered() -> None:
    cancelled = job(20)
    cancelled.take.cancel()
    renderer().render([cancelled])
    assert not cancelled.take.timings


def test_a_watermark_that_fails_lets_no_sound_out() -> None:
    class Broken:
        def mark(self, audio: Audio) -> Audio:
            raise RuntimeError("no")

    one = job(20)
    Renderer(parts("turbo").s3gen, parts("turbo").layout, Broken()).render([one])
    with pytest.raises(SynthesisFailed):
        next(iter(one.take))


def test_streams_hops_share_the_vocoder_and_a_hop_that_fails_changes_no_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, sizes, fails = S3Gen.vocode_hops, [], [True]

    def vocode(s3gen: S3Gen, hops: Sequence[Any]) -> Any:
        sizes.append(len(hops))
        made = real(s3gen, hops)
        if len(hops) > 1 and fails:
            fails.pop()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return made

    def speak(together: bool) -> list[Any]:
        whole = [job(40, seed=seed) for seed in range(3)]
        streams = [Stream() for _ in whole]
        own = renderer()
        for hop, count in enumerate((15, 27, 40)):
            jobs = [
                RenderJob(each.take, each.prompt, each.tokens[:count], count == 40, stream, hop)
                for each, stream in zip(whole, streams, strict=True)
            ]
            for batch in [jobs] if together else [[each] for each in jobs]:
                own.render(batch)
        return [sound_of(each.take) for each in whole]

    expected = speak(together=False)
    monkeypatch.setattr(S3Gen, "vocode_hops", vocode)
    for sound, own in zip(speak(together=True), expected, strict=True):
        np.testing.assert_allclose(sound, own, atol=5e-4)
    assert sizes == [3, 2, 1, 3, 3]


def test_a_slow_watermark_does_not_delay_the_next_batch() -> None:
    class Slow:
        def __init__(self) -> None:
            self.started, self.may_go_on = threading.Event(), threading.Event()

        def mark(self, audio: Audio) -> Audio:
            self.started.set()
            assert self.may_go_on.wait(10)
            return audio

    marker = Slow()
    background = Renderer(parts("turbo").s3gen, parts("turbo").layout, marker, in_background=True)
    first, second = job(12), job(12, seed=1)
    background.render([first])
    assert marker.started.wait(10)
    background.render([second])  # returns although the first sound is not marked yet
    marker.may_go_on.set()
    background.close()
    assert len(sound_of(first.take)) == len(sound_of(second.take))


def test_a_watermark_that_fails_in_the_background_fails_its_own_take_only() -> None:
    class Sometimes:
        calls = 0

        def mark(self, audio: Audio) -> Audio:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("no")
            return audio

    background = Renderer(parts("turbo").s3gen, parts("turbo").layout, Sometimes(), in_background=True)
    bad, good = job(12), job(12, seed=1)
    background.render([bad])
    background.render([good])
    background.close()
    with pytest.raises(SynthesisFailed):
        list(bad.take)
    assert len(sound_of(good.take))


def test_the_times_of_a_batch_add_up_to_what_it_took() -> None:
    jobs = [job(12), job(12, seed=1)]
    started_s = time.perf_counter()
    renderer().render(jobs)
    took_s = time.perf_counter() - started_s
    first, second = (each.take.timings for each in jobs)
    assert first["s3gen_s"] == second["s3gen_s"] > 0
    assert sum(sum(timings.values()) for timings in (first, second)) < took_s


def test_out_of_memory_is_recognised_behind_the_error_that_it_caused() -> None:
    def run_out() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def capture() -> None:  # as a graph's capture fails
        try:
            run_out()
        except torch.OutOfMemoryError:
            raise torch.AcceleratorError("capture was invalidated")  # noqa: B904

    with pytest.raises(torch.AcceleratorError) as error:
        capture()
    assert is_out_of_memory(error.value)
    assert not is_device_failure(error.value)
    assert is_device_failure(torch.AcceleratorError("an illegal memory access was encountered"))
    assert not is_out_of_memory(ValueError())


def test_a_failed_device_is_not_tried_again() -> None:
    calls = []

    def fail(items: Sequence[int]) -> None:
        calls.append(items)
        raise torch.AcceleratorError("an illegal memory access was encountered")

    assert all(map(is_device_failure, in_parts(fail, [1, 2, 3])))  # type: ignore[arg-type]
    assert len(calls) == 1


# The queue as it runs on a GPU, in parallel with T3


class BlockedRenderer:
    """Records the batches; does not finish the first until `go_on` is set."""

    def __init__(self) -> None:
        self.batches: list[list[RenderJob]] = []
        self.started, self.go_on = threading.Event(), threading.Event()

    def render(self, jobs: Sequence[RenderJob]) -> None:
        self.batches.append(list(jobs))
        self.started.set()
        self.go_on.wait(10)
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
    assert blocked.started.wait(10)
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
