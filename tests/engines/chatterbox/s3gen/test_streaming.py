"""A stream against the offline path, on tiny random weights: one hop has the same samples, several are close."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HOPS, HopClock, StreamedVocoder
from chatterbox_worker.engines.chatterbox.serving import render
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.errors import Cancelled
from support.tiny_engine import CPU, parts, prompt, say, sound_of, tiny_engine

MODELS = ["turbo", pytest.param("multilingual", marks=pytest.mark.slow)]
BOTH = ["turbo", "multilingual"]
FADE = 3 * 480


def random_tokens(count: int) -> Tensor:
    return torch.randint(0, 6561, (count,), generator=torch.Generator().manual_seed(3))


def render_offline(model: str, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Mel and sound of the offline path."""
    s3gen, noise = parts(model).s3gen, SeededNoise(5, CPU).whole(prompt(model), len(tokens))
    mel = s3gen.mels([FlowRow(tokens, prompt(model), noise.mel)])[0]
    return mel, s3gen.sounds([mel], [noise])[0]


def stream(
    model: str, tokens: Tensor, hops: tuple[int, ...] = HOPS, mel: Tensor | None = None
) -> tuple[Tensor, list[int]]:
    """The sound of a stream and where its pieces meet. `mel` replaces the flow's, as if the flow were causal."""
    s3gen, noise, clock = parts(model).s3gen, SeededNoise(5, CPU), HopClock(hops)
    vocoder = StreamedVocoder(noise)
    frames = noise.mel(2 * (len(prompt(model).tokens) + len(tokens)))

    def render(so_far: Tensor, *, last: bool) -> Tensor:
        sound, state = vocoder.accept(so_far, s3gen.vocode_hops([vocoder.hop(so_far)])[0], last=last)
        vocoder.commit(state)
        return sound

    pieces = []
    for count in range(1, len(tokens) + 1):
        if clock.is_due(count):
            row = FlowRow(tokens[:count], prompt(model), frames, finalize=False)
            pieces.append(render(s3gen.mels([row])[0] if mel is None else mel[:, : 2 * (count - 3)], last=False))
    whole = s3gen.mels([FlowRow(tokens, prompt(model), frames)])[0] if mel is None else mel
    cuts = np.cumsum([len(piece) for piece in pieces]).tolist()
    return torch.cat([*pieces, render(whole, last=True)]), cuts


@pytest.mark.parametrize("model", BOTH)
def test_one_huge_hop_is_the_offline_path_sample_for_sample(model: str) -> None:
    tokens = random_tokens(60)
    sound, cuts = stream(model, tokens, (10_000,))

    assert cuts == []
    assert torch.equal(sound, render_offline(model, tokens)[1])


@pytest.mark.parametrize("model", MODELS)
def test_hops_over_one_mel_are_the_offline_path_except_in_the_fades(model: str) -> None:
    tokens = random_tokens(110)
    mel, whole = render_offline(model, tokens)
    sound, cuts = stream(model, tokens, mel=mel)

    assert cuts == [(24 - 8) * 480, (48 - 8) * 480, (98 - 8) * 480, (198 - 8) * 480]
    apart = (sound - whole).abs()
    for cut in cuts:
        near = slice(cut - 4 * 480, cut + FADE)
        assert apart[near].max() < 0.02
        apart[near] = 0
    assert apart.max() < 3e-4


@pytest.mark.parametrize(
    "count", [1, 14, 15, 16, 28, 52, *(pytest.param(each, marks=pytest.mark.slow) for each in (7, 27, 90))]
)
def test_a_stream_is_as_long_as_the_offline_path(count: int) -> None:
    tokens = random_tokens(count)
    lengths = {len(stream("turbo", tokens, hops)[0]) for hops in (HOPS, (6, 7))}
    assert lengths == {len(render_offline("turbo", tokens)[1])}


@pytest.mark.parametrize("model", MODELS)
def test_the_sound_jumps_no_more_at_seams_than_elsewhere(model: str) -> None:
    sound, cuts = stream(model, random_tokens(140))
    jumps = sound.diff().abs()
    bends = sound.diff(n=2).abs()

    near = torch.zeros(len(sound), dtype=torch.bool)
    for cut in cuts:
        near[cut - 2 : cut + FADE + 2] = True
    assert len(cuts) == 4
    assert jumps[near[1:]].max() <= jumps[~near[1:]].max()
    assert bends[near[2:]].max() <= bends[~near[2:]].max()


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_is_close_to_the_offline_path(model: str) -> None:
    """On random weights; a trained model may be closer or farther."""
    tokens = random_tokens(140)
    sound, whole = stream(model, tokens)[0], render_offline(model, tokens)[1]

    assert (log_mel(sound) - log_mel(whole)).abs().mean() < 2.0  # decibels; 1.3 and 1.4 measured


