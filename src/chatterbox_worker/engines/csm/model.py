"""transformers' CSM and Mimi, and what the engine needs of them: text to ids, sound to codes and back, a prompt.

A conversation is a sequence of turns, each `<bos>[speaker]text<eos>`, its frames, and a frame of zeros; the last turn
has no frames yet. A frame is 32 codes, 80 ms of sound. The codec always computes in float32, whatever precision the
language model has: its codebooks are looked up by distance.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import CsmForConditionalGeneration, CsmProcessor
from transformers.utils import logging as transformers_logging

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engines.chatterbox.reference.conditioning import resample
from chatterbox_worker.errors import NotReady

Codes = npt.NDArray[np.int64]
"""(frames, codebooks)."""

_LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError)
_log = logging.getLogger(__name__)


class _Csm(CsmForConditionalGeneration):  # type: ignore[misc]  # transformers has no types
    _keep_in_fp32_modules_strict = ("codec_model",)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTurn:
    """A turn of the conversation that has been spoken."""

    ids: Sequence[int]
    """The ids of its text, from `Csm.ids`."""
    codes: Codes


class Csm:
    """Loaded and in eval mode. For one thread at a time, except `ids`."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self._tokenizer = model, processor.tokenizer
        config = model.config
        self.positions: int = config.max_position_embeddings
        self.codebooks: int = config.num_codebooks
        self.codebook_size: int = config.codec_config.codebook_size
        """How many codes the codec has; the vocabulary has a few more, which must not be drawn."""
        self.eos: int = config.codebook_eos_token_id
        self.sample_rate: int = config.codec_config.sampling_rate
        """Hertz."""
        self.frame_rate: float = config.codec_config.frame_rate
        """Frames a second."""

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> Csm:
        """
        Raises:
            NotReady: the files are not those of a CSM model, or tensors are missing.
        """
        transformers_logging.disable_progress_bar()
        try:
            processor = CsmProcessor.from_pretrained(folder, local_files_only=True)
            model, info = _Csm.from_pretrained(folder, dtype=dtype, local_files_only=True, output_loading_info=True)
        except _LOADING_ERRORS as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise NotReady(f"the csm checkpoint in {folder} cannot be loaded: {reason}") from error
        if missing := sorted(info["missing_keys"]):
            raise NotReady(f"the csm checkpoint in {folder} lacks {len(missing)} tensors, {missing[0]} among them")
        return cls(model.to(device).eval(), processor)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    def ids(self, speaker: int, text: str) -> list[int]:
        """The ids of a turn's text. Special tokens spelt out in the text are plain text."""
        ids: list[int] = self._tokenizer(
            f"[{speaker}]{text}", add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return [self._tokenizer.bos_token_id, *ids, self._tokenizer.eos_token_id]

    def frames_in(self, duration_s: float) -> int:
        """How many frames that much sound has, at most."""
        return int(duration_s * self.frame_rate) + 1

    @torch.inference_mode()
    def encode(self, clip: Audio) -> Codes:
        """The frames of a recording of any sample rate."""
        samples = np.ascontiguousarray(resample(clip.samples, clip.sample_rate, self.sample_rate))
        encoded = self.model.codec_model.encode(torch.from_numpy(samples)[None, None].to(self.device))
        codes: Codes = encoded.audio_codes[0].T.cpu().numpy()
        return codes

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Samples:
        """(n,) float32 at `sample_rate`; empty without frames."""
        if not len(codes):
            return np.zeros(0, np.float32)
        sound = self.model.codec_model.decode(torch.from_numpy(codes.T)[None].to(self.device))
        samples: Samples = sound.audio_values[0, 0].float().cpu().numpy()
        return samples

    @torch.inference_mode()
    def prompt(self, turns: Sequence[EncodedTurn], ids: Sequence[int]) -> Tensor:
        """Embeddings (1, n, width) of a conversation and of the text that continues it."""
        parts = []
        for turn in turns:
            frames = np.concatenate([turn.codes, np.full((1, self.codebooks), self.eos)])
            parts += [self._text(turn.ids), self.frames(torch.from_numpy(frames).to(self.device))]
        return torch.cat([*parts, self._text(ids)])[None]

    def frames(self, codes: Tensor) -> Tensor:
        """Embeddings (n, width) of frames (n, codebooks)."""
        embedded: Tensor = self.model.backbone_model.embed_tokens(codes[None])[0]
        return embedded

    def _text(self, ids: Sequence[int]) -> Tensor:
        embedded: Tensor = self.model.embed_text_tokens(torch.tensor(ids, device=self.device))
        return embedded
