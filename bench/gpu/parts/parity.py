"""On tiny weights: greedy tokens of upstream's loops, sound against the CPU, rows alone and together, streams."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import torch
from torch import Tensor

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options
from bench.ours import Ours, load_parts, sampling_of
from bench.upstream import Upstream
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.measured_kernels import snr_db
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.s3gen.model import RenderRow, S3Gen
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots

_TOKENS = 120


def cases(options: Options) -> Cases:
    on_gpu = models.device(options).type == "cuda"
    for model in ("multilingual", "turbo", "english", "nano") if on_gpu else models.MODELS:
        yield f"greedy tokens {model}", functools.partial(_greedy, options, model)
    for model in models.MODELS:
        yield f"greedy tokens by own kernels {model}", functools.partial(_own_kernels, options, model)
        yield f"sound by own kernels {model}", functools.partial(_sound_by_own_kernels, options, model)
        yield f"sound on the CPU {model}", functools.partial(_sound, options, model)
        yield f"row in a batch {model}", functools.partial(_batch, options, model)
    for model in models.MODELS:
        yield f"stream {model}", functools.partial(_stream, options, model)


def _greedy(options: Options, model: str) -> dict[str, Any]:
    """Filters that leave only the most probable token make both loops greedy."""
    device = models.device(options)
    given, emotion = sampling_of(model)
    loaded = models.parts(options, model, "tiny", "exact")
    only_best = {"top_k": 1} if loaded.layout.is_gpt else {"min_p": 1.0}
    sampling = dataclasses.replace(given, **only_best)
    upstream = Upstream(models.checkpoint(options, model, "tiny"), device, "tiny")
    theirs = upstream.codes(models.TEXT, sampling, emotion, tokens=_TOKENS, seed=1).tolist()
    ours = _tokens(loaded.t3, loaded, sampling, emotion)
    same = next((at for at, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]), _TOKENS)
    return {"equal": ours == theirs, "equal_tokens": same, "of": _TOKENS}


def _own_kernels(options: Options, model: str) -> dict[str, Any]:
    """With CHATTERBOX_KERNELS=on, against the plain path."""
    models.need_gpu(options)
    sampling, emotion = sampling_of(model)
    loaded = models.parts(options, model, "tiny", "exact")
    plain = _tokens(loaded.t3, loaded, sampling, emotion)
    loaded.t3.kernels = frozenset(Family)
    ours = _tokens(loaded.t3, loaded, sampling, emotion)
    same = next((at for at, pair in enumerate(zip(ours, plain, strict=True)) if pair[0] != pair[1]), _TOKENS)
    return {"equal": ours == plain, "equal_tokens": same, "of": _TOKENS}


def _tokens(t3: Any, loaded: Any, sampling: Sampling, emotion: float | None) -> list[int]:
    voice = loaded.default_voice
    prefix = t3.encode(voice.speaker_emb[0], voice.speech_tokens[0], emotion)
    slots = Slots(t3, 1, prefix.length + 512)
    slots.prefill(0, prefix, models.text_ids(loaded), sampling, 1)
    return [int(slots.step()[0]) for _ in range(_TOKENS)]


def _rows(s3gen: S3Gen, loaded: Any, counts: tuple[int, ...]) -> list[RenderRow]:
    prompt = models.prompt_of(loaded)
    return [
        RenderRow(models.codes_of(count), prompt, models.noise_of(s3gen, count, prompt, seed))
        for seed, count in enumerate(counts)
    ]


def _sound(options: Options, model: str) -> dict[str, Any]:
    """The largest difference between the device's sound and a CPU's, both in float32, from the same noise."""
    here = models.parts(options, model, "tiny", "exact")
    cpu = load_parts(models.checkpoint(options, model, "tiny"), "exact", torch.device("cpu"))
    ours = here.s3gen.speak(_rows(here.s3gen, here, (60,)))[0].cpu()
    theirs = cpu.s3gen.speak(_rows(cpu.s3gen, cpu, (60,)))[0]
    return {"largest_difference": float((ours - theirs).abs().max()), "snr_db": snr_db(theirs, ours)}


def _sound_by_own_kernels(options: Options, model: str) -> dict[str, Any]:
    """With CHATTERBOX_KERNELS=on, against the plain path: two rows' mels, and the sound of the plain path's mels."""
    models.need_gpu(options)
    loaded = models.parts(options, model, "tiny", "exact")
    plain = _mels_and_sounds(loaded.s3gen, loaded, None)
    loaded.s3gen.use_kernels(frozenset(Family))
    ours = _mels_and_sounds(loaded.s3gen, loaded, plain[0])
    figures: dict[str, Any] = {}
    for what, ours_of, plain_of in zip(("mel", "sound"), ours, plain, strict=True):
        pairs = list(zip(ours_of, plain_of, strict=True))
        figures[f"{what}_difference"] = max(float((left - right).abs().max()) for left, right in pairs)
        figures[f"{what}_snr_db"] = min(snr_db(right, left) for left, right in pairs)
    return figures


def _mels_and_sounds(s3gen: S3Gen, loaded: Any, given: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
    """The mels (80, M) of two rows and the sounds (480·M,) of `given` mels, None for these."""
    rows = _rows(s3gen, loaded, (60, 25))
    mels = s3gen.mels([FlowRow(row.tokens, row.prompt, row.noise.mel) for row in rows])
    return mels, s3gen.sounds(mels if given is None else given, [row.noise for row in rows])


def _batch(options: Options, model: str) -> dict[str, Any]:
    """A row of a ragged batch against itself alone."""
    loaded = models.parts(options, model, "tiny", "exact")
    rows = _rows(loaded.s3gen, loaded, (60, 25, 90))
    together, alone = loaded.s3gen.speak(rows)[0].cpu(), loaded.s3gen.speak(rows[:1])[0].cpu()
    return {"largest_difference": float((together - alone).abs().max()), "snr_db": snr_db(alone, together)}


def _stream(options: Options, model: str) -> dict[str, Any]:
    """A streamed take is as long as the whole one; it is made from more passes, so its samples differ."""
    with Ours(models.parts(options, model, "tiny", "exact"), tokens=100) as engine:
        whole, stream = (
            models.wait_all(engine.submit_all([models.TEXT])),
            models.wait_all(engine.submit_all([models.TEXT], streaming=True)),
        )
    lengths = [answer.samples if answer else 0 for answer in (*whole, *stream)]
    return {"equal_length": lengths[0] == lengths[1] > 0, "samples": lengths}
