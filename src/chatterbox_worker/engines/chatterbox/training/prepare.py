"""From a recording and its transcript to what T3 learns from; the listening is done once for a recording, whatever happens.

A recording's tokens and speaker are kept under the digest of its bytes and the revision of the networks that listened, each
whole or not at all, so that a preparation that was killed goes on where it was. They are made as serving makes a reference:
the same resampler, the same loudness, the prompt heard alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    SAMPLE_RATE,
    START_TEXT,
    STOP_TEXT,
    TOKEN_RATE,
    Layout,
)
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE, Encoders, at_loudness, resample
from chatterbox_worker.engines.chatterbox.text.tokenizer import TextTokenizer
from chatterbox_worker.engines.chatterbox.training.corpus import TrainingClip
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.normalise import normalise
from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore

_VERSION = 1  # of what is kept
_TEXT_PER_SPEECH = 2  # text tokens to a speech token: twice what the fastest speaker of the densest script says


class Preparer:
    def __init__(
        self,
        layout: Layout,
        revision: str,
        tokenizer: TextTokenizer,
        encoders: Encoders,
        folder: Path,
        *,
        text_positions: int,
    ) -> None:
        """`revision` is that of the checkpoint; `text_positions` how many text tokens its T3 has places for."""
        self._layout, self._tokenizer, self._encoders = layout, tokenizer, encoders
        self._text_positions = text_positions
        self._store = ConditioningStore(folder, max_bytes=0)
        self._made_by = f"train-{_VERSION}-{layout.name}-{revision}"

    def clip(
        self, name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> TrainingClip:
        """The clip in a recording's bytes; `decode` says what is a usable recording, and is asked once for each.

        Raises:
            InvalidRequest: the recording or the transcript cannot be learnt from.
        """
        ids = self._text_ids(text, language)
        digest = hashlib.sha256(data).hexdigest()
        heard = self._store.get_or_compute(ConditioningKey(digest, self._made_by), lambda: self._listened(decode(data)))
        duration_s, peak = (float(number) for number in heard["measures"])
        most = _TEXT_PER_SPEECH * duration_s * TOKEN_RATE
        if len(ids) > most:
            raise InvalidRequest(
                f"its transcript of {len(text)} characters ({len(ids)} tokens) cannot be said in {duration_s:.1f} s",
                field="text",
            )
        speech, prompt, speaker = (torch.tensor(heard[name]) for name in ("speech", "prompt", "speaker"))
        return TrainingClip(name, digest, person, ids, speech, prompt, speaker, duration_s, peak)

    def _text_ids(self, text: str, language: str) -> torch.Tensor:
        spoken = normalise(text, MODELS[self._layout.name].punctuation)
        ids = self._tokenizer.encode(spoken, language)
        ids = ids if self._layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]
        if len(ids) > self._text_positions:
            raise InvalidRequest(
                f"its transcript has {len(ids)} tokens; the model has {self._text_positions} positions", field="text"
            )
        return torch.tensor(ids)

    def _listened(self, audio: Audio) -> Arrays:
        speech = resample(audio.samples, audio.sample_rate, SAMPLE_RATE)
        if self._layout.loudness_lufs is not None:
            speech = at_loudness(speech, self._layout.loudness_lufs)
        speech_16k = resample(speech, SAMPLE_RATE, SPEECH_RATE)
        start = speech_16k[: round(self._layout.prompt_s * SPEECH_RATE)]
        with torch.inference_mode():
            return {
                "speech": self._encoders.tokens(speech_16k)[0].cpu().numpy(),
                "prompt": self._encoders.tokens(start, limit=self._layout.prompt_tokens)[0].cpu().numpy(),
                "speaker": self._encoders.speaker(speech_16k)[0].float().cpu().numpy(),
                "measures": np.array([audio.duration_s, np.max(np.abs(audio.samples))]),
            }
