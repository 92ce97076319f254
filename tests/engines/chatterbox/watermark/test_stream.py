from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.chatterbox.watermark.stream import StreamMark

RATE = 24_000


@cache
def watermark() -> Watermark:
    return Watermark(torch.device("cpu"))


def speech(duration_s: float, *, gap_s: tuple[float, float] | None = None) -> Samples:
    """A gliding buzz in syllables, with noise; digitally silent in the gap."""
    time = np.arange(round(duration_s * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(4.4 * time)) / RATE
    buzz = sum(np.sin(order * phase) / order for order in range(1, 31))
    noise = 0.004 * np.random.default_rng(0).normal(size=len(time))
    sound = 0.1 * buzz * np.clip(np.sin(13.8 * time) + 0.4, 0, 1) + noise
    if gap_s is not None:
        sound[(time >= gap_s[0]) & (time < gap_s[1])] = 0
    samples: Samples = sound.astype(np.float32)
    return samples


def mark_in_pieces(samples: Samples, sizes: list[int]) -> list[Samples]:
    """Mark in pieces of these sizes, the last size repeated."""
    mark, start = StreamMark(watermark(), RATE), 0
    pieces: list[Samples] = []
    while start < len(samples):
        end = start + sizes[min(len(pieces), len(sizes) - 1)]
        pieces.append(mark.push(samples[start:end], last=end >= len(samples)))
        start = end
    return pieces


HOPS = [7_680, 11_520, 24_000, 48_000]  # samples of a stream's first hops


@pytest.mark.parametrize("sizes", [[100_000], [2_400], [1_000, 20_000], HOPS], ids=["one", "even", "odd", "hops"])
def test_a_streamed_mark_is_the_whole_clips_mark(sizes: list[int]) -> None:
    samples = speech(4.0)
    whole = watermark().mark(Audio(samples, RATE)).samples

    joined = np.concatenate(mark_in_pieces(samples, sizes))

    assert np.abs(whole - samples).max() > 0.01
    np.testing.assert_allclose(joined, whole, atol=2e-6)


def test_a_single_piece_is_marked_as_a_clip_is() -> None:
    samples = speech(1.23)
    np.testing.assert_array_equal(mark_in_pieces(samples, [10**6])[0], watermark().mark(Audio(samples, RATE)).samples)


@pytest.mark.parametrize("gap_s", [None, (0.4, 1.6), (0.0, 0.9)])
def test_the_mark_is_found_wherever_it_is_found_in_the_whole(gap_s: tuple[float, float] | None) -> None:
    samples = speech(3.0, gap_s=gap_s)
    joined = np.concatenate(mark_in_pieces(samples, HOPS))

    assert watermark().detect(Audio(samples, RATE)) < 0.5
    assert watermark().detect(watermark().mark(Audio(samples, RATE))) > 0.5
    assert watermark().detect(Audio(joined, RATE)) > 0.5


@pytest.mark.parametrize("samples", [0, 1, 500, 4_320, 4_321, 4_800, 9_000])
def test_nothing_is_lost_of_short_streams(samples: int) -> None:
    mark = StreamMark(watermark(), RATE)
    sound = speech(1.0)[:samples]

    pieces = [mark.push(sound[: samples // 2], last=False), mark.push(sound[samples // 2 :], last=True)]

    assert sum(map(len, pieces)) == samples


def test_what_comes_out_lags_by_the_context_and_no_more() -> None:
    mark = StreamMark(watermark(), RATE)
    assert len(mark.push(speech(0.32), last=False)) == round(0.14 * RATE)


def test_a_push_that_fails_may_be_repeated() -> None:
    class FailingMarker:
        fail = True

        def mark(self, audio: Audio) -> Audio:
            if self.fail:
                raise torch.OutOfMemoryError("no")
            return watermark().mark(audio)

    marker, samples = FailingMarker(), speech(1.0)
    mark = StreamMark(marker, RATE)
    with pytest.raises(torch.OutOfMemoryError):
        mark.push(samples[:12_000], last=False)
    marker.fail = False

    joined = np.concatenate([mark.push(samples[:12_000], last=False), mark.push(samples[12_000:], last=True)])

    np.testing.assert_array_equal(joined, np.concatenate(mark_in_pieces(samples, [12_000])))
