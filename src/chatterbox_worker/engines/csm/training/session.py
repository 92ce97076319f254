"""One training session of CSM: it prepares clips, trains an adapter, and generates samples with the result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import constants
from torch import Tensor

from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance, Voice, VoiceDetails
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import TARGETS, add_lora
from chatterbox_worker.engines.chatterbox.training.result import TrainedModel
from chatterbox_worker.engines.chatterbox.training.scope import Scope
from chatterbox_worker.engines.chatterbox.training.session import DeviceDefaults
from chatterbox_worker.engines.chatterbox.training.trainer import Recipe, Trainer
from chatterbox_worker.engines.chatterbox.training.voice import adapter_of, join_clips, main_person, prompt_clips
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.csm.engine import CsmEngine
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.engines.csm.training.corpus import CsmClip, CsmCorpus, CsmPreparer
from chatterbox_worker.engines.csm.training.loss import sums
from chatterbox_worker.engines.csm.weights import CsmFiles, find
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.text.transcripts import read_transcript
from chatterbox_worker.voices.bundle import Bundle
from chatterbox_worker.voices.conditioning import ConditioningStore

LONGEST_SAMPLE_S = 30.0  # as long as the longest clip by default; an untrained voice may not stop by itself
_CARD = MODELS["csm"]
_SEED = 1  # of samples: the same at every evaluation, so that only the voice changes
_IN_MEMORY = 2**24  # bytes of encoded recordings


class CsmTrainingSession(DeviceDefaults):
    """The model is loaded once, in the precision of the run; training and samples share its tensors.

    Only an adapter can be trained: `train.options` refuses the other scopes.
    """

    new_tokens = 0

    def __init__(
        self, files: CsmFiles, device: torch.device, prepared: Path, *, precision: str = "auto", in_words: bool = True
    ) -> None:
        """The other arguments are those of `open`.

        Raises:
            InvalidRequest: the device does not support the precision.
        """
        self.device, self.revision, self.base = device, files.revision, files.digest
        self._in_words = in_words
        self._csm = Csm.load(files.folder, device, self.arithmetic(precision).dtype)
        self._csm.model.requires_grad_(requires_grad=False)
        self.preparer = CsmPreparer(self._csm, files.revision, prepared, in_words=in_words)

    @classmethod
    def open(cls, settings: Settings, prepared: Path, *, precision: str, in_words: bool = True) -> CsmTrainingSession:
        """The weights on the settings' device; `prepared` is the folder for encoded clips.

        `precision`: "auto", "fp32", "bf16" or "fp16". `in_words`: numbers and the like are read as words.

        Raises:
            NotReady: the weights are missing or broken.
        """
        device = device_of(settings.device)
        prepare(device, settings.threads)
        files = find(settings.csm_repo, weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
        return cls(files, device, prepared, precision=precision, in_words=in_words)

    def trainer(self, corpus: Corpus, recipe: Recipe, scope: Scope) -> Trainer:
        """CSM with a new adapter on the attention of the backbone and the depth decoder."""
        module = share_tensors(self._csm.model)
        if scope.adapter is not None:
            add_lora(module, TARGETS["llama"], scope.adapter, seed=recipe.seed)
        for each in (module, module.depth_decoder):
            each.loss_type = "ForCausalLM"  # transformers chooses it for CSM anyway, with a warning
        own = CsmCorpus(corpus.clips, corpus.held_out, corpus.seed)
        transformers = (module.backbone_model, module.depth_decoder.model)
        return Trainer(module, own, recipe, self.device, sum_losses=sums, transformers=transformers)

    def voice(
        self,
        corpus: Corpus,
        tensors: Mapping[str, Tensor],
        scope: Scope,
        audio_of: Callable[[TrainingClip], Audio],
        about: Mapping[str, Any],
    ) -> Bundle:
        """The voice of the person with the most speech, with the words of its recording, and this adapter if any."""
        clips = prompt_clips(corpus, main_person(corpus), _CARD)
        words = " ".join(cast("CsmClip", clip).words for clip in clips)
        adapter = None if scope.adapter is None else adapter_of(tensors, _CARD, self.base, scope.adapter)
        return Bundle(join_clips(clips, audio_of), None, about, adapter, VoiceDetails(words))

    def model(self, tensors: Mapping[str, Tensor], scope: Scope) -> None:
        """None: an adapter is for the weights as they are."""
        del tensors, scope

    @cached_property
    def _engine(self) -> CsmEngine:
        store = ConditioningStore(None, _IN_MEMORY)
        return CsmEngine(self._csm, self.revision, store, Watermark(self.device), slots=1, base=self.base)

    def samples(
        self, voice: Bundle, texts: Sequence[tuple[str, str]], model: TrainedModel | None = None
    ) -> list[Audio]:
        """Each text, which is given with its language, spoken in the voice, watermarked. There is no other `model`.

        Raises:
            SynthesisFailed: the engine failed.
        """
        del model
        speaker = Voice("training", voice.digest, voice.clip, None, voice.adapter, voice.details)
        takes = []
        for text, language in texts:
            read = read_transcript(text, language, _CARD, in_words=self._in_words)
            utterance = Utterance(read, language, speaker, _CARD.sampling, _SEED, turn=0, max_s=LONGEST_SAMPLE_S)
            takes.append(self._engine.submit(utterance))
        return [concatenate(list(take)) for take in takes]

    def similarity(self, audio: Audio, corpus: Corpus) -> None:
        """None: CSM has no encoder that distinguishes speakers."""
        del audio, corpus

    def close(self) -> None:
        if "_engine" in self.__dict__:
            self._engine.close()


def share_tensors(model: Any) -> Any:
    """A copy of the model's modules, without the codec, on the same tensors."""
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(each): each for each in tensors} | {id(model.codec_model): None})
