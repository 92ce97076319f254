from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.device.failures import in_parts, is_device_failure, is_out_of_memory
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.serving.render import Renderer, RenderJob, Stream
from chatterbox_worker.errors import NoSpeech, SynthesisFailed
from support.render_jobs import job
from support.tiny_engine import CPU, Unmarked, parts, prompt, sound_of


def renderer(model: str = "turbo") -> Renderer:
    return Renderer(parts(model).s3gen, parts(model).layout, Unmarked())


LENGTHS = [30, 12, 45, 30, 3]


@cache
def alone(model: str = "turbo") -> list[Any]:
    """Shared: do not change it."""
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
            assert self.may_go_on.wait(60)
            return audio

    marker = Slow()
    background = Renderer(parts("turbo").s3gen, parts("turbo").layout, marker, in_background=True)
    first, second = job(12), job(12, seed=1)
    background.render([first])
    assert marker.started.wait(60)
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
