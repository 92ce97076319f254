"""The fast profile against the exact one: logits along the same tokens, and mels from the same noise."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options
from bench.ours import sampling_of
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.measured_kernels import snr_db
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.t3.sampling import Noise, Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from tools.step_noise import StepNoise

_STEPS = {"full": 300, "tiny": 60}


def cases(options: Options) -> Cases:
    for model in models.MODELS:
        yield f"logits {model}", functools.partial(_logits, options, model)
        yield f"mel {model}", functools.partial(_mel, options, model)
        yield f"mel by own kernels {model}", functools.partial(_mel_by_own_kernels, options, model)


def _logits(options: Options, model: str) -> dict[str, Any]:
    exact, fast = models.profiles(options)
    steps = _STEPS[options.size]
    tokens, reference = _forced(models.parts(options, model, options.size, exact), steps)
    other_parts = models.parts(options, model, options.size, fast)
    noise = StepNoise(functools.partial(_only, tokens), other_parts.t3.vocabulary)
    _, other = _forced(other_parts, steps, noise)
    agree = (reference.argmax(-1) == other.argmax(-1)).float().mean()
    return {
        "profile": fast,
        "finite": bool(torch.isfinite(other).all()),
        "snr_db": snr_db(reference, other),
        "largest_difference": float((reference - other).abs().max()),
        "argmax_agrees": float(agree),
        "steps": steps,
    }


@torch.inference_mode()
def _forced(loaded: Parts, steps: int, noise: Noise | None = None) -> tuple[Tensor, Tensor]:
    """Tokens (steps,) drawn without filters by `noise`, None for the slots' own, and their logits (steps, rows, V)."""
    t3, voice = loaded.t3, loaded.default_voice
    _, emotion = sampling_of(loaded.layout.name)
    prefix = t3.encode(voice.speaker_emb[0], voice.speech_tokens[0], emotion)
    slots = Slots(t3, 1, prefix.length + 640, noise, graphs=False)
    slots.prefill(0, prefix, models.text_ids(loaded), Sampling(), 1)
    tokens, logits = [], []
    for _ in range(steps):
        logits.append(slots.logits[: t3.rows].clone())
        tokens.append(slots.step()[:1].clone())
    return torch.cat(tokens), torch.stack(logits)


def _only(tokens: Tensor, steps: Tensor, vocabulary: int) -> Tensor:
    """Noise that makes a draw, argmax(p / noise), choose the given token at every step."""
    chosen = tokens.to(steps.device)[steps]
    return torch.ones(len(steps), vocabulary, device=steps.device).scatter_(1, chosen[:, None], 1e-30)


def _mel(options: Options, model: str) -> dict[str, Any]:
    return _compare_mels(options, model, kernels=False)


def _mel_by_own_kernels(options: Options, model: str) -> dict[str, Any]:
    """The fast profile with CHATTERBOX_KERNELS=on, against the exact one without."""
    models.need_gpu(options)
    return _compare_mels(options, model, kernels=True)


@torch.inference_mode()
def _compare_mels(options: Options, model: str, *, kernels: bool) -> dict[str, Any]:
    exact, fast = models.profiles(options)
    count = 125 if options.size == "full" else 50
    mels = []
    for profile in (exact, fast):
        loaded = models.parts(options, model, options.size, profile)
        if kernels and profile == fast:
            loaded.s3gen.use_kernels(frozenset(Family))
        prompt = models.prompt_of(loaded)
        noise = models.noise_of(loaded.s3gen, count, prompt, 1)
        mels.append(loaded.s3gen.mels([FlowRow(models.codes_of(count), prompt, noise.mel)])[0].float().cpu())
    return {"profile": fast, "finite": bool(torch.isfinite(mels[1]).all()), "snr_db": snr_db(mels[0], mels[1])}
