"""Speech to text by Whisper, with faster-whisper (the extra named asr): imported when a model is loaded, not before."""

from __future__ import annotations

import importlib.util
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Audio, silence
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.config import Settings, variable
from chatterbox_worker.errors import InvalidRequest, NotReady

RATE = 16_000
"""Hertz: Whisper's."""
_WINDOW_S = 30  # what Whisper reads at once
_WINDOWS = 3  # of a long recording, in which its language is looked for
_NEEDS = "needs the package faster-whisper (the extra named asr): pip install faster-whisper"


@dataclass(frozen=True, slots=True)
class TranscribedWord:
    text: str
    """With its punctuation, without white space."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str
    """Trimmed; empty if there is no speech."""
    language: str
    """ISO 639-1: the one that was given, or the one that was recognised."""
    words: tuple[TranscribedWord, ...] = ()
    """In order; empty if their times were not asked for."""


def is_installed() -> bool:
    """Whether faster-whisper is; does not import it."""
    return importlib.util.find_spec("faster_whisper") is not None


def require(what: str, *, field: str) -> None:
    """Raises InvalidRequest for a request whose `field` asks for `what` if this worker lacks faster-whisper."""
    if not is_installed():
        raise InvalidRequest(f"{what} {_NEEDS}", field=field)


class SpeechRecognizer:
    """One Whisper model. Any thread may use it; it transcribes one recording at a time."""

    def __init__(self, model: str = "base", device: str = "auto", threads: int = 0) -> None:
        """Loads nothing yet.

        `model`: Whisper's name ("base", "large-v3-turbo"), a repository of the hub or a folder, in CTranslate2's
        format. `device`: as `Settings.asr_device`. `threads`: of a CPU; 0 for CTranslate2's own number.
        """
        self.name, self._device, self._threads = model, device, threads
        self._model: Any = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> SpeechRecognizer:
        return cls(settings.asr_model, settings.asr_device, settings.threads)

    def load(self) -> None:
        """Load the model unless it is loaded; one that is given by name comes from the hub or from its cache.

        Raises:
            NotReady: faster-whisper or the model is missing, or its device cannot be used.
        """
        with self._lock:
            self._load()

    def transcribe(
        self,
        audio: Audio,
        language: str | None = None,
        *,
        word_times: bool = True,
        beam_size: int = 5,
        hint: str | None = None,
    ) -> Transcript:
        """What is said in a recording of any length, the same each time (no sampling at higher temperatures).

        `language`: an ISO 639-1 code or a regional tag of one ("es-MX"); None to recognise it. `word_times`: whether
        the times of the words are wanted, which takes longer. `hint`: text that makes its words likelier.

        Raises:
            NotReady: see `load`.
            InvalidRequest: the model cannot transcribe this language.
        """
        spoken = None if language is None else language[:2].lower()
        samples = resample(audio, RATE).samples
        with self._lock:
            model = self._load()
            if spoken not in (None, *model.supported_languages):
                raise InvalidRequest(f"Whisper {self.name} cannot transcribe {spoken}", field="language")
            segments, found = model.transcribe(
                samples,
                language=spoken,
                beam_size=beam_size,
                temperature=0.0,
                condition_on_previous_text=False,  # a mistake must not spread to what follows
                word_timestamps=word_times,
                initial_prompt=hint,
            )
            segments = list(segments)  # computed here, as they are iterated
        words = (word for segment in segments for word in segment.words or ())
        return Transcript(
            "".join(segment.text for segment in segments).strip(),
            found.language,
            tuple(TranscribedWord(word.word.strip(), float(word.start), float(word.end)) for word in words),
        )

    def detect_language(self, audio: Audio) -> Mapping[str, float]:
        """The probability of each language that the model knows, by its ISO 639-1 code, likeliest first.

        The mean over at most three windows of 30 s, spread evenly: a jingle or a quotation does not decide for a long
        recording. Empty for a model of one language.

        Raises:
            NotReady: see `load`.
        """
        samples, size = resample(audio, RATE).samples, _WINDOW_S * RATE
        windows = min(_WINDOWS, -(-len(samples) // size))
        with self._lock:
            model = self._load()
            if not model.model.is_multilingual:
                return {}
            found: Counter[str] = Counter()
            for start in np.linspace(0, max(0, len(samples) - size), windows).astype(int):
                for language, probability in model.detect_language(samples[start : start + size])[2]:
                    found[language] += probability / windows
        return dict(found.most_common())

    def _load(self) -> Any:
        if self._model is None:
            if not is_installed():
                raise NotReady(f"transcribing {_NEEDS}")
            device, _, index = self._device.partition(":")
            from faster_whisper import WhisperModel  # noqa: PLC0415

            try:
                # compute type "auto": the fastest that the device has, int8 on a CPU
                model = WhisperModel(
                    self.name,
                    device=device,
                    device_index=int(index or 0),
                    compute_type="auto",
                    cpu_threads=self._threads,
                )
                if model.model.device == "cuda":  # CUDA's libraries are loaded when something is computed
                    list(model.transcribe(silence(1.0, RATE).samples, language="en", beam_size=1)[0])
            except (ValueError, RuntimeError, OSError) as error:
                raise NotReady(
                    f"Whisper {self.name} cannot be loaded ({error}); see {variable('asr_model')} and "
                    f"{variable('asr_device')}"
                ) from error
            self._model = model
        return self._model