def log_mel(sound: Tensor) -> Tensor:
    """Decibels, in 80 bands of equal width on the mel scale up to 12 kHz; no deeper than 80 under full scale."""
    power = torch.stft(sound, 1920, 480, window=torch.hann_window(1920), return_complex=True).abs().square()
    hertz = torch.arange(961) * 12.5
    mel = 2595 * torch.log10(1 + hertz / 700)
    centres = torch.linspace(0, float(mel[-1]), 82)
    bands = (1 - ((mel - centres[1:-1, None]) / (centres[1] - centres[0])).abs()).clamp_min(0)
    return 10 * torch.log10((bands @ power).clamp_min(1e-8))


def test_noise_belongs_to_its_frame_and_sample() -> None:
    noise = SeededNoise(7, CPU)
    whole = noise.whole(prompt("turbo"), 50)
    assert torch.equal(whole.mel[:, :90], noise.mel(90))
    assert torch.equal(whole.source[:, 20_000:30_000], noise.source(20_000, 30_000))
    assert torch.equal(whole.phase, SeededNoise(7, CPU).phase)
    for other in (SeededNoise(8, CPU), SeededNoise(2**32 + 7, CPU)):
        assert not torch.equal(noise.mel(10), other.mel(10))


def test_noise_is_normal_and_its_rows_are_independent() -> None:
    noise = SeededNoise(1, CPU)
    for drawn in (noise.mel(2000), noise.source(0, 20_000)):
        assert abs(float(drawn.mean())) < 0.02
        assert abs(float(drawn.std()) - 1) < 0.02
        assert abs(float(drawn.pow(4).mean()) - 3) < 0.2
        assert float((torch.corrcoef(drawn) - torch.eye(len(drawn))).abs().max()) < 0.12
    assert float(noise.phase.abs().max()) <= math.pi


def test_noise_has_the_values_that_other_cards_compute() -> None:
    """Integers and a correctly rounded division; only erfinv may differ in the last bits."""
    seed, noise = 123, SeededNoise(123, CPU)

    def uniform(first_stream: int, first: int) -> Tensor:
        keys = [_mix(_mix(seed * _GOLDEN) + (first_stream - row) * _GOLDEN) for row in range(2)]
        at = range(first + 1, first + 5)
        rows = [[((_mix(key + index * _GOLDEN) >> 41) + 0.5) / 2**23 for index in at] for key in keys]
        return torch.tensor(rows, dtype=torch.float64)

    for drawn, expected in (
        (noise.source(10, 14)[:2], torch.special.ndtri(uniform(-2000, 10))),
        (noise.mel(4)[:2], torch.special.ndtri(uniform(-1000, 0))),
        (noise.phase[:4], (uniform(-3000, 0)[0] * 2 - 1) * math.pi),
    ):
        torch.testing.assert_close(drawn.double(), expected, atol=1e-5, rtol=1e-5)


_GOLDEN, _WORD = 0x9E3779B97F4A7C15, 2**64 - 1


def _mix(x: int) -> int:
    """splitmix64's finaliser on unsigned integers."""
    x &= _WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _WORD
    return x ^ (x >> 31)


def test_several_streams_share_one_batch_of_the_vocoder_and_keep_their_own_sound() -> None:
    """Two streams, hops of different length and past, in one padded batch, against each by itself."""
    plain = parts("turbo").s3gen
    padding = S3Gen(plain.flow, plain.vocoder, CPU, buckets=(64, 128))
    calls = []
    real = padding.vocoder_graphs.hops

    def hops(variant: Any, inputs: Any) -> Any:
        calls.append(variant)
        return real(variant, inputs)

    padding.vocoder_graphs.hops = hops  # type: ignore[method-assign,assignment]
    mels = [render_offline("turbo", random_tokens(80))[0] * factor for factor in (1.0, 0.9)]
    ends = [(24, 48, 98, 160), (30, 80, 120, 160)]
    alone, together = ([StreamedVocoder(SeededNoise(seed, CPU)) for seed in range(2)] for _ in range(2))
    for turn in range(4):
        so_far = [mel[:, : end[turn]] for mel, end in zip(mels, ends, strict=True)]
        both = [each.hop(mel) for each, mel in zip(together, so_far, strict=True)]
        batch = padding.vocode_hops(both)
        for padded, ragged in zip(batch, plain.vocode_hops(both), strict=True):
            for one, other in zip(padded, ragged, strict=True):
                torch.testing.assert_close(one, other, atol=5e-4, rtol=0)
        for index, mel in enumerate(so_far):
            own = plain.vocode_hops([alone[index].hop(mel)])[0]
            sound, state = alone[index].accept(mel, own, last=turn == 3)
            other, other_state = together[index].accept(mel, batch[index], last=turn == 3)
            alone[index].commit(state)
            together[index].commit(other_state)
            torch.testing.assert_close(other, sound, atol=5e-4, rtol=0)
    assert calls == [(2, 20), (2, 36), (2, 36), (2, 64)]


