"""From a recording to the tensors that condition T3 and S3Gen on its voice.

The arithmetic is upstream's `prepare_conditionals`, resampler by resampler, so that a clip results in the same voice as
in upstream. Emotion is not part of it: it is a sampling parameter of each request. A `Conditioning` is never changed;
copy it to a device where it is needed there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.loudness import at_loudness
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_pickle
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE, Layout
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.errors import InvalidRequest, NotReady

SPEECH_RATE = 16_000
"""Hertz, of the input of the speech tokenizer and of both speaker encoders."""
_FLOW_PROMPT_S = 10  # DEC_COND_LEN
_SHORTEST_S = 0.5  # below it the spectrograms have too few frames
_FIELD = "reference_audio"


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """One voice. CPU tensors; never mutated."""

    speaker_emb: Tensor
    """(1, 256) float32, of norm 1: the voice encoder's, for T3."""
    speech_tokens: Tensor
    """(1, n) int64, n up to `Layout.prompt_tokens`: the start of the recording, for T3."""
    prompt_token: Tensor
    """(1, t) int64, t up to 250: the first 10 s, for the flow."""
    prompt_feat: Tensor
    """(1, 2t or 2t + 1, 80) float32: log mel of the same 10 s."""
    embedding: Tensor
    """(1, 192) float32: the x-vector, for the flow."""

    @classmethod
    def from_upstream(cls, t3: Mapping[str, Any], gen: Mapping[str, Any]) -> Conditioning:
        """From the two halves of upstream's `Conditionals`, as stored in `conds.pt`; its emotion is ignored."""
        return cls(
            speaker_emb=t3["speaker_emb"].reshape(1, -1).float().cpu(),
            speech_tokens=t3["cond_prompt_speech_tokens"].reshape(1, -1).long().cpu(),
            prompt_token=gen["prompt_token"].reshape(1, -1).long().cpu(),
            prompt_feat=gen["prompt_feat"].float().cpu(),
            embedding=gen["embedding"].reshape(1, -1).float().cpu(),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The same as numpy arrays, by field name, as a `ConditioningStore` stores them."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Conditioning:
        """The reverse of `arrays`. Raises KeyError if one is missing."""
        return cls(**{field.name: torch.tensor(arrays[field.name]) for field in fields(cls)})


class Encoders(Protocol):
    """The four networks that encode a recording. Safe to call from any thread."""

    def tokens(self, speech: Samples, *, limit: int | None = None) -> Tensor:
        """Speech tokens (1, n) int64 of a 16 kHz recording; at most `limit`."""

    def flow_prompt(self, speech: Samples) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (1, t), log mel (1, 2t, 80) and x-vector (1, 192) of at most 10 s at 24 kHz."""

    def speaker(self, speech: Samples) -> Tensor:
        """Speaker embedding (1, 256) of a 16 kHz recording of any length."""


def condition(clip: Audio, layout: Layout, encoders: Encoders) -> Conditioning:
    """The voice of `clip`, for the model of `layout`.

    Raises:
        InvalidRequest: the clip is too short for this model, silent, or not finite.
    """
    speech = resample(clip.samples, clip.sample_rate, SAMPLE_RATE)
    _check(speech, layout)
    if layout.loudness_lufs is not None:
        speech = at_loudness(speech, layout.loudness_lufs)
    speech_16k = resample(speech, SAMPLE_RATE, SPEECH_RATE)
    with torch.inference_mode():
        prompt_token, prompt_feat, embedding = encoders.flow_prompt(speech[: _FLOW_PROMPT_S * SAMPLE_RATE])
        start = speech_16k[: round(layout.prompt_s * SPEECH_RATE)]
        tensors = (
            encoders.speaker(speech_16k),
            encoders.tokens(start, limit=layout.prompt_tokens),
            prompt_token,
            prompt_feat,
            embedding,
        )
    return Conditioning(*(tensor.cpu().clone() for tensor in tensors))  # a clone is an ordinary tensor again


def _check(speech: Samples, layout: Layout) -> None:
    duration_s = len(speech) / SAMPLE_RATE
    if duration_s < _SHORTEST_S:
        raise InvalidRequest(
            f"the reference audio is {duration_s:.2f} s long; at least {_SHORTEST_S} s are needed", field=_FIELD
        )
    if layout.reference_min_s and duration_s <= layout.reference_min_s:
        raise InvalidRequest(
            f"the reference audio is {duration_s:.2f} s long; the {layout.name} model needs more than "
            f"{layout.reference_min_s:g} s",
            field=_FIELD,
        )
    if not np.isfinite(speech).all() or not speech.any():
        raise InvalidRequest("the reference audio holds no sound", field=_FIELD)


def resample(samples: Samples, rate: int, target_rate: int) -> Samples:
    """`samples` at `target_rate` (Hertz), as librosa's `resample(res_type="soxr_hq")`: ceil(n * ratio) samples."""
    if rate == target_rate:
        return samples
    count = math.ceil(len(samples) * target_rate / rate)
    resampled: Samples = soxr.resample(samples, rate, target_rate, quality="HQ")[:count]
    return np.pad(resampled, (0, count - len(resampled)))


def load_own_voice(checkpoint: Checkpoint) -> Conditioning | None:
    """The model's built-in voice; None for a model that starts without one."""
    name = checkpoint.layout.conditionals
    if name in checkpoint.layout.optional and name not in checkpoint.files:
        return None
    return load_default_conditionals(checkpoint)


def load_default_conditionals(checkpoint: Checkpoint) -> Conditioning:
    """The model's built-in voice, from `conds.pt`."""
    path = checkpoint.path(checkpoint.layout.conditionals)
    loaded = load_pickle(path)
    try:
        return Conditioning.from_upstream(loaded["t3"], loaded["gen"])
    except (KeyError, TypeError, AttributeError) as error:
        raise NotReady(f"the weights file {path} has no built-in voice: {error!r}") from error
