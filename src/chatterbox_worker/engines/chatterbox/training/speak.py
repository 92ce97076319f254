"""Samples of the voice during training: the serving engine on the base weights, with the adapter trained so far.

A sample is exactly what serving would generate. The engine is loaded for the first sample and stays loaded; it has its
own random numbers, so that a run with samples ends with the same weights as one without.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import MAX_SPEECH_TOKENS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine, Parts
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
        in_words: bool = True,
    ) -> None:
        """Loads the engine; `in_words`: numbers and the like in texts become words, as in the transcripts."""
        layout, on_gpu = checkpoint.layout, device.type == "cuda"
        precision = Precision.FAST if on_gpu else Precision.EXACT
        s3gen_state = load_s3gen_state(checkpoint, "flow.", "mel2wav.")
        parts = Parts(
            layout=layout,
            t3=T3(load_t3_state(checkpoint), precision=precision, device=device),
            s3gen=S3Gen.from_state(s3gen_state, device=device, profile="fast" if on_gpu else "exact"),
            tokenizer=tokenizer,
            default_voice=load_own_voice(checkpoint),
            encoders=encoders,
            watermark=Watermark(device),
        )
        self._model, self._in_words = layout.name, in_words
        store = ConditioningStore(None, _IN_MEMORY)
        self._engine = ChatterboxEngine(
            parts,
            checkpoint.revision,
            store,
            slots=1,
            max_tokens=MAX_SPEECH_TOKENS,
            checkpoint=checkpoint,
            adapters=1,
        )

    def samples(self, voice: Bundle, texts: Sequence[tuple[str, str]]) -> list[Audio]:
        """Each text, which is given with its language, spoken in the voice, watermarked.

        Raises:
            SynthesisFailed: the engine failed.
        """
        card = MODELS[self._model]
        speaker = Voice("training", voice.digest, voice.clip, voice.speaker, voice.adapter)
        takes = []
        for text, language in texts:
            read = read_transcript(text, language, card, in_words=self._in_words)
            takes.append(self._engine.submit(Utterance(read, language, speaker, card.sampling, _SEED, turn=0)))
        return [concatenate(list(take)) for take in takes]

    def close(self) -> None:
        self._engine.close()
