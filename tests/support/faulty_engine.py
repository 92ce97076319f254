"""The preview engine with faults on purpose: what a model does when it fails at a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.engine import Passage, Take, TakeFacts, Utterance
from chatterbox_worker.engines.preview import PreviewEngine


@dataclass(frozen=True)
class Fault:
    """What goes wrong: another text is spoken, the sound is changed, or the engine knows something about it."""

    text: Callable[[str], str] = lambda text: text
    sound: Callable[[Audio], Audio] = lambda audio: audio
    facts: TakeFacts = TakeFacts()


def _drop_words(text: str) -> str:
    words = text.split()
    return " ".join(words[: len(words) // 4] + words[-len(words) // 4 :])


def _repeat(text: str) -> str:
    return text + " " + " ".join(text.split()[-3:]) * 8


def add_noise(audio: Audio, duration_s: float = 1.2, level: float = 0.05, gap_s: float = 0.1) -> Audio:
    noise = np.random.default_rng(0).standard_normal(round(duration_s * audio.sample_rate)) * level
    return concatenate([audio, silence(gap_s, audio.sample_rate), Audio(noise.astype(np.float32), audio.sample_rate)])


def add_pause(audio: Audio, duration_s: float = 2.5) -> Audio:
    middle = len(audio.samples) // 2
    first, second = (Audio(part, audio.sample_rate) for part in np.split(audio.samples, [middle]))
    return concatenate([first, silence(duration_s, audio.sample_rate), second])


def stop_early(audio: Audio, share: float = 0.25) -> Audio:
    return Audio(audio.samples[: round(len(audio.samples) * share)], audio.sample_rate)


FAULTS: Mapping[str, Fault] = {
    "drops words": Fault(text=_drop_words),
    "repeats words": Fault(text=_repeat),
    "adds noise": Fault(sound=add_noise),
    "stops early": Fault(sound=stop_early),
    "is silent": Fault(sound=lambda audio: silence(audio.duration_s, audio.sample_rate)),
    "pauses": Fault(sound=add_pause),
    "does not stop": Fault(facts=TakeFacts(hit_limit=True)),
    "repeats tokens": Fault(facts=TakeFacts(tokens=tuple(range(100)) + tuple(range(500, 520)) * 4)),
}


class FaultyTake:
    def __init__(self, take: Take, utterance: Utterance, fault: Fault, spoken: Callable[[int], None]) -> None:
        self._take, self._fault, self._spoken = take, fault, spoken
        self.utterance = utterance
        self.facts = fault.facts
        self.is_cancelled = False
        self.wait: Callable[[], object] = lambda: None
        """Called before its sound is there."""

    def __iter__(self) -> Iterator[Audio]:
        self.wait()
        audio = self._fault.sound(concatenate(list(self._take)))
        self._spoken(len(audio.samples))
        yield audio

    def cancel(self) -> None:
        self.is_cancelled = True
        self._take.cancel()

    @property
    def timings(self) -> Mapping[str, float]:
        return {"t3_s": 0.25}

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    @property
    def boundaries_s(self) -> tuple[float, ...]:
        return ()


class FaultyEngine:
    """The first `times` takes of every text that contains `inside` have the fault."""

    def __init__(self, fault: Fault, *, times: int = 1, inside: str = "") -> None:
        self._preview = PreviewEngine()
        self._fault, self._times, self._inside = fault, times, inside
        self._spoken: Counter[str] = Counter()
        self.takes: list[FaultyTake] = []
        self.texts: dict[int, str] = {}
        """What was spoken, by the number of samples of its sound."""
        self.sample_rate, self.device = self._preview.sample_rate, self._preview.device
        self.device_name, self.revision = self._preview.device_name, "faulty"

    def submit(self, utterance: Utterance) -> FaultyTake:
        self._spoken[utterance.text] += 1
        is_faulty = self._inside in utterance.text and self._spoken[utterance.text] <= self._times
        fault = self._fault if is_faulty else Fault()
        spoken = replace(utterance, text=fault.text(utterance.text), streaming=False)
        take = FaultyTake(
            self._preview.submit(spoken), utterance, fault, lambda samples: self.texts.update({samples: spoken.text})
        )
        self.takes.append(take)
        return take

    def convert(self, passage: Passage) -> Take:
        return self._preview.convert(passage)

    def mark(self, audio: Audio) -> Audio:
        return audio

    def close(self) -> None:
        self._preview.close()
