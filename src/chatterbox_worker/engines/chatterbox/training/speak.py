"""Samples of the voice during training: the serving engine on the base weights with the adapter trained so far, or on a
T3 trained so far.

A sample is exactly what serving would generate. The engine is loaded for the first sample and stays loaded, except its
T3 where that is trained; it has its own random numbers, so that a run with samples ends with the same weights as one
without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import MAX_SPEECH_TOKENS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.reference.conditioning import load_own_voice
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.text.tokenizer import TextTokenizer
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.text.transcripts import read_transcript
from chatterbox_worker.voices.bundle import Bundle
from chatterbox_worker.voices.conditioning import ConditioningStore

_SEED = 1  # the same at every evaluation, so that only the voice changes
_IN_MEMORY = 2**24  # bytes of conditionings


class VoiceSampler:
    def __init__(
        self,
        checkpoint: Checkpoint,
        tokenizer: TextTokenizer,
        encoders: ReferenceEncoders,
        device: torch.device,
        *,
        in_words: bool,
    ) -> None:
        """Loads what all samples share.

        `in_words`: numbers and the like in texts become words, as in the transcripts.
        """
        self._checkpoint, self._device, self._in_words = checkpoint, device, in_words
        on_gpu = device.type == "cuda"
        s3gen_state = load_s3gen_state(checkpoint, "flow.", "mel2wav.")
        self._parts = partial(
            Parts,
            layout=checkpoint.layout,
            s3gen=S3Gen.from_state(s3gen_state, device=device, profile="fast" if on_gpu else "exact"),
            tokenizer=tokenizer,
            default_voice=load_own_voice(checkpoint),
            encoders=encoders,
            watermark=Watermark(device),
        )

    def samples(
        self, voice: Bundle, texts: Sequence[tuple[str, str]], t3: Mapping[str, Tensor] | None = None
    ) -> list[Audio]:
        """Each text, which is given with its language, spoken in the voice, watermarked.

        `t3`: the weights to speak with, for this call only; None for the checkpoint's.

        Raises:
            SynthesisFailed: the engine failed.
        """
        if t3 is None:
            return self._speak(self._base_engine, voice, texts)
        engine = self._engine(t3)
        try:
            return self._speak(engine, voice, texts)
        finally:
            engine.close()

    @cached_property
    def _base_engine(self) -> ChatterboxEngine:
        return self._engine(load_t3_state(self._checkpoint))

    def _engine(self, t3: Mapping[str, Tensor]) -> ChatterboxEngine:
        precision = Precision.FAST if self._device.type == "cuda" else Precision.EXACT
        return ChatterboxEngine(
            self._parts(t3=T3(t3, precision=precision, device=self._device)),
            self._checkpoint.revision,
            ConditioningStore(None, _IN_MEMORY),
            slots=1,
            max_tokens=MAX_SPEECH_TOKENS,
            graphs=False,  # while a thread captures one, torch refuses to draw the adapter's dropout on the GPU
            checkpoint=self._checkpoint,
            adapters=1,
        )

    def _speak(self, engine: ChatterboxEngine, voice: Bundle, texts: Sequence[tuple[str, str]]) -> list[Audio]:
        card = MODELS[self._checkpoint.layout.name]
        speaker = Voice("training", voice.digest, voice.clip, voice.speaker, voice.adapter)
        takes = []
        for text, language in texts:
            read = read_transcript(text, language, card, in_words=self._in_words)
            takes.append(engine.submit(Utterance(read, language, speaker, card.sampling, _SEED, turn=0)))
        return [concatenate(list(take)) for take in takes]

    def close(self) -> None:
        if "_base_engine" in self.__dict__:
            self._base_engine.close()
