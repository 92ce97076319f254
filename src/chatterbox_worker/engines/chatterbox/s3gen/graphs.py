"""The flow and the vocoder as CUDA graphs, by the number of rows and the bucket of their length.

The flow has graphs for 1, 2, 4 and 8 rows, because its thousands of small kernels take longer to launch than to run.
The vocoder has them for a single row only: a batch keeps the device busy by itself, and the noise of a batch is a
buffer of a hundred megabytes. On a CPU the same padded shapes run without graphs, for tests; an engine there pads
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Arena, Graphed, Recorder
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, Flow, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME, Vocoder

Variant = tuple[int, int]
"""The number of rows of a graph, and their length in tokens."""

ROW_STEP = 64
"""Tokens: rows of a batch are padded by at most this many, an eighth of a usual row."""
MOST_ROWS = 8
MOST_TOKENS = 4096
"""Per batch, padding included: eight chunks of 10 s with a reference of 10 s."""
BUCKETS = tuple(range(ROW_STEP, 768 + 1, ROW_STEP))
"""A reference of 10 s and 20 s of speech, more than a chunk has."""


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
        """The variant that fits this many rows of at most this many tokens, if it has a graph."""
        bucket = _bucket(self._buckets, tokens)
        variant = 1 << (rows - 1).bit_length(), bucket or 0
        return variant if bucket and rows <= MOST_ROWS and self._graphs.is_ready(variant) else None

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
    def __init__(
        self, vocoder: Vocoder, device: torch.device, buckets: Sequence[int], recorder: Recorder | None
    ) -> None:
        self._vocoder, self._device, self._buckets = vocoder, device, tuple(sorted(buckets))
        self._graphs = Graphed[Variant](self._run, recorder)
        self._arena = Arena()
        self._outputs: dict[Variant, Tensor] = {}

    def variants(self) -> list[Variant]:
        """All variants that may have a graph, short ones before long ones."""
        return [(1, bucket) for bucket in self._buckets]

    def variant_for(self, rows: int, frames: int) -> Variant | None:
        """The variant that fits this many rows of at most this many frames, if it has a graph."""
        bucket = _bucket(self._buckets, -(-frames // FRAMES_PER_TOKEN))
        return (1, bucket) if rows == 1 and bucket and self._graphs.is_ready((1, bucket)) else None

    def __call__(self, variant: Variant, mel: Tensor, phase: Tensor, noise: Tensor, frames: Tensor) -> Tensor:
        """Sound and source, (2, rows, samples), for inputs of the variant's size, as for `Vocoder`.

        The next call overwrites the result.
        """
        self._graphs(variant, mel, phase, noise, frames)
        return self._outputs[variant]

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

    def _run(self, variant: Variant, *tensors: Tensor) -> None:
        output = torch.stack(self._vocoder(*tensors))
        if variant not in self._outputs:
            self._outputs[variant] = self._arena.like("sound", output)
        self._outputs[variant].copy_(output)


def _bucket(buckets: Sequence[int], tokens: int) -> int | None:
    return next((bucket for bucket in buckets if bucket >= tokens), None)
