"""The flow and the vocoder as CUDA graphs, by the number of rows and the bucket of their length.

On a GPU every batch is padded to such a variant, with a graph or without: a new shape costs a search for kernels in
each of the vocoder's 37 kinds of convolution. The flow's rows are padded too, to 1, 2, 4 or 8, because its thousands of
small kernels take longer to launch than to run. The vocoder's are not: a batch keeps the device busy by itself. On a
CPU the same padded shapes run without graphs, for tests; an engine there pads nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Arena, Graphed, Recorder
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, Flow, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HopInputs, vocode
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME, Vocoder

Variant = tuple[int, int]
"""The number of rows of a graph, and their length in tokens."""

ROW_STEP = 64
"""Tokens: rows of a batch are padded by at most this many, an eighth of a usual row."""
MOST_ROWS = 8
MOST_TOKENS = 4096
"""Per batch, padding included: eight chunks of 10 s with a reference of 10 s."""
BUCKETS = tuple(range(ROW_STEP, 768 + 1, ROW_STEP))
"""Captured in advance: a reference of 10 s and 20 s of speech, more than a chunk has."""
HOP_BUCKETS = (12, 20, 36, 64, 112)
"""Tokens: what the hops of `streaming.HOPS` vocode, one after another, rounded up."""
_MOST_CAPTURED = 1024
"""Tokens of a vocoder's batch that is captured: its noise is a buffer of 35 MB then."""


class FlowGraphs:
    def __init__(self, flow: Flow, device: torch.device, buckets: Sequence[int], recorder: Recorder | None) -> None:
        self._flow, self._device, self._buckets = flow, device, tuple(sorted(buckets))
        self._graphs = Graphed[Variant](self._run, recorder)
        self._arena = Arena()
        self._outputs: dict[Variant, Tensor] = {}

    def variants(self) -> list[Variant]:
        """All variants that may have a graph: few rows before many, then short rows before long ones."""
        counts = [1 << bit for bit in range(MOST_ROWS.bit_length())]
        return [(rows, bucket) for rows in counts for bucket in self._buckets if rows * bucket <= MOST_TOKENS]

    def variant_for(self, rows: int, tokens: int) -> Variant | None:
        """The variant that fits this many rows of at most this many tokens; None on a device that pads nothing."""
        bucket = _bucket(self._buckets, tokens)
        if bucket is None:
            return None
        padded = 1 << (rows - 1).bit_length()
        return (padded if padded * bucket <= MOST_TOKENS else rows), bucket

    def wanted(self) -> Callable[[], bool] | None:
        """The capture of a variant that has run twice without a graph, if there is one."""
        return functools.partial(self.warm, wanted[0]) if (wanted := self._graphs.wanted) else None

    def __call__(self, variant: Variant, batch: FlowInputs) -> Tensor:
        """`Flow`'s result for a batch of the variant's size, with lengths; the next call overwrites it."""
        self._graphs(variant, *batch.tensors())
        return self._outputs[variant]

    @torch.inference_mode()
    def warm(self, variant: Variant) -> bool:
        """Capture a variant in advance, if there is memory for it. Returns whether it is ready now."""
        rows, tokens = variant
        count, frames = torch.full((rows,), tokens, device=self._device), tokens * FRAMES_PER_TOKEN
        batch = FlowInputs(
            tokens=torch.zeros(rows, tokens, dtype=torch.int64, device=self._device),
            prompt_mel=torch.zeros(rows, frames, MEL_BANDS, device=self._device),
            embedding=torch.ones(rows, self._flow.embedding_width, device=self._device),
            noise=torch.zeros(rows, MEL_BANDS, frames, device=self._device),
            token_lengths=count,
            frame_lengths=count * FRAMES_PER_TOKEN,
        )
        return self._graphs.capture(variant, *batch.tensors())

    def _run(self, variant: Variant, *tensors: Tensor) -> None:
        mel = self._flow(FlowInputs(*tensors))
        if variant not in self._outputs:  # in the warm-up, before the capture
            self._outputs[variant] = self._arena.like("mel", mel)
        self._outputs[variant].copy_(mel)


