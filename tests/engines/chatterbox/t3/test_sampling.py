"""The filters against Hugging Face's processors in upstream's two orders, and the noise against its distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from chatterbox_worker.engines.chatterbox.t3.sampling import (
    CounterNoise,
    Sampling,
    SamplingRows,
    draw,
    filter_gpt2,
    filter_llama,
    guide,
)
from chatterbox_worker.errors import InvalidRequest
from support.counter_noise import counter_noise

CPU = torch.device("cpu")
Filter = Callable[..., Tensor]


def hugging_face(order: Filter, logits: Tensor, seen: Sequence[int], sampling: Sampling) -> Tensor:
    """One row (V,) through the processors that upstream calls, in its order and under its conditions."""
    scores: Tensor = logits[None]
    ids = torch.tensor([list(seen)])
    penalty = RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty))
    if order is filter_llama:
        scores = penalty(ids, scores) / sampling.temperature
        scores = TopPLogitsWarper(sampling.top_p)(ids, MinPLogitsWarper(sampling.min_p)(ids, scores))
        return scores[0]
    scores = TemperatureLogitsWarper(float(sampling.temperature))(ids, scores)
    if sampling.top_k > 0:
        scores = TopKLogitsWarper(sampling.top_k)(ids, scores)
    if sampling.top_p < 1.0:
        scores = TopPLogitsWarper(sampling.top_p)(ids, scores)
    scores = penalty(ids, scores)
    return scores[0]


def ours(order: Filter, rows: Sequence[tuple[Tensor, Sequence[int], Sampling]]) -> Tensor:
    logits = torch.stack([row[0] for row in rows])
    penalties = torch.ones_like(logits)
    for row, (_, ids, sampling) in enumerate(rows):
        penalties[row, list(ids)] = sampling.repetition_penalty
    samplings = [row[2] for row in rows]
    table = SamplingRows.of(samplings, logits.shape[1], CPU)
    return order(logits, penalties, table, sorts=any(sampling.sorts for sampling in samplings))


@st.composite
def cases(draw_: st.DrawFn) -> tuple[Tensor, list[int], Sampling]:
    """Logits of both signs, often tied (multiples of a half), and parameters that include every neutral value."""
    size = 12
    tied = st.integers(-8, 8).map(lambda half: half / 2)
    logits = draw_(
        st.lists(tied if draw_(st.booleans()) else st.floats(-20, 20, width=32), min_size=size, max_size=size)
    )
    return (
        torch.tensor(logits, dtype=torch.float32),
        draw_(st.lists(st.integers(0, size - 1), min_size=1, max_size=5)),
        Sampling(
            temperature=draw_(st.sampled_from([0.05, 0.8, 1.0, 1.7, 5.0])),
            repetition_penalty=draw_(st.sampled_from([0.5, 1.0, 1.2, 2.0])),
            min_p=draw_(st.sampled_from([0.0, 0.05, 0.5, 1.0])),
            top_p=draw_(st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.95, 1.0])),
            top_k=draw_(st.sampled_from([0, 1, 3, 12, 1000])),
        ),
    )


@pytest.mark.parametrize("order", [filter_llama, filter_gpt2])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_rows_with_their_own_parameters_are_filtered_as_hugging_face_filters_each_alone(
    order: Filter, data: st.DataObject
) -> None:
    rows = []
    for logits, seen, sampling in data.draw(st.lists(cases(), min_size=1, max_size=4)):
        unused = {"top_k": 0} if order is filter_llama else {"min_p": 0.0}
        rows.append(
            (logits, seen, Sampling(**{field: getattr(sampling, field) for field in sampling.__slots__} | unused))
        )
    for mine, (logits, seen, sampling) in zip(ours(order, rows), rows, strict=True):
        theirs = hugging_face(order, logits, seen, sampling)
        assert torch.equal(mine.softmax(-1), theirs.softmax(-1)), (
            sampling,
            logits.tolist(),
            mine.tolist(),
            theirs.tolist(),
        )


@pytest.mark.parametrize("order", [filter_llama, filter_gpt2])
def test_a_whole_vocabulary_is_filtered_as_by_hugging_face(order: Filter) -> None:
    generator = torch.Generator().manual_seed(1)
    sampling = Sampling(
        temperature=0.8,
        repetition_penalty=1.2,
        min_p=0.05 * (order is filter_llama),
        top_p=0.95,
        top_k=1000 * (order is filter_gpt2),
    )
    rows = [(torch.randn(8194, generator=generator) * scale, [6561, 5, 6], sampling) for scale in (0.1, 1.0, 4.0, 12.0)]
    for mine, (logits, seen, _) in zip(ours(order, rows), rows, strict=True):
        assert torch.equal(mine, hugging_face(order, logits, seen, sampling))


def test_the_draw_is_torch_multinomials_for_the_same_noise() -> None:
    logits = torch.randn(20, 500, generator=torch.Generator().manual_seed(1)) * 3
    theirs = torch.multinomial(logits.softmax(-1), 1, generator=torch.Generator().manual_seed(2))[:, 0]
    noise = torch.empty(20, 500).exponential_(generator=torch.Generator().manual_seed(2))
    assert torch.equal(draw(logits, noise, SamplingRows.of([Sampling()] * 20, 500, CPU)), theirs)


@pytest.mark.parametrize("order", [filter_llama, filter_gpt2])
def test_temperature_0_takes_the_most_probable_token_in_a_batch_with_rows_that_draw(order: Filter) -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    samplings = [Sampling(temperature=temperature) for temperature in (0.0, 9.0, 1e-300)]  # the last is 0 in float32
    rows = SamplingRows.of(samplings, 50, CPU)
    filtered = order(logits, torch.ones(3, 50), rows, sorts=False)
    noise = [counter_noise(torch.ones(3, dtype=torch.int64), torch.full((3,), step), 50) for step in range(40)]
    drawn = torch.stack([draw(filtered, each, rows) for each in noise])
    assert (drawn[:, [0, 2]] == logits[[0, 2]].argmax(-1)).all()
    assert len(set(drawn[:, 1].tolist())) > 10


def test_guidance_of_0_is_the_conditional_row_itself() -> None:
    conditional, unconditional = torch.randn(2, 1, 50, generator=torch.Generator().manual_seed(1))
    assert torch.equal(guide(conditional, unconditional, torch.tensor([[0.0]])), conditional)
    assert torch.equal(
        guide(conditional, unconditional, torch.tensor([[0.5]])), conditional + 0.5 * (conditional - unconditional)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -0.1), ("temperature", math.nan), ("temperature", math.inf), ("repetition_penalty", 0.0),
     ("min_p", 1.1), ("top_p", -0.1), ("top_p", 1.1), ("top_k", -1), ("cfg_weight", -1.0), ("cfg_weight", math.inf)],
)  # fmt: skip
def test_a_parameter_out_of_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=name) as error:
        Sampling(**{name: value})  # type: ignore[arg-type]
    assert error.value.field == name


def uniform(noise: Tensor) -> Tensor:
    """Exp(1) back to uniform on (0, 1)."""
    return torch.exp(-noise.double())


def chi_square(values: Tensor, bins: int) -> float:
    """Of uniform values, in standard deviations from the expected value.

    Chi-square has mean bins - 1 and variance 2 (bins - 1).
    """
    counts = torch.histc(values.float(), bins=bins, min=0.0, max=1.0)
    expected = values.numel() / bins
    return float((((counts - expected) ** 2).sum() / expected - (bins - 1)) / math.sqrt(2 * (bins - 1)))


def test_noise_is_exponential_with_mean_and_variance_1() -> None:
    noise = counter_noise(torch.arange(100), torch.arange(100), 8194)
    count = noise.numel()
    assert noise.dtype == torch.float32
    assert (noise > 0).all()
    assert noise.isfinite().all()
    assert abs(float(noise.double().mean()) - 1) < 5 / math.sqrt(count)
    assert abs(float(noise.double().var()) - 1) < 5 * math.sqrt(8 / count)  # the fourth central moment of Exp(1) is 9
    assert abs(chi_square(uniform(noise), 1000)) < 5
    ordered = uniform(noise).flatten().sort().values
    distance = (ordered - torch.arange(1, count + 1) / count).abs().max()
    assert float(distance) < 1.95 / math.sqrt(count)  # Kolmogorov-Smirnov, one in a thousand


@pytest.mark.parametrize("along", ["seed", "step", "token"])
def test_noise_has_no_correlation_between_neighbours(along: str) -> None:
    seeds, steps = (torch.cartesian_prod(torch.arange(64), torch.arange(64))).unbind(1)
    grid = uniform(counter_noise(seeds, steps, 200)).view(64, 64, 200) - 0.5
    dim = {"seed": 0, "step": 1, "token": 2}[along]
    for lag in (1, 2, 3, 8, 32):
        size = grid.shape[dim] - lag
        product = grid.narrow(dim, 0, size) * grid.narrow(dim, lag, size)
        assert abs(float(product.mean())) * 12 < 5 / math.sqrt(product.numel())  # 1/12 is the variance of either factor
    sums = grid.mean(tuple(d for d in range(3) if d != dim)) * math.sqrt(12 * grid.numel() / grid.shape[dim])
    assert float(sums.abs().max()) < 5  # no seed, step or token is favoured


def test_noise_of_a_row_depends_on_nothing_but_its_seed_and_step() -> None:
    alone = counter_noise(torch.tensor([7]), torch.tensor([3]), 100)
    together = counter_noise(torch.tensor([1, 7, 2**32 - 1]), torch.tensor([9, 3, 0]), 6563)
    assert torch.equal(alone[0], together[1, :100])


def test_noise_is_splitmix64_in_plain_integers() -> None:
    """The same numbers on every device: wrapping 64-bit arithmetic and the top 23 bits, here without tensors."""
    wrap = (1 << 64) - 1

    def mix(x: int) -> int:
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & wrap
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & wrap
        return x ^ (x >> 31)

    golden, seed, step = 0x9E3779B97F4A7C15, 2**32 - 1, 999
    key = mix((mix((seed * golden) & wrap) + step * golden) & wrap)
    bits = [mix((key + (token + 1) * golden) & wrap) >> 41 for token in range(50)]
    expected = torch.tensor([-math.log((value + 0.5) * 2.0**-23) for value in bits])
    torch.testing.assert_close(counter_noise(torch.tensor([seed]), torch.tensor([step]), 50)[0], expected)


def test_noise_with_keys_made_in_advance_is_the_same_noise() -> None:
    noise, steps = CounterNoise(3, 20, 100, CPU), torch.tensor([4, 19])
    for slot, seed in enumerate((7, 2**32 - 1, 5)):
        noise.seed(slot, seed)
    assert torch.equal(noise(steps), counter_noise(torch.tensor([7, 2**32 - 1]), steps, 100))
    noise.seed(0, 9)
    assert torch.equal(noise(steps)[:1], counter_noise(torch.tensor([9]), steps[:1], 100))
