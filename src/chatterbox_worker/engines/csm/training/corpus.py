"""CSM's training data: a clip is a turn of a conversation, and another clip of its speaker is the turn before it.

That is how a voice is served: its recording and the words in it come first (`csm.engine`). Speaker numbers are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.encoded import EncodedRecordings
from chatterbox_worker.engines.chatterbox.training.loss import Example
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.transcripts import read_transcript
from chatterbox_worker.voices.conditioning import Arrays

_SPEAKER = 0  # as in requests that give none
_VERSION = 1  # of what is stored
_TEXT_PER_S = 25  # tokens a second, of about four characters: no one speaks faster
_NONE = torch.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class CsmClip(TrainingClip):
    """`text` is (t,), the ids of `Csm.ids`; `speech` is (frames, codebooks); `prompt` and `speaker` are empty."""

    words: str = ""
    """The transcript as the model reads it."""


@dataclass(frozen=True, slots=True, eq=False)
class CsmExample(Example):
    """`text` and `speech` (frames, codebooks) are predicted after `prompt_text` (p,) and `prompt` (q, codebooks)."""

    prompt_text: Tensor = _NONE

    @property
    def text_targets(self) -> int:
        """CSM predicts no text."""
        return 0

    @property
    def speech_targets(self) -> int:
        """The frames and the one after them, which ends the turn."""
        return len(self.speech) + 1


class CsmCorpus(Corpus):
    def _example(self, clip: TrainingClip, number: int, epoch: int) -> CsmExample:
        before = self.clips[self.prompt_of(clip, number, epoch)]
        return CsmExample(clip.text, clip.speech, before.speech, clip.speaker, before.text)


class CsmPreparer:
    def __init__(self, csm: Csm, revision: str, folder: Path, *, in_words: bool) -> None:
        """`in_words`: numbers and the like in transcripts become words, as speech is given them."""
        self._csm, self._in_words = csm, in_words
        self._recordings = EncodedRecordings(folder, f"train-{_VERSION}-csm-{revision}", self._encode)

    def clip(
        self, name: str, data: bytes, decode: Callable[[bytes], Audio], *, text: str, language: str, person: str
    ) -> CsmClip:
        """The training clip for a recording's bytes; `decode` rejects unusable recordings, and is called once for each.

        Raises:
            InvalidRequest: the recording or the transcript cannot be trained on.
        """
        words = read_transcript(text, language, MODELS["csm"], in_words=self._in_words)
        ids = self._csm.ids(_SPEAKER, words)
        own = self._recordings.of(data, decode)
        own.check_pace(text, ids, _TEXT_PER_S)
        frames = torch.tensor(own.arrays["codes"].astype(np.int64))
        self._check_positions(ids, frames)
        text_ids = torch.tensor(ids)
        return CsmClip(name, own.digest, person, text_ids, frames, _NONE, _NONE, own.duration_s, own.peak, words)

    def _check_positions(self, ids: list[int], frames: Tensor) -> None:
        if (needed := len(ids) + len(frames) + 1) > (most := self._csm.positions // 2):  # two clips follow each other
            raise InvalidRequest(
                f"its recording and transcript take {needed} positions; a clip may have {most} of the model's "
                f"{self._csm.positions}",
                field="audio",
            )

    def _encode(self, audio: Audio) -> Arrays:
        return {"codes": self._csm.encode(audio).astype(np.int16)}
