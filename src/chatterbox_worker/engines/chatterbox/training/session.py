"""One training session on a checkpoint: it prepares clips, trains, and generates samples with the result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Speaker
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.contents import examine
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import upstream_t3
from chatterbox_worker.engines.chatterbox.training.prepare import Preparer
from chatterbox_worker.engines.chatterbox.training.result import TrainedModel
from chatterbox_worker.engines.chatterbox.training.scope import Scope, add_rows
from chatterbox_worker.engines.chatterbox.training.speak import VoiceSampler
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, Recipe, Trainer
from chatterbox_worker.engines.chatterbox.training.voice import adapter_of, join_clips, main_person, prompt_clips
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.voices.bundle import Bundle

_SMALL_GPU_BYTES = 24e9  # with less memory it is better to recompute activations than to store them
_WHOLE_BYTES = 9e9  # weights, gradients and AdamW's two moments of 535 million parameters in float32
_GPT_PREFIX = 1 + 375  # positions before the text: the speaker and a whole prompt


def unchanged(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint


class DeviceDefaults:
    """What a run uses by default on its device."""

    device: torch.device

    def arithmetic(self, wanted: str) -> Arithmetic:
        """
        Raises:
            InvalidRequest: fp16 on a CPU, which does not support it well.
        """
        on_gpu = self.device.type == "cuda"
        if wanted == "auto":
            if not on_gpu:
                return Arithmetic.FP32
            return Arithmetic.BF16 if torch.cuda.is_bf16_supported(including_emulation=False) else Arithmetic.FP16
        if wanted == "fp16" and not on_gpu:
            raise InvalidRequest("--precision fp16 is for GPUs; on a CPU there are fp32 and bf16", field="precision")
        return Arithmetic(wanted)

    def is_short_of_memory(self, scope: Scope) -> bool:
        """Whether gradient checkpointing is the better default."""
        enough = _SMALL_GPU_BYTES + (_WHOLE_BYTES if scope.whole else 0)
        return self.device.type == "cuda" and torch.cuda.get_device_properties(self.device).total_memory < enough


class TrainingSession(DeviceDefaults):
    """One Chatterbox model, one device, for as long as a run lasts."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, prepared: Path, *, in_words: bool = True) -> None:
        self.checkpoint, self.device, self.layout = checkpoint, device, checkpoint.layout
        self._in_words = in_words
        self._base_state = load_t3_state(checkpoint)
        self.new_tokens = self.layout.text_vocab - len(self._base_state["text_emb.weight"])
        """How many text tokens the checkpoint's tokenizer has more than its T3."""
        if self.new_tokens < 0:
            raise NotReady(
                f"{checkpoint.path(self.layout.t3)} has {-self.new_tokens} text tokens more than the tokenizer of "
                f"{self.layout.name}: a model with a language of its own is not trained further, but the run that "
                "trained it continues with more --steps"
            )
        if self.new_tokens:
            tokens = examine(checkpoint.path(self.layout.tokenizer[0])).tokens or {}
            self._base_state = add_rows(self._base_state, tokens)
        self._encoders = ReferenceEncoders(checkpoint, device)
        self._tokenizer = load_tokenizer(checkpoint)
        self.preparer = Preparer(
            self.layout,
            checkpoint.revision,
            self._tokenizer,
            self._encoders,
            prepared,
            text_positions=self._text_positions(),
            in_words=in_words,
        )

    @classmethod
    def open(
        cls,
        model: str,
        settings: Settings,
        prepared: Path,
        *,
        in_words: bool = True,
        extend: Callable[[Checkpoint], Checkpoint] = unchanged,
    ) -> TrainingSession:
        """The model's weights on the settings' device; `prepared` is the folder for encoded clips.

        `in_words`: numbers and the like in transcripts are read as words. `extend`: gives the checkpoint a tokenizer
        with more tokens.

        Raises:
            NotReady: the weights are missing or broken.
        """
        checkpoint = extend(checkpoint_of(model, settings))
        device = device_of(settings.device)
        prepare(device, settings.threads)
        return cls(checkpoint, device, prepared, in_words=in_words)

    @property
    def revision(self) -> str:
        """Of the checkpoint."""
        return self.checkpoint.revision

    @property
    def base(self) -> str:
        """Identifies the weights that are trained on, in any folder."""
        return self.checkpoint.t3_digest

    def trainer(self, corpus: Corpus, recipe: Recipe, scope: Scope) -> Trainer:
        """Upstream's T3 with what `scope` trains, on the device."""
        module = upstream_t3(self.layout, self._base_state)
        return Trainer(scope.mark(module, self.layout, seed=recipe.seed), corpus, recipe, self.device)

    def voice(
        self,
        corpus: Corpus,
        tensors: Mapping[str, Tensor],
        scope: Scope,
        audio_of: Callable[[TrainingClip], Audio],
        about: Mapping[str, Any],
    ) -> Bundle:
        """The voice of the person with the most speech, with this adapter unless it is part of a model.

        Raises:
            InvalidRequest: their clips are too short for this model's references.
        """
        person = main_person(corpus)
        clip = join_clips(prompt_clips(corpus, person, self.layout), audio_of)
        speaker = Speaker(corpus.speakers[person].numpy(), self._encoders.speaker_revision)
        adapter = None
        if scope.adapter is not None and not scope.makes_model:
            adapter = adapter_of(tensors, self.layout, self.base, scope.adapter)
        return Bundle(clip, speaker, about, adapter)

    def model(self, tensors: Mapping[str, Tensor], scope: Scope) -> TrainedModel | None:
        """The base's T3 with these trained values; None if they are an adapter's, for the base as it is."""
        if not scope.makes_model:
            return None
        tokenizer = self.layout.tokenizer[0] if self.new_tokens else None
        return TrainedModel(scope.merge(self._base_state, tensors, self.layout), self.checkpoint, tokenizer)

    @cached_property
    def voice_sampler(self) -> VoiceSampler:
        """Generates samples; the engine is loaded on first use."""
        return VoiceSampler(self.checkpoint, self._tokenizer, self._encoders, self.device, in_words=self._in_words)

    def samples(
        self, voice: Bundle, texts: Sequence[tuple[str, str]], model: TrainedModel | None = None
    ) -> list[Audio]:
        """Each text, which is given with its language, spoken in the voice; torch's random state stays as it is.

        `model`: whose weights to speak with; None for the checkpoint's own.
        """
        t3 = None if model is None else model.t3
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            return self.voice_sampler.samples(voice, texts, t3)

    def similarity(self, audio: Audio, corpus: Corpus) -> float:
        """Of `audio` to the speaker of the finished voice: the cosine of their embeddings, -1 to 1."""
        return float(self.preparer.speaker_of(audio) @ corpus.speakers[main_person(corpus)])

    def close(self) -> None:
        if "voice_sampler" in self.__dict__:
            self.voice_sampler.close()

    def _text_positions(self) -> int:
        """How many text tokens the T3 has positions for, after the prefix and the longest speech."""
        state = self._base_state
        if not self.layout.is_gpt:
            return int(state["text_pos_emb.emb.weight"].shape[0])
        return int(state["tfmr.wpe.weight"].shape[0]) - _GPT_PREFIX - 40 * 25 - 2


def data_digest(corpus: Corpus) -> str:
    """SHA-256 (hex) of the training clips and the held-out clips, in order."""
    digest = hashlib.sha256()
    for clip in (*corpus.clips, *corpus.held_out):
        digest.update(f"{clip.digest} {clip.person} {clip.text.tolist()}\n".encode())
    digest.update(f"{len(corpus.held_out)} held out".encode())
    return digest.hexdigest()
