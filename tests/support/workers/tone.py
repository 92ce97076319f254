"""The real worker with an engine that behaves as the text says: `slow`, `explode`, `poison` (the device) or `bug`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engine import Passage, TakeFacts, Utterance
from chatterbox_worker.errors import Cancelled, DeviceFailed, InvalidRequest, SynthesisFailed
from chatterbox_worker.serverless import joblog
from chatterbox_worker.serverless.loop import RunPod, serve
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.fakes import RATE, tone

SLOW_S = 0.2  # for a chunk with this word

places: Counter[str] = Counter()
"""Takes "submitted" and "ended"; their difference is the number of places in use."""
places_lock = threading.Lock()


class Take:
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = {}
    boundaries_s: tuple[float, ...] = ()
    facts = TakeFacts()

    def __init__(self, utterance: Utterance, loudness: float) -> None:
        self._loudness = np.float32(loudness)
        self._utterance = utterance
        self._cancelled = threading.Event()
        self._ended = False
        self._count("submitted")

    def __iter__(self) -> Iterator[Audio]:
        text = self._utterance.text.lower()
        self._cancelled.wait(SLOW_S if "slow" in text else 0.0)
        if self._cancelled.is_set():
            raise Cancelled("the take was cancelled")
        if "poison" in text:
            raise DeviceFailed("the device failed: ask again")
        if "explode" in text:
            raise SynthesisFailed("the engine failed on this chunk")
        if "bug" in text:
            raise RuntimeError(f"cannot say {self._utterance.text}")
        yield Audio(tone(self._utterance) * self._loudness, RATE)
        self._end()

    def cancel(self) -> None:
        self._cancelled.set()
        self._end()

    def _end(self) -> None:
        with places_lock:
            if not self._ended:
                self._ended = True
                places["ended"] += 1

    def _count(self, what: str) -> None:
        with places_lock:
            places[what] += 1


class Engine:
    sample_rate = RATE
    device = "cpu"
    device_name = "tone"

    def __init__(self, loudness: float) -> None:
        self._loudness = loudness

    @property
    def revision(self) -> str:
        """Contains the number of places in use, so that `info` shows it."""
        return f"held {places['submitted'] - places['ended']}"

    def submit(self, utterance: Utterance) -> Take:
        return Take(utterance, self._loudness)

    def convert(self, passage: Passage) -> Take:
        raise InvalidRequest("tones cannot convert speech", field="model")

    def mark(self, audio: Audio) -> Audio:
        return audio

    def close(self) -> None:
        """There is nothing to free."""


def main() -> None:
    env = environment()
    joblog.configure(as_json=bool(env.get("RUNPOD_ENDPOINT_ID")))
    settings = Settings.from_env({"CHATTERBOX_CHECK": "off"} | env)  # a tone is no speech
    engine = Engine(0.0 if env.get("TONE_IS_MUTE") else 1.0)
    library = VoiceLibrary(settings.voices_dir)
    cache = AudioCache(Path(settings.cache_dir), max_bytes=0, max_age_s=1)
    platform = RunPod(settings)
    synthesizer = Synthesizer({"multilingual": engine}, library, cache)
    serve(Worker(settings, synthesizer, platform, platform.running), platform)


if __name__ == "__main__":
    main()
