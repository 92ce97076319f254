"""The project's own kernels against what runs without them, at the shapes of use: which of them a GPU should run.

Every variant of a case is a graph, as in an engine; the variants take turns, and the least time of each counts. On a
CPU all variants are the plain path, so their times mean nothing there.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.failures import free_memory, is_out_of_memory, run
from chatterbox_worker.engines.chatterbox.device.graphs import recorder_of
from chatterbox_worker.engines.chatterbox.device.streams import finish_stream, work_on_stream
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.kernels.operators import LEAST_FRAMES
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME
from chatterbox_worker.engines.chatterbox.t3.model import T3

log = logging.getLogger(__name__)

Kernels = frozenset[Family]
_STEP_ROWS = (1, 2, 4, 8, 16)  # those whose products have kernels
_STEPS = {8: Family.STEP_OF_8, 16: Family.STEP_OF_16}
_SHARE = 0.97
"""Of the time without it that a family takes at most on average; in no case it takes as much more. Less is chance."""
_LEAST_SNR_DB = 20.0
"""Between results: other roundings leave 25 dB (T3's logits, 30 layers of bfloat16) and more, an error about 0."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is measured, and how often."""

    positions: int = 512
    """Of a step's context; three quarters of them are filled."""
    flow_tokens: int = 448
    """5 s and a prompt of 10 s, in their bucket."""
    spoken_tokens: int = 128
    turns: int = 3
    replays: int = 5
    """In a turn, for a mean."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What a family brought in one case."""

    ratio: float
    """Its time over that without it."""
    snr_db: float
    """Power of the plain result over that of the difference."""
    right: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A case with more and more families."""

    milliseconds: Mapping[str, float]
    """`plain`, and by the name of the family that was added."""
    gains: Mapping[Family, Gain]


@dataclass(frozen=True, slots=True)
class Verdict:
    proven: bool
    mean: float
    """Geometric mean of the ratios."""


def measure(t3: T3, s3gen: S3Gen) -> Kernels:
    """The families that are right and faster on this device; a case for which memory is missing proves nothing.

    Afterwards the models run the plain path, and the memory is free.

    Raises what a kernel raises that cannot be compiled or launched, and the failure of a device.
    """
    started_s = time.perf_counter()
    gains: dict[Family, list[Gain]] = {family: [] for family in Family}
    with work_on_stream(t3.device, "sound", "measured kernels"):
        for case in _cases(t3, s3gen):
            for family, gain in _gains_of(case).items():
                gains[family].append(gain)
    verdicts = {family: judge(found) for family, found in gains.items() if found}
    proven = frozenset(family for family, verdict in verdicts.items() if verdict.proven)
    if Family.STEP not in proven:  # without it, those for more rows do nothing
        proven -= set(_STEPS.values())
    log.info(
        "kernels measured in %.1f s (share of the time without them: %s); CHATTERBOX_KERNELS=%s chooses the same",
        time.perf_counter() - started_s,
        ", ".join(f"{family.name.lower()} {verdict.mean:.2f}" for family, verdict in verdicts.items()) or "none",
        ",".join(family.name.lower() for family in Family if family in proven) or "off",
    )
    return proven


def _cases(t3: T3, s3gen: S3Gen) -> Iterator[Callable[[], Comparison]]:
    shapes = Shapes()
    for rows in _STEP_ROWS:
        if rows % t3.rows == 0:
            yield functools.partial(compare_step, t3, rows, shapes)
    frames = FRAMES_PER_TOKEN * shapes.flow_tokens * (1 if s3gen.flow.meanflow else 2)
    many = math.ceil(LEAST_FRAMES / frames)
    yield functools.partial(compare_flow, s3gen, 1, shapes, [Family.SOUND])
    yield functools.partial(compare_flow, s3gen, many, shapes, [Family.SOUND, Family.FEED_FORWARD])
    yield functools.partial(compare_vocoder, s3gen, shapes)


def _gains_of(case: Callable[[], Comparison]) -> Mapping[Family, Gain]:
    found = list[Comparison]()
    failure = run(lambda: found.append(case()))
    free_memory()
    if failure is None:
        return found[0].gains
    if not is_out_of_memory(failure):
        raise failure
    log.info("there is not enough memory to measure kernels at one of their shapes")
    return {}


@torch.inference_mode()
def compare_step(t3: T3, rows: int, shapes: Shapes) -> Comparison:
    """Transformer and head for one position of so many rows, with a cache of random keys and values."""
    length, random = shapes.positions, _random(t3.device)
    cache = t3.cache(rows, length)
    cache.copy_(random(1, *cache.shape[1:]))
    x, positions = random(rows, 1, t3.width).to(t3.dtype), torch.full((rows, 1), length * 3 // 4, device=t3.device)
    starts = t3.row_starts(cache)

    def work(kernels: Kernels) -> Tensor:
        t3.kernels = kernels
        return t3.logits(t3.forward(x, cache, positions, length, row_starts=starts)[:, 0])

    families = [Family.STEP, *([_STEPS[rows]] if rows in _STEPS else [])]
    try:
        return _compare(t3.device, work, families, shapes)
    finally:
        t3.kernels = frozenset()


@torch.inference_mode()
def compare_flow(s3gen: S3Gen, rows: int, shapes: Shapes, families: Sequence[Family]) -> Comparison:
    """The flow of so many utterances, of nearly a whole bucket."""
    tokens, random = shapes.flow_tokens, _random(s3gen.device)
    frames = FRAMES_PER_TOKEN * tokens
    batch = FlowInputs(
        tokens=(torch.arange(rows * tokens, device=s3gen.device) * 7 % 6561).view(rows, tokens),
        prompt_mel=random(rows, frames, MEL_BANDS),
        embedding=random(rows, s3gen.flow.embedding_width),
        noise=random(rows, MEL_BANDS, frames),
        token_lengths=torch.full((rows,), tokens - 3, device=s3gen.device),
        frame_lengths=torch.full((rows,), frames - 6, device=s3gen.device),
    )
    return _compare_sound(s3gen, lambda: s3gen.flow(batch), families, shapes)


@torch.inference_mode()
def compare_vocoder(s3gen: S3Gen, shapes: Shapes) -> Comparison:
    """The vocoder of one utterance."""
    frames, random = FRAMES_PER_TOKEN * shapes.spoken_tokens, _random(s3gen.device)
    count = torch.full((1,), frames - 1, device=s3gen.device)
    inputs = random(1, MEL_BANDS, frames), random(1, HARMONICS), random(1, HARMONICS, SAMPLES_PER_FRAME * frames)
    return _compare_sound(s3gen, lambda: s3gen.vocoder(*inputs, count)[0], [Family.SOUND], shapes)


def judge(gains: Sequence[Gain]) -> Verdict:
    """Of one family's gains in all cases, at least one. It is proven if it is always right, and faster (`_SHARE`)."""
    ratios = [gain.ratio for gain in gains]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    is_proven = all(gain.right for gain in gains) and mean <= _SHARE and max(ratios) <= 1 / _SHARE
    return Verdict(is_proven, mean)


def snr_db(reference: Tensor, other: Tensor) -> float:
    """Power of `reference` over that of the difference, in dB; infinite if they are equal."""
    reference, other = reference.double().cpu(), other.double().cpu()
    difference = (reference - other).square().sum()
    return float(10 * torch.log10(reference.square().sum() / difference)) if difference > 0 else math.inf


def _compare_sound(s3gen: S3Gen, speak: Callable[[], Tensor], families: Sequence[Family], shapes: Shapes) -> Comparison:
    def work(kernels: Kernels) -> Tensor:
        s3gen.use_kernels(kernels)
        return speak()

    try:
        return _compare(s3gen.device, work, families, shapes)
    finally:
        s3gen.use_kernels(frozenset())


def _random(device: torch.device) -> Callable[..., Tensor]:
    """Normal numbers, the same ones at every call of the case."""
    return functools.partial(torch.randn, generator=torch.Generator(device).manual_seed(1), device=device)


def _compare(
    device: torch.device, work: Callable[[Kernels], Tensor], families: Sequence[Family], shapes: Shapes
) -> Comparison:
    """Without kernels and with each family added to those before it."""
    variants = [_prepare(device, work, frozenset(families[:count])) for count in range(len(families) + 1)]
    least_ms, (plain, *results) = [math.inf] * len(variants), [result for _, result in variants]
    for _ in range(shapes.turns):
        for index, (replay, _) in enumerate(variants):
            least_ms[index] = min(least_ms[index], _milliseconds(device, replay, shapes.replays))
    gains = {}
    for family, result, before_ms, after_ms in zip(families, results, least_ms, least_ms[1:], strict=False):
        distance_db = snr_db(plain, result)
        right = distance_db >= _LEAST_SNR_DB and bool(result.isfinite().all())
        gains[family] = Gain(after_ms / before_ms, distance_db, right)
    names = ["plain", *(family.name for family in families)]
    return Comparison(dict(zip(names, least_ms, strict=True)), gains)


def _prepare(
    device: torch.device, work: Callable[[Kernels], Tensor], kernels: Kernels
) -> tuple[Callable[[], None], Tensor]:
    """Work that writes its result to a tensor, replayed by a graph if the device has graphs, and that tensor."""
    result = work(kernels).clone()

    def write() -> None:
        result.copy_(work(kernels))

    if (recorder := recorder_of(device, "sound")) is None:
        return write, result
    replay = recorder.record(write, lambda: None)
    result.zero_()
    replay()
    return replay, result


def _milliseconds(device: torch.device, replay: Callable[[], None], replays: int) -> float:
    """Of one replay, the mean of a few that follow each other."""
    finish_stream(device)
    started_s = time.perf_counter()
    for _ in range(replays):
        replay()
    finish_stream(device)
    return 1000 * (time.perf_counter() - started_s) / replays