def test_hops_grow_and_each_waits_for_three_tokens_more() -> None:
    clock = HopClock()
    assert [count for count in range(500) if clock.is_due(count)] == [15, 27, 52, 102, 202, 302, 402]


def test_a_first_hop_that_could_not_be_faded_in_is_refused() -> None:
    with pytest.raises(ValueError, match="6"):
        HopClock((5, 25))


# In the engine


@pytest.mark.parametrize("model", MODELS)
def test_a_streamed_take_in_one_hop_is_the_offline_take(model: str, tmp_path: Path) -> None:
    """With the watermark on both."""
    engine = tiny_engine(model, tmp_path, watermark=Watermark(CPU), max_tokens=14)  # one less than the first hop needs
    whole, streamed = sound_of(engine.submit(say(model))), sound_of(engine.submit(say(model, streaming=True)))
    engine.close()

    np.testing.assert_array_equal(streamed, whole)


@pytest.mark.parametrize("model", MODELS)
def test_a_streamed_take_has_pieces_before_it_is_complete(model: str, tmp_path: Path) -> None:
    engine = tiny_engine(model, tmp_path, max_tokens=130)
    take = engine.submit(say(model, streaming=True))
    pieces = list(take)
    whole = sound_of(engine.submit(say(model)))
    engine.close()

    assert len(pieces) == 3
    assert len(pieces[0].samples) == (48 - 8) * 480 - round(0.18 * 24_000)
    assert sum(len(piece.samples) for piece in pieces) == len(whole)
    assert set(take.timings) == {"queue_s", "t3_s", "s3gen_s", "vocoder_s", "watermark_s"}


@pytest.mark.slow
def test_the_sound_does_not_depend_on_when_it_was_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered inline; late, in parallel with T3; and late, in a batch with other takes."""
    inline = tiny_engine("turbo", tmp_path, max_tokens=60)
    expected = [sound_of(inline.submit(say("turbo", seed=seed, streaming=True))) for seed in range(2)]
    inline.close()

    render_now = render.Renderer.render

    def render_late(renderer: render.Renderer, jobs: Any) -> None:
        time.sleep(0.02)
        render_now(renderer, jobs)

    monkeypatch.setattr(render.Renderer, "render", render_late)
    threaded = tiny_engine("turbo", tmp_path, slots=4, max_tokens=60)
    threaded._render_queue = RenderQueue(
        threaded._render_queue._render, CPU, in_background=True, more_to_come=lambda: threaded._scheduler.active > 0
    )
    alone = sound_of(threaded.submit(say("turbo", seed=0, streaming=True)))
    takes = [threaded.submit(say("turbo", seed=seed, streaming=seed < 2)) for seed in range(4)]
    together = [sound_of(take) for take in takes]
    threaded.close()

    np.testing.assert_array_equal(alone, expected[0])
    for own, other in zip(expected, together, strict=False):
        np.testing.assert_allclose(other, own, atol=5e-4)  # a batch rounds differently


def test_the_mark_is_found_in_a_stream(tmp_path: Path) -> None:
    watermark = Watermark(CPU)
    engine = tiny_engine("turbo", tmp_path, watermark=watermark, max_tokens=80)
    whole = Audio(sound_of(engine.submit(say("turbo"))), 24_000)
    streamed = Audio(sound_of(engine.submit(say("turbo", streaming=True))), 24_000)
    engine.close()

    assert watermark.detect(whole) > 0.5
    assert watermark.detect(streamed) > 0.5


def test_a_stream_that_is_cancelled_frees_its_slot_and_renders_no_more_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, may_go_on = Slots.step, threading.Event()

    def stop_at_the_second_hop(slots: Slots) -> Tensor:
        if slots._drawn[0] + slots._steps_done >= 35:
            may_go_on.wait(60)
        return step(slots)

    monkeypatch.setattr(Slots, "step", stop_at_the_second_hop)
    engine = tiny_engine("turbo", tmp_path, slots=1, max_tokens=60)
    take = engine.submit(say("turbo", streaming=True))
    reader = iter(take)
    assert len(next(reader).samples)

    take.cancel()
    may_go_on.set()

    with pytest.raises(Cancelled):
        next(reader)
    assert len(sound_of(engine.submit(say("turbo"))))
    assert take._pieces.empty()
    engine.close()
