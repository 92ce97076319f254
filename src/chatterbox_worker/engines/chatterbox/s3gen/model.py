"""Speech tokens to sound: the flow, then the vocoder, for a batch of rows.

`S3Gen` packs ragged rows, pads them to a bucket that has a graph, and unpacks the results. Its parts are pure functions
of tensors; all noise is drawn in advance, row by row (`noise`), so a row sounds the same alone and in a batch.
Watermarking is elsewhere. Not safe for two threads at once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict, TensorProvider, build_tensor
from chatterbox_worker.engines.chatterbox.device.graphs import recorder_of
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.flow import Flow, FlowRow, Prompt, pack_rows, unpack_mels
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.graphs import FlowGraphs, VocoderGraphs
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise
from chatterbox_worker.engines.chatterbox.s3gen.overflow import with_dtype
from chatterbox_worker.engines.chatterbox.s3gen.streaming import Hop, pack_hops, vocode
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLE_RATE, SAMPLES_PER_FRAME, Vocoder

log = logging.getLogger(__name__)

Profile = Literal["exact", "fast", "int8", "nf4"]

_FADE = SAMPLE_RATE // 50  # 20 ms muted, then 20 ms of a rising cosine, against "spillover" from the reference


@dataclass(frozen=True, slots=True, eq=False)
class RenderRow:
    """One utterance to render."""

    tokens: Tensor
    """(T,) int64 speech codes below 6561, at least one."""
    prompt: Prompt
    noise: Noise


class S3Gen:
    """A flow and a vocoder."""

    def __init__(
        self, flow: Flow, vocoder: Vocoder, device: torch.device, *, buckets: Sequence[int] = (), graphs: bool = True
    ) -> None:
        """`buckets`: the row lengths in tokens, prompt included, that batches are padded to; none to pad nothing.

        `graphs`: whether a GPU replays graphs of padded batches.
        """
        self.flow, self.vocoder, self.device = flow, vocoder, device
        recorder = recorder_of(device, "sound") if buckets and graphs else None
        self.flow_graphs = FlowGraphs(flow, device, buckets, recorder)
        self.vocoder_graphs = VocoderGraphs(vocoder, device, buckets, recorder)
        rise = (torch.cos(torch.linspace(math.pi, 0, _FADE)) + 1) / 2
        self._fade = torch.cat([torch.zeros(_FADE), rise]).to(device)

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Tensor],
        *,
        device: torch.device,
        profile: Profile = "exact",
        buckets: Sequence[int] = (),
        graphs: bool = True,
        provide: TensorProvider = build_tensor,
    ) -> S3Gen:
        """From a hub checkpoint's state dict (`s3gen.safetensors`, `s3gen.pt` or `s3gen_meanflow.safetensors`).

        "exact" is float32. On a GPU all others store the flow in float16, as CosyVoice serves the same flow. "int8"
        stores it in bfloat16 on a CPU that multiplies bfloat16 natively. Pitch and vocoder stay float32, because
        rounding shifts phases. Keys of other parts are ignored. `buckets` and `graphs`: as for `S3Gen`. `provide`: see
        `state_dict`.

        Raises KeyError if a tensor is missing.
        """
        weights = StateDict(state, device, _flow_dtype(profile, device), provide=provide)
        return cls(
            Flow(weights.scope("flow")), Vocoder(weights.scope("mel2wav")), device, buckets=buckets, graphs=graphs
        )

    def use_kernels(self, chosen: frozenset[Family]) -> None:
        """Run these of the project's own kernels from now on, on a GPU; before anything is captured."""
        self.flow.kernels, self.vocoder.uses_kernels = chosen, Family.SOUND in chosen

    def compile_kernels(self, chosen: frozenset[Family]) -> None:
        """Compile these kernels, for a model on the meta device."""
        for dtype in {self.flow.dtype, torch.bfloat16}:  # a mel that overflows in float16 is computed once more
            operators.compile_kernels(self.flow.width, dtype, chosen)

    @torch.inference_mode()
    def speak(self, rows: Sequence[RenderRow]) -> list[Tensor]:
        """Render whole utterances, faded in: each row's sound (480·frames,), float32, on the device; not watermarked.

        Raises ValueError for a row that does not fit.
        """
        mels = self.mels([FlowRow(row.tokens, row.prompt, row.noise.mel) for row in rows])
        return [self.fade_in(sound) for sound in self.sounds(mels, [row.noise for row in rows])]

    @torch.inference_mode()
    def mels(self, rows: Sequence[FlowRow]) -> list[Tensor]:
        """Each row's mel (80, frames), without the prompt's.

        A mel that overflowed in float16 is computed once more in bfloat16, which has the range of float32.
        """
        mels = self._mels(rows)
        if self.flow.dtype is not torch.float16:
            return mels
        finite = torch.stack([mel.isfinite().all() for mel in mels]).tolist()
        bad = [index for index, is_finite in enumerate(finite) if not is_finite]
        if bad:
            log.warning("%d of %d mels overflowed in float16 and are computed again in bfloat16", len(bad), len(mels))
            again = [rows[index] for index in bad]
            repeated = unpack_mels(self._wide_flow(pack_rows(again, self.device)), again)
            for index, mel in zip(bad, repeated, strict=True):
                mels[index] = mel
        return mels

    def _mels(self, rows: Sequence[FlowRow]) -> list[Tensor]:
        variant = self.flow_graphs.variant_for(len(rows), max(row.token_count for row in rows))
        if variant is None:
            return unpack_mels(self.flow(pack_rows(rows, self.device)), rows)
        padded = [*rows, *[rows[-1]] * (variant[0] - len(rows))]
        return unpack_mels(self.flow_graphs(variant, pack_rows(padded, self.device, tokens=variant[1])).clone(), rows)

    @cached_property
    def _wide_flow(self) -> Flow:
        return with_dtype(self.flow, torch.bfloat16)

    @torch.inference_mode()
    def sounds(self, mels: Sequence[Tensor], noises: Sequence[Noise]) -> list[Tensor]:
        """Each row's sound (480·frames,) from its mel (80, frames); not faded.

        Raises ValueError if a row has less source noise than mel.
        """
        counts = [mel.shape[1] for mel in mels]
        variant = self.vocoder_graphs.variant_for(len(mels), max(counts))
        size = max(counts) if variant is None else FRAMES_PER_TOKEN * variant[1]
        mel = torch.zeros(len(mels), mels[0].shape[0], size, device=self.device)
        source_noise = torch.zeros(len(mels), HARMONICS, size * SAMPLES_PER_FRAME, device=self.device)
        for index, (own, noise) in enumerate(zip(mels, noises, strict=True)):
            samples = counts[index] * SAMPLES_PER_FRAME
            if noise.source.shape[1] < samples:
                raise ValueError(f"{samples} samples need more source noise than {noise.source.shape[1]}")
            mel[index, :, : counts[index]] = own
            source_noise[index, :, :samples] = noise.source[:, :samples]
        phase = torch.stack([noise.phase for noise in noises])
        if variant is not None:
            frames = torch.tensor(counts, device=self.device)
            sound = self.vocoder_graphs(variant, mel, phase, source_noise, frames).clone()
        else:
            ragged = None if min(counts) == size else torch.tensor(counts, device=self.device)
            sound, _ = self.vocoder(mel, phase, source_noise, ragged)
        return [sound[index, : count * SAMPLES_PER_FRAME] for index, count in enumerate(counts)]

    @torch.inference_mode()
    def vocode_hops(self, hops: Sequence[Hop]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """What each of several streams' hops became, for `StreamedVocoder.accept`."""
        longest = max(hop.frames for hop in hops)
        variant = self.vocoder_graphs.hop_variant_for(len(hops), longest)
        rows, frames = (len(hops), longest) if variant is None else (variant[0], FRAMES_PER_TOKEN * variant[1])
        batch = pack_hops(hops, rows, frames, padded=variant is not None)
        made = vocode(self.vocoder, batch) if variant is None else self.vocoder_graphs.hops(variant, batch)
        sound, source, cycles = (each.clone() for each in made)  # the next batch overwrites a graph's results
        ends = [hop.frames * SAMPLES_PER_FRAME for hop in hops]
        return [(sound[index, :end], source[index, :end], cycles[index]) for index, end in enumerate(ends)]

    def fade_in(self, sound: Tensor) -> Tensor:
        """The beginning of an utterance, muted for 20 ms and faded in over the next 20."""
        size = min(len(self._fade), len(sound))
        return torch.cat([sound[:size] * self._fade[:size], sound[size:]])


def _flow_dtype(profile: Profile, device: torch.device) -> torch.dtype:
    if profile != "exact" and device.type != "cpu":
        return torch.float16
    if profile == "int8" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16  # without such instructions it is several times slower than float32
    return torch.float32
