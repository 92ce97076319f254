"""One take, judged by its sound and, if there is a recogniser, by its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.checks.sound import find_faults
from chatterbox_worker.checks.verdict import Reason, Verdict
from chatterbox_worker.checks.words import MOST_MISSING, WordErrors, compare, has_length_of
from chatterbox_worker.engine import TakeFacts
from chatterbox_worker.request import MAX_WORD_ERROR

Transcribe = Callable[[Audio, str, "str | None"], str]
"""From a sound, its language and a text that makes its words likelier to the words in the sound."""


_MARGIN_S = 0.5
"""Of silence before and after a take that is transcribed: Whisper misses a first word that begins at once."""


def transcribe_by(recognizer: SpeechRecognizer) -> Transcribe:
    def transcribe(audio: Audio, language: str, hint: str | None) -> str:
        margin = silence(_MARGIN_S, audio.sample_rate)
        padded = concatenate([margin, audio, margin])
        return recognizer.transcribe(padded, language, word_times=False, hint=hint).text

    return transcribe


@dataclass(frozen=True, slots=True)
class Judge:
    """What a take must satisfy."""

    transcribe: Transcribe | None = None
    """None: the words are not checked."""
    max_word_error: float = MAX_WORD_ERROR

    def judge(
        self,
        audio: Audio,
        spoken: str,
        language: str,
        *,
        written: str | None = None,
        facts: TakeFacts | None = None,
        boundaries_s: Sequence[float] = (),
    ) -> Verdict:
        """`spoken`: the text that the model was given; `written`: as it was before, which a recogniser may write, too.

        A silent take is not transcribed.
        """
        reasons = find_faults(audio, spoken, language, facts or TakeFacts(), boundaries_s)
        if self.transcribe is None or Reason.SILENT in reasons:
            return Verdict.of(reasons)
        texts = [spoken] if written is None else [spoken, written]
        heard = self.transcribe(audio, language, None)
        errors = compare(texts, heard, language)
        is_whole = errors.missing <= MOST_MISSING and has_length_of(texts, heard, language)
        if errors.exceeds(self.max_word_error) and is_whole:
            # An unusual voice is understood once the words are known; but a hint may also fill in what is missing
            with_hint = self.transcribe(audio, language, spoken)
            heard, errors = min((heard, errors), (with_hint, compare(texts, with_hint, language)), key=_rate)
        if errors.exceeds(self.max_word_error):
            reasons.append(Reason.WORD_ERRORS)
        return Verdict.of(reasons, word_error_rate=errors.rate, heard=heard)


def _rate(found: tuple[str, WordErrors]) -> float:
    return found[1].rate
