"""Speech tokens to mel: flow matching, solved with a few Euler steps (upstream's CausalMaskedDiffWithXvec).

The distilled meanflow models (turbo, nano) take 2 linear steps; the others 10 on a cosine schedule, guided. `Flow` is
a pure function of tensors with static shapes: no randomness, no host sync, no branch on data, so it can be captured
in a CUDA graph. `pack_rows` packs ragged rows into such tensors. A row's mel does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.estimator import Estimator
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS, FlowEncoder
from chatterbox_worker.engines.chatterbox.s3gen.frames import Keys, linear, valid

MEL_BANDS = 80
GUIDANCE = 0.7  # CFM_PARAMS.inference_cfg_rate
STEPS = 10  # S3Token2Wav.flow_inference
MEANFLOW_STEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """The reference clip as the flow takes it."""

    tokens: Tensor
    """(P,) int64 speech tokens."""
    mel: Tensor
    """(F, 80) log-mel at 50 Hz; F is 2P, or 2P + 1 if the clip ended within a token."""
    embedding: Tensor
    """(192,) speaker embedding; its length does not matter."""


@dataclass(frozen=True, slots=True, eq=False)
class FlowRow:
    """One utterance to convert to mel."""

    tokens: Tensor
    """(T,) int64, at least one."""
    prompt: Prompt
    noise: Tensor
    """(80, >= 2(P+T)) normal noise by absolute frame, the prompt's first; columns beyond are not read."""
    finalize: bool = True
    """False while more tokens will follow: the last 3 tokens are look-ahead only and get no frames."""

    @property
    def token_count(self) -> int:
        return len(self.prompt.tokens) + len(self.tokens)

    @property
    def frame_count(self) -> int:
        """Frames solved, the prompt's included."""
        return FRAMES_PER_TOKEN * (self.token_count - (0 if self.finalize else LOOKAHEAD_TOKENS))


@dataclass(frozen=True, slots=True, eq=False)
class FlowInputs:
    """A batch of B rows in N tokens and M <= 2N frames, right-padded; prompt and utterance of a row are adjacent."""

    tokens: Tensor
    """(B, N) int64, zero beyond the row's end."""
    prompt_mel: Tensor
    """(B, M, 80), zero beyond the row's prompt."""
    embedding: Tensor
    """(B, 192)."""
    noise: Tensor
    """(B, 80, M)."""
    token_lengths: Tensor | None = None
    """(B,) int64; None if every row is full."""
    frame_lengths: Tensor | None = None
    """(B,) int64; None if every row is full."""

    def tensors(self) -> tuple[Tensor, ...]:
        """The fields in order; without the lengths if every row is full."""
        lengths = (self.token_lengths, self.frame_lengths)
        return (
            self.tokens,
            self.prompt_mel,
            self.embedding,
            self.noise,
            *(each for each in lengths if each is not None),
        )


def pack_rows(rows: Sequence[FlowRow], device: torch.device, *, tokens: int | None = None) -> FlowInputs:
    """The rows as one batch on `device`; `tokens` pads to that many tokens per row, and the batch then has lengths.

    Raises ValueError for a row that is longer than `tokens` or whose noise is too short.
    """
    size = max(row.token_count for row in rows) if tokens is None else tokens
    frames = max(row.frame_count for row in rows) if tokens is None else size * FRAMES_PER_TOKEN
    ids = torch.zeros(len(rows), size, dtype=torch.int64)
    mel = torch.zeros(len(rows), frames, MEL_BANDS, device=device)
    noise = torch.zeros(len(rows), MEL_BANDS, frames, device=device)
    for index, row in enumerate(rows):
        if row.token_count > size:
            raise ValueError(f"a row of {row.token_count} tokens does not fit into {size}")
        if row.noise.shape[1] < row.frame_count:
            raise ValueError(f"a row of {row.frame_count} frames needs more noise than {row.noise.shape[1]}")
        ids[index, : row.token_count] = torch.cat([row.prompt.tokens.cpu(), row.tokens.cpu()])
        mel[index, : len(row.prompt.mel)] = row.prompt.mel
        noise[index, :, : row.frame_count] = row.noise[:, : row.frame_count]
    full = tokens is None and all(row.token_count == size and row.frame_count == frames for row in rows)
    return FlowInputs(
        tokens=ids.to(device),
        prompt_mel=mel,
        embedding=torch.stack([row.prompt.embedding.reshape(-1).to(device) for row in rows]),
        noise=noise,
        token_lengths=None if full else torch.tensor([row.token_count for row in rows], device=device),
        frame_lengths=None if full else torch.tensor([row.frame_count for row in rows], device=device),
    )


