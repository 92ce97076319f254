"""An engine without a model: every utterance is a tone, deterministically."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.engine import Passage, TakeFacts, Utterance
from chatterbox_worker.errors import Cancelled, SynthesisFailed

RATE = 24_000
SECONDS_PER_CHARACTER = 0.01


class ToneTake:
    facts = TakeFacts()

    def __init__(self, utterance: Utterance, gate: threading.Event) -> None:
        self.utterance = utterance
        self.cancelled = threading.Event()
        self._gate = gate

    def __iter__(self) -> Iterator[Audio]:
        while not self._gate.wait(0.005):
            if self.cancelled.is_set():
                break
        if self.cancelled.is_set():
            raise Cancelled("the take was cancelled")
        if "explode" in self.utterance.text.lower():
            raise SynthesisFailed("the engine failed on this chunk")
        if "bug" in self.utterance.text.lower():
            raise RuntimeError("/secret/path of a bug")
        yield Audio(tone(self.utterance), RATE)

    def cancel(self) -> None:
        self.cancelled.set()

    @property
    def timings(self) -> Mapping[str, float]:
        return {"queue_s": 0.125, "t3_s": 0.25}

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    @property
    def boundaries_s(self) -> Sequence[float]:
        """Each character takes its share of the tone."""
        count, sound_s = len(self.utterance.text), len(tone(self.utterance)) / RATE
        return [index * sound_s / count for index in range(count + 1)] if self.utterance.timestamps else []


class ConvertedTake:
    """The passage itself, at the engine's rate, with the level of the voice's digest."""

    warnings: tuple[str, ...] = ()
    boundaries_s: tuple[float, ...] = ()
    facts = TakeFacts()

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._is_cancelled = threading.Event()

    def __iter__(self) -> Iterator[Audio]:
        if self._is_cancelled.is_set():
            raise Cancelled("the take was cancelled")
        audio = resample(self._passage.speech, RATE)
        tokens = -(-len(audio.samples) // 960)
        gain = 0.5 if self._passage.voice.digest == "default" else 0.25
        yield Audio(np.pad(audio.samples, (0, tokens * 960 - len(audio.samples))) * np.float32(gain), RATE)

    def cancel(self) -> None:
        self._is_cancelled.set()

    @property
    def timings(self) -> Mapping[str, float]:
        return {"s3gen_s": 0.25}


class ToneEngine:
    """The pitch is computed from everything that the sound may depend on."""

    sample_rate = RATE
    device = "cpu"
    device_name = "tone"
    revision = "tone-1"

    def __init__(self) -> None:
        self.takes: list[ToneTake] = []
        self.passages: list[Passage] = []
        self.gate = threading.Event()
        self.gate.set()
        self.submitted = threading.Event()

    def submit(self, utterance: Utterance) -> ToneTake:
        take = ToneTake(utterance, self.gate)
        self.takes.append(take)
        self.submitted.set()
        return take

    def convert(self, passage: Passage) -> ConvertedTake:
        take = ConvertedTake(passage)
        self.passages.append(passage)
        return take

    def mark(self, audio: Audio) -> Audio:
        return audio

    def close(self) -> None:
        pass


def tone(utterance: Utterance) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    identity = repr((utterance.text, utterance.language, utterance.voice.digest, sorted(utterance.sampling.items()),
                     utterance.seed))  # fmt: skip
    pitch = 200 + int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4]) / 2**32 * 1000
    seconds = np.arange(round(len(utterance.text) * SECONDS_PER_CHARACTER * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * pitch * seconds)).astype(np.float32)
