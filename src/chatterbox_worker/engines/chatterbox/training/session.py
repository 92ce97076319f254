"""A checkpoint laid out for learning: what prepares clips for it, trains on it, and speaks with what came of that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Speaker
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape, upstream_t3, with_adapter
from chatterbox_worker.engines.chatterbox.training.prepare import Preparer
from chatterbox_worker.engines.chatterbox.training.speak import VoiceSampler
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, Recipe, Trainer
from chatterbox_worker.engines.chatterbox.training.voice import adapter_of, joined, main_person, prompt_clips
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle

_SMALL_GPU_BYTES = 24e9  # below it activations are better made again than kept
_GPT_PREFIX = 1 + 375  # the speaker and a whole prompt stand before the text (chatterbox.md 1.1)


class TrainingSession:
    """One model, one device, for as long as a run lasts."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, prepared: Path) -> None:
        self.checkpoint, self.device, self.layout = checkpoint, device, checkpoint.layout
        self._encoders = ReferenceEncoders(checkpoint, device)
        self._tokenizer = load_tokenizer(checkpoint)
        self.preparer = Preparer(
            self.layout,
            checkpoint.revision,
            self._tokenizer,
            self._encoders,
            prepared,
            text_positions=self._text_room(),
        )

    @classmethod
    def open(cls, model: str, settings: Settings, prepared: Path) -> TrainingSession:
        """The model's weights on the settings' device; `prepared` is a folder for what is heard in clips.

        Raises:
            NotReady: the weights are missing or broken.
        """
        checkpoint = find(LAYOUTS[model], weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
        device = device_of(settings.device)
        prepare(device, settings.threads)
        return cls(checkpoint, device, prepared)

    def arithmetic(self, wanted: str) -> Arithmetic:
        """
        Raises:
            InvalidRequest: fp16 on a CPU, whose sums are not made for it.
        """
        on_gpu = self.device.type == "cuda"
        if wanted == "auto":
            if not on_gpu:
                return Arithmetic.FP32
            return Arithmetic.BF16 if torch.cuda.is_bf16_supported(including_emulation=False) else Arithmetic.FP16
        if wanted == "fp16" and not on_gpu:
            raise InvalidRequest("--precision fp16 is for GPUs; on a CPU there are fp32 and bf16", field="precision")
        return Arithmetic(wanted)

    @property
    def is_short_of_memory(self) -> bool:
        """Whether gradient checkpointing is the better default."""
        return (
            self.device.type == "cuda" and torch.cuda.get_device_properties(self.device).total_memory < _SMALL_GPU_BYTES
        )

    def trainer(self, corpus: Corpus, recipe: Recipe, shape: Shape) -> Trainer:
        """Upstream's T3 with a new adapter, on the device."""
        module = upstream_t3(self.layout, load_t3_state(self.checkpoint))
        return Trainer(with_adapter(module, self.layout, shape, seed=recipe.seed), corpus, recipe, self.device)

    def voice(
        self,
        corpus: Corpus,
        tensors: Mapping[str, Tensor],
        shape: Shape,
        audio_of: Callable[[TrainingClip], Audio],
        about: Mapping[str, Any],
    ) -> Bundle:
        """The voice of whoever speaks longest, with this adapter.

        Raises:
            InvalidRequest: their clips are too short for this model's references.
        """
        person = main_person(corpus)
        clip = joined(prompt_clips(corpus, person, self.layout), audio_of)
        speaker = Speaker(corpus.speakers[person].numpy(), self._encoders.speaker_revision)
        return Bundle(clip, speaker, about, adapter_of(tensors, self.layout, self.checkpoint.t3_digest, shape))

    @cached_property
    def speaking(self) -> VoiceSampler:
        """For samples; the engine is loaded when this is first asked for."""
        return VoiceSampler(self.checkpoint, self._tokenizer, self._encoders, self.device)

    def samples(self, voice: Bundle, texts: Sequence[str], language: str) -> list[Audio]:
        """Each text in the voice, without a trace in torch's random numbers."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            return self.speaking.samples(voice, texts, language)

    def close(self) -> None:
        if "speaking" in self.__dict__:
            self.speaking.close()

    def _text_room(self) -> int:
        """Text tokens that the T3 has positions for, beside what a clip needs otherwise."""
        state = load_t3_state(self.checkpoint)
        if not self.layout.is_gpt:
            return int(state["text_pos_emb.emb.weight"].shape[0])
        return int(state["tfmr.wpe.weight"].shape[0]) - _GPT_PREFIX - 40 * 25 - 2


def data_digest(corpus: Corpus) -> str:
    """SHA-256 (hex) of what is learnt from and judged by, in order."""
    told = hashlib.sha256()
    for clip in (*corpus.clips, *corpus.held_out):
        told.update(f"{clip.digest} {clip.person} {clip.text.tolist()}\n".encode())
    told.update(f"{len(corpus.held_out)} held out".encode())
    return told.hexdigest()