def unpack_mels(mel: Tensor, rows: Sequence[FlowRow]) -> list[Tensor]:
    """Each row's own mel (80, frames) from the flow's result (B, 80, M): without prompt, without padding."""
    return [mel[index, :, len(row.prompt.mel) : row.frame_count] for index, row in enumerate(rows)]


class Flow:
    """From `flow.*` of a hub checkpoint; the estimator's weights show whether it is a meanflow model."""

    def __init__(self, state: StateDict, *, steps: int | None = None, folds_biases: bool | None = None) -> None:
        """`folds_biases`: as for `Estimator`."""
        decoder = state.scope("decoder.estimator")
        self._embedding = state["input_embedding.weight"]
        self._encoder = FlowEncoder(state.scope("encoder"))
        self._project = state.affine("encoder_proj")
        self._speaker = state.affine("spk_embed_affine_layer")
        self._estimator = Estimator(decoder, folds_biases=folds_biases)
        self.meanflow = self._estimator.meanflow
        times = _times(steps or (MEANFLOW_STEPS if self.meanflow else STEPS), cosine=not self.meanflow)
        self._shifts = self._estimator.schedule(times.to(state.device))
        self._spans = [float(end - start) for start, end in pairwise(times)]
        self.kernels: frozenset[Family] = frozenset()
        """Those that the estimator on a GPU runs instead of torch's."""

    @property
    def dtype(self) -> torch.dtype:
        return self._embedding.dtype

    @property
    def width(self) -> int:
        """Of the estimator."""
        return self._estimator.width

    @property
    def embedding_width(self) -> int:
        """Of the speaker embedding."""
        return self._speaker.weight.shape[1]

    @torch.inference_mode()
    def __call__(self, batch: FlowInputs) -> Tensor:
        """Mel (B, 80, M), float32, the prompt's frames included and zero at padding."""
        features = self.encode(batch.tokens, batch.token_lengths)[:, : batch.noise.shape[2]]
        speakers = self._speakers(batch.embedding)[:, None].expand(-1, features.shape[1], -1)
        context = torch.cat([features, speakers, batch.prompt_mel.to(features.dtype)], dim=2)
        mel = self.solve(batch.noise.transpose(1, 2).float(), context, batch.frame_lengths)
        return mel.transpose(1, 2).contiguous()

    @torch.inference_mode()
    def encode(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tokens (B, N) to features (B, 2N, 80), undefined beyond a row's end."""
        return linear(self._encoder(F.embedding(tokens, self._embedding), lengths), self._project)

    @torch.inference_mode()
    def solve(self, x: Tensor, context: Tensor, lengths: Tensor | None = None, *, steps: int | None = None) -> Tensor:
        """Integrate noise x (B, M, 80) to mel (B, M, 80), float32, in the field conditioned on `context` (B, M, 240).

        `steps` stops early, after that many steps of the schedule.
        """
        inside = None if lengths is None else valid(lengths, x.shape[1])
        halves = 1 if self.meanflow else 2  # meanflow models were distilled from guided ones
        keys = Keys.of(None if lengths is None else lengths.repeat(halves), x.shape[1], context.dtype)
        # the estimator's input: the state, then its conditions, which are zero in the unconditional half
        inputs = context.new_zeros(halves, *context.shape[:2], MEL_BANDS + context.shape[2])
        inputs[0, :, :, MEL_BANDS:] = context
        kernels = self.kernels if x.is_cuda else frozenset()
        for shifts, span in list(zip(self._shifts, self._spans, strict=True))[:steps]:
            inputs[..., :MEL_BANDS] = x
            velocity = self._estimator(inputs.flatten(0, 1), shifts, keys, kernels=kernels)
            if halves == 1:
                x = x.add(velocity, alpha=span)
            else:  # x + span ((1 + w) c - w u)
                conditional, unconditional = velocity.chunk(2)
                x = x.add(conditional, alpha=span * (1.0 + GUIDANCE)).sub_(unconditional, alpha=span * GUIDANCE)
        return x if inside is None else x * inside[:, :, None]

    def _speakers(self, embedding: Tensor) -> Tensor:
        return linear(F.normalize(embedding.float(), dim=1).to(self.dtype), self._speaker)


def _times(steps: int, *, cosine: bool) -> Tensor:
    """(steps + 1,) times from 0 to 1; the cosine schedule is 1 - cos(πt/2), dense at the start."""
    times = torch.linspace(0, 1, steps + 1)
    return 1 - torch.cos(times * 0.5 * torch.pi) if cosine else times
