"""From a recording and its transcript to a training clip.

A recording's tokens and speaker are computed as serving computes a reference: the same resampler, the same loudness,
the prompt encoded separately. Only the speaker of a quiet recording is encoded at a usual level, so that it is the same
person's as that of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import raise_quiet
from chatterbox_worker.audio.loudness import at_loudness
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    SAMPLE_RATE,
    START_TEXT,
    STOP_TEXT,
    TOKEN_RATE,
    Layout,
)
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE, Encoders, resample
from chatterbox_worker.engines.chatterbox.text.tokenizer import TextTokenizer
from chatterbox_worker.engines.chatterbox.training.corpus import TrainingClip
from chatterbox_worker.engines.chatterbox.training.encoded import EncodedRecordings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.left_out import require_tokens
from chatterbox_worker.text.transcripts import read_transcript
from chatterbox_worker.voices.conditioning import Arrays

_VERSION = 2  # of what is stored
_TEXT_PER_SPEECH = 2  # text tokens per speech token: twice the rate of the fastest speaker of the densest script


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
        in_words: bool,
    ) -> None:
        """`revision`: the checkpoint's; `text_positions`: how many text tokens its T3 has positions for.

        `in_words`: numbers and the like in transcripts become words, as speech is given them.
        """
        self._layout, self._tokenizer, self._encoders = layout, tokenizer, encoders
        self._text_positions, self._in_words = text_positions, in_words
        self._recordings = EncodedRecordings(folder, f"train-{_VERSION}-{layout.name}-{revision}", self._encode)

    def clip(
        self, name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> TrainingClip:
        """The training clip for a recording's bytes; `decode` rejects unusable recordings, and is called once for each.

        Raises:
            InvalidRequest: the recording or the transcript cannot be trained on.
        """
        ids = self._text_ids(text, language)
        own = self._recordings.of(data, decode)
        own.check_pace(text, ids, _TEXT_PER_SPEECH * TOKEN_RATE)
        speech, prompt, speaker = (torch.tensor(own.arrays[name]) for name in ("speech", "prompt", "speaker"))
        text_ids = torch.tensor(ids)
        return TrainingClip(name, own.digest, person, text_ids, speech, prompt, speaker, own.duration_s, own.peak)

    def _text_ids(self, text: str, language: str) -> list[int]:
        read = read_transcript(text, language, MODELS[self._layout.name], in_words=self._in_words)
        require_tokens(read, self._tokenizer.left_out(read, language), language, MODELS[self._layout.name])
        ids = self._tokenizer.encode(read, language)
        ids = ids if self._layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]
        if len(ids) > self._text_positions:
            raise InvalidRequest(
                f"its transcript has {len(ids)} tokens; the model has {self._text_positions} positions", field="text"
            )
        return ids

    def speaker_of(self, audio: Audio) -> torch.Tensor:
        """The embedding (256,) of any recording, as that of a training clip is computed."""
        return self._encoders.speaker(raise_quiet(self._at_16k(audio)))[0].float().cpu()

    def _at_16k(self, audio: Audio) -> Samples:
        speech = resample(audio.samples, audio.sample_rate, SAMPLE_RATE)
        if self._layout.loudness_lufs is not None:
            speech = at_loudness(speech, self._layout.loudness_lufs)
        return resample(speech, SAMPLE_RATE, SPEECH_RATE)

    def _encode(self, audio: Audio) -> Arrays:
        speech_16k = self._at_16k(audio)
        start = speech_16k[: round(self._layout.prompt_s * SPEECH_RATE)]
        with torch.inference_mode():
            return {
                "speech": self._encoders.tokens(speech_16k)[0].cpu().numpy(),
                "prompt": self._encoders.tokens(start, limit=self._layout.prompt_tokens)[0].cpu().numpy(),
                "speaker": self._encoders.speaker(raise_quiet(speech_16k))[0].float().cpu().numpy(),
            }