class VocoderGraphs:
    """Whole utterances and hops of streams as batches of static shapes."""

    def __init__(
        self, vocoder: Vocoder, device: torch.device, buckets: Sequence[int], recorder: Recorder | None
    ) -> None:
        self._vocoder, self._device, self._buckets = vocoder, device, tuple(sorted(buckets))
        self._graphs = Graphed[Variant](self._run, recorder)
        self._hop_graphs = Graphed[Variant](self._run_hops, recorder)
        self._arena = Arena()
        self._outputs: dict[Variant, Tensor] = {}
        self._hop_outputs: dict[Variant, tuple[Tensor, Tensor, Tensor]] = {}

    def variants(self) -> list[Variant]:
        """The variants of whole utterances that are captured in advance, short ones before long ones."""
        return [(1, bucket) for bucket in self._buckets]

    def hop_variants(self) -> list[Variant]:
        """The variants of hops that are captured in advance, single ones before several."""
        counts = [1 << bit for bit in range(MOST_ROWS.bit_length())] if self._buckets else []
        return [(rows, bucket) for rows in counts for bucket in HOP_BUCKETS]

    def variant_for(self, rows: int, frames: int) -> Variant | None:
        """The variant that fits this many rows of at most this many frames; None on a device that pads nothing."""
        bucket = _bucket(self._buckets, -(-frames // FRAMES_PER_TOKEN))
        return None if bucket is None else (rows, bucket)

    def hop_variant_for(self, rows: int, frames: int) -> Variant | None:
        """The same for hops, whose rows are padded as well."""
        buckets = (*HOP_BUCKETS, *self._buckets) if self._buckets else ()
        bucket = _bucket(buckets, -(-frames // FRAMES_PER_TOKEN))
        return None if bucket is None else (1 << (rows - 1).bit_length(), bucket)

    def wanted(self) -> Callable[[], bool] | None:
        """The capture of a variant that has run twice without a graph, if there is one that is not too large."""
        for graphs, warm in ((self._hop_graphs, self.warm_hops), (self._graphs, self.warm)):
            for rows, tokens in graphs.wanted:
                if rows * tokens <= _MOST_CAPTURED:
                    return functools.partial(warm, (rows, tokens))
        return None

    def __call__(self, variant: Variant, mel: Tensor, phase: Tensor, noise: Tensor, frames: Tensor) -> Tensor:
        """Sound (rows, samples) for inputs of the variant's size, as for `Vocoder`.

        The next call overwrites the result.
        """
        self._graphs(variant, mel, phase, noise, frames)
        return self._outputs[variant]

    def hops(self, variant: Variant, hops: HopInputs) -> tuple[Tensor, Tensor, Tensor]:
        """`streaming.vocode`'s result for inputs of the variant's size; the next call overwrites it."""
        self._hop_graphs(variant, *hops.tensors())
        return self._hop_outputs[variant]

    @torch.inference_mode()
    def warm(self, variant: Variant) -> bool:
        """Capture a variant in advance, if there is memory for it. Returns whether it is ready now."""
        rows, tokens = variant
        frames = tokens * FRAMES_PER_TOKEN
        return self._graphs.capture(
            variant,
            torch.zeros(rows, MEL_BANDS, frames, device=self._device),
            torch.zeros(rows, HARMONICS, device=self._device),
            torch.zeros(rows, HARMONICS, frames * SAMPLES_PER_FRAME, device=self._device),
            torch.full((rows,), frames, device=self._device),
        )

    @torch.inference_mode()
    def warm_hops(self, variant: Variant) -> bool:
        """The same for hops."""
        rows, tokens = variant
        return self._hop_graphs.capture(
            variant, *HopInputs.empty(rows, tokens * FRAMES_PER_TOKEN, self._device).tensors()
        )

    def _run(self, variant: Variant, *tensors: Tensor) -> None:
        sound, _ = self._vocoder(*tensors)
        if variant not in self._outputs:
            self._outputs[variant] = self._arena.like("sound", sound)
        self._outputs[variant].copy_(sound)

    def _run_hops(self, variant: Variant, *tensors: Tensor) -> None:
        sound, source, cycles = vocode(self._vocoder, HopInputs(*tensors))
        if variant not in self._hop_outputs:
            self._hop_outputs[variant] = (
                self._arena.like("hop's sound", sound),
                self._arena.like("hop's source", source),
                self._arena.like("hop's cycles", cycles),
            )
        for buffer, output in zip(self._hop_outputs[variant], (sound, source, cycles), strict=True):
            buffer.copy_(output)


def _bucket(buckets: Sequence[int], tokens: int) -> int | None:
    """The shortest that fits, or beyond all of them the next multiple of `ROW_STEP`; None without buckets."""
    if not buckets:
        return None
    return next((bucket for bucket in buckets if bucket >= tokens), -(-tokens // ROW_STEP) * ROW_STEP)
