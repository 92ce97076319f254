"""What the voice sounds like at an evaluation: samples of the text of held-out clips, and how good they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.checks.words import WordErrors
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus
from chatterbox_worker.engines.chatterbox.training.result import TrainedModel
from chatterbox_worker.engines.chatterbox.training.voice import main_person
from chatterbox_worker.errors import WorkerError
from chatterbox_worker.recording_files import generated_folder
from chatterbox_worker.train.session import Session
from chatterbox_worker.voices.bundle import Bundle
from chatterbox_worker.voices.contents import wav_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The means over the samples of one evaluation."""

    step: int
    similarity: float | None
    """Of the voice encoder's embeddings: the samples' to the speaker's mean one, at most 1; None without an encoder."""
    word_errors: float | None = None
    """Word errors per word of the text, of what a recogniser understands; None without one."""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> SampleScore:
        """From the line of the run's log that has it."""
        return cls(line["step"], line.get("similarity"), line.get("word_errors"))


CountErrors = Callable[[Audio, str, str], WordErrors]
"""The word errors of a recording, given its text and its language; raises WorkerError."""


class SampleWriter:
    """Speaks the same texts at every evaluation, writes the recordings and scores them."""

    def __init__(
        self,
        folder: Path,
        session: Session,
        corpus: Corpus,
        texts: Sequence[tuple[str, str]],
        count_errors: CountErrors | None,
    ) -> None:
        """`texts`: each with its language; `count_errors`: None without a recogniser."""
        self._folder, self._session, self._corpus, self._texts = folder, session, corpus, texts
        self._count_errors = count_errors

    def write(self, voice: Bundle, step: int, model: TrainedModel | None) -> SampleScore | None:
        """Speak, write and score; None if a sample cannot be spoken, which is logged and does not end the run.

        `model`: see `TrainingSession.samples`.
        """
        try:
            samples = self._session.samples(voice, self._texts, model)
        except WorkerError as error:
            _log.warning("no samples at step %d: %s", step, error.message)
            return None
        generated_folder(self._folder)
        for number, audio in enumerate(samples, 1):
            (self._folder / f"step-{step:06d}-{number}.wav").write_bytes(wav_of(audio))
        return self._score(samples, step)

    def _score(self, samples: Sequence[Audio], step: int) -> SampleScore:
        alike = [self._session.similarity(audio, self._corpus) for audio in samples]
        known = [each for each in alike if each is not None]
        return SampleScore(step, _mean(known) if known else None, self._word_errors(samples, step))

    def _word_errors(self, samples: Sequence[Audio], step: int) -> float | None:
        if self._count_errors is None:
            return None
        try:
            found = [self._count_errors(audio, *text) for audio, text in zip(samples, self._texts, strict=True)]
        except WorkerError as error:
            _log.warning("the samples of step %d are not checked for word errors: %s", step, error.message)
            return None
        return sum(each.errors for each in found) / sum(each.words for each in found)


def recorded_similarity(corpus: Corpus) -> float | None:
    """That of the speaker's own held-out recordings: what the samples can reach. None if there are none."""
    person = main_person(corpus)
    own = [
        float(clip.speaker @ corpus.speakers[person])
        for clip in corpus.held_out
        if clip.person == person and len(clip.speaker)  # csm's clips have no embedding
    ]
    return _mean(own) if own else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
