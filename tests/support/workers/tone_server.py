"""The HTTP server with an engine of tones in place of Chatterbox: every model's abilities, no weights.

    python tests/support/workers/tone_server.py PORT

A take whose text contains "slowly" yields its pieces one by one, so that a test sees the page in the middle of it; one
with "explode" fails.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping

import numpy as np
import uvicorn

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engine import Passage, TakeFacts, Utterance
from chatterbox_worker.errors import Cancelled, SynthesisFailed
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary

RATE = 24_000
PIECE_CHARS = 8
_SLOW_S = 0.15  # for a piece that lasts 0.48 s: faster than it is played
CHAR_S = 0.06


class _Take:
    facts = TakeFacts()

    def __init__(self, utterance: Utterance) -> None:
        self._utterance = utterance
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Audio]:
        text = self._utterance.text
        samples = _melody(self._utterance)
        size = round(PIECE_CHARS * CHAR_S * RATE)
        for start in range(0, len(samples), size):
            if self._cancelled.wait(_SLOW_S if "slowly" in text.lower() else 0):
                raise Cancelled("the take was cancelled")
            if "explode" in text.lower():
                raise SynthesisFailed("the engine failed on this chunk")
            yield Audio(samples[start : start + size], RATE)

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def timings(self) -> Mapping[str, float]:
        return {}

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    @property
    def boundaries_s(self) -> tuple[float, ...]:
        return tuple(CHAR_S * index for index in range(len(self._utterance.text) + 1))


class MelodyEngine:
    """A syllable for each letter, at a pitch that depends on the voice, and silence for each space."""

    sample_rate = RATE
    device = "cpu"
    device_name = "tone"
    revision = "melody-1"

    def submit(self, utterance: Utterance) -> _Take:
        return _Take(utterance)

    def convert(self, passage: Passage) -> _Take:
        """A letter for each 60 ms of the recording."""
        length = round(passage.speech.duration_s / CHAR_S)
        return _Take(Utterance("a" * max(1, length), "en", passage.voice, {}, passage.seed))

    def mark(self, audio: Audio) -> Audio:
        return audio

    def close(self) -> None:
        pass


def _melody(utterance: Utterance) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    identity = repr((utterance.voice.digest, utterance.seed, sorted(utterance.sampling.items())))
    pitch = 150 + int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4]) / 2**24  # seeds may be drawn at random
    size = round(CHAR_S * RATE)
    loud = [0.0 if letter.isspace() else 0.15 + 0.5 * (ord(letter) * 37 % 17) / 17 for letter in utterance.text]
    levels = np.asarray([0.0, *loud, 0.0])
    rise = np.cumsum(np.hanning(size)) / np.hanning(size).sum()
    between = levels[:-1, None] + np.diff(levels)[:, None] * rise  # from the middle of each letter to that of the next
    envelope = between.reshape(-1)[size // 2 : -(size // 2)]
    time = np.arange(len(envelope)) / RATE
    wave: np.ndarray[tuple[int], np.dtype[np.float32]] = 0.6 * envelope * np.sin(2 * np.pi * pitch * time)
    return wave.astype(np.float32)


def main(port: int) -> None:
    # Conversions weigh a tenth of other processes: on a busy machine three minutes of mp3 took over a minute.
    os.nice = lambda _: 0
    settings = Settings.from_env({"CHATTERBOX_CHECK": "off"} | environment())
    engine = MelodyEngine()

    def build(chosen: Settings) -> Synthesizer:
        cache = AudioCache(chosen.cache_dir, max_bytes=chosen.cache_max_bytes, max_age_s=chosen.cache_max_age_s)
        return Synthesizer(dict.fromkeys(chosen.models, engine), VoiceLibrary(chosen.voices_dir), cache)

    uvicorn.run(create_app(settings, LocalBackend(settings, build)), port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
