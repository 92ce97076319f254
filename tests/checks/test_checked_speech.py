"""Speech whose takes are judged: what fails is spoken again, and the answer says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatterbox_worker import asr
from chatterbox_worker.answer import SpokenCheck
from chatterbox_worker.asr import SpeechRecognizer, Transcript
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.checks.verdict import Reason, Verdict
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Take, Utterance
from chatterbox_worker.errors import Cancelled, InvalidRequest, NoSpeech, SynthesisFailed
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.checked_takes import CheckedTakes
from chatterbox_worker.synthesis.chunk_takes import StoredTake, attempt_seed
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.faulty_engine import FAULTS, Fault, FaultyEngine, FaultyTake
from support.recordings import real

TEXT = "After the long winter, the children ran down to the river to look for smooth stones."
LONG = " ".join(
    f"{opening} the long winter, the children ran down to the river to look for smooth stones and clear water, and "
    "nobody came home before the evening, when the lamps were lit and the bread was on the table."
    for opening in ("After", "Before", "During", "Until")
)
BY_SOUND = ["adds noise", "stops early", "is silent", "pauses", "does not stop", "repeats tokens"]
BY_WORDS = ["drops words", "repeats words"]


class Recognizer(SpeechRecognizer):
    """Knows what the stub engine spoke, by the length of the sound."""

    def __init__(self, engine: FaultyEngine) -> None:
        super().__init__("stub")
        self._engine = engine

    def load(self) -> None:
        """There is nothing to load."""

    def transcribe(
        self,
        audio: Audio,
        language: str | None = None,
        *,
        word_times: bool = True,
        beam_size: int = 5,
        hint: str | None = None,
    ) -> Transcript:
        samples = len(audio.samples) - audio.sample_rate  # half a second of silence on each side
        return Transcript(self._engine.texts[samples], language or "en")


class Bench:
    """A worker with one faulty engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.settings = Settings(models=("preview",), cache_dir=folder / "cache", voices_dir=folder / "voices")
        self._open: list[Synthesizer] = []

    def worker(
        self, engine: FaultyEngine, *, cached: bool = False, recognizer: SpeechRecognizer | None = None
    ) -> Synthesizer:
        cache = AudioCache(self._folder / "cache", max_bytes=10**8 if cached else 0, max_age_s=1000)
        library = VoiceLibrary(self.settings.voices_dir)
        made = Synthesizer({"preview": engine}, library, cache, recognizer=recognizer or Recognizer(engine))
        self._open.append(made)
        return made

    def request(self, text: str = TEXT, **fields: Any) -> SpeechRequest:
        parsed = parse({"text": text, "seed": 5} | fields, self.settings)
        assert isinstance(parsed, SpeechRequest)
        return parsed

    def close(self) -> None:
        for made in self._open:
            made.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(asr, "is_installed", lambda: True)
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def good() -> FaultyEngine:
    return FaultyEngine(Fault())


@pytest.mark.parametrize(("fault", "check"), [*((f, "sound") for f in BY_SOUND), *((f, "words") for f in BY_WORDS)])
def test_a_fault_is_found_and_mended(bench: Bench, fault: str, check: str) -> None:
    expected = bench.worker(good()).speak(bench.request(check="off"), CancelScope())
    spoken = bench.worker(FaultyEngine(FAULTS[fault])).speak(bench.request(check=check), CancelScope())
    assert spoken.audio == expected.audio
    assert spoken.info.warnings == ()
    assert expected.info.checks is None
    heard = TEXT if check == "words" else None
    assert spoken.info.checks == (SpokenCheck(2, (), 1.0, heard),)


def test_by_default_the_sound_is_checked_twice(bench: Bench) -> None:
    request = bench.request()
    assert (request.check, request.attempts, request.on_fail) == ("sound", 2, "warn")
    engine = good()
    spoken = bench.worker(engine).speak(request, CancelScope())
    assert spoken.info.as_json()["checks"] == [{"attempts": 1, "reasons": [], "score": 1.0}]
    assert len(engine.takes) == 1


def test_the_best_is_used_if_none_passes(bench: Bench) -> None:
    engine = FaultyEngine(FAULTS["stops early"], times=9)
    recording = bench.worker(engine).speak(bench.request(attempts=3), CancelScope())
    assert recording.info.checks == (SpokenCheck(3, ("too_short",), 0.5),)
    assert recording.info.warnings == (
        "chunk 0 did not pass its check in 3 attempts: it is too short for its text",
    )  # fmt: skip
    assert len(engine.takes) == 3


class _WithoutSound(StoredTake):
    def __iter__(self) -> Iterator[Audio]:
        yield from ()


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.2, 0.6, 0.4], 1), ([0.5, 0.5, 0.5], 0), ([0.1, None, 0.3], 2), ([0.0, None, None], 0),
        ([None, 0.0, 0.0], 1),
    ],
)  # fmt: skip
def test_the_best_attempt_is_used_and_the_first_of_equal_ones(scores: list[float | None], best: int) -> None:
    """None: an attempt without any sound."""

    def speak(number: int, _: Take | None) -> Take:
        audio = Audio(np.zeros(number + 1, np.float32), 24_000)
        return _WithoutSound(audio) if scores[number] is None else StoredTake(audio)

    def assess(audio: Audio, _: Take) -> Verdict:
        return Verdict((Reason.TOO_LONG,), scores[len(audio.samples) - 1] or 0.0)

    take = CheckedTakes(3).submit(speak, assess)
    (audio,) = take

    assert len(audio.samples) == best + 1
    assert take.check == SpokenCheck(3, ("too_long",), scores[best] or 0.0)


def test_a_job_can_fail_instead(bench: Bench) -> None:
    engine = FaultyEngine(FAULTS["is silent"], times=9)
    with pytest.raises(SynthesisFailed, match="chunk 0 did not pass its check in 2 attempts: it is silent"):
        bench.worker(engine).speak(bench.request(on_fail="error"), CancelScope())


def test_attempts_have_seeds_of_their_own_and_the_same_each_time(bench: Bench) -> None:
    seeds = []
    for _ in range(2):
        engine = FaultyEngine(FAULTS["is silent"], times=2)
        bench.worker(engine).speak(bench.request(attempts=5), CancelScope())
        seeds.append([take.utterance.seed for take in engine.takes])
    assert seeds[0] == seeds[1] == [attempt_seed(seeds[0][0], attempt) for attempt in range(3)]
    assert len(set(seeds[0])) == 3


def test_further_attempts_run_while_later_chunks_are_read(bench: Bench) -> None:
    """The further attempt at the first chunk ends only after that at the last one was submitted."""
    go_on = threading.Event()

    class Waiting(FaultyEngine):
        def submit(self, utterance: Utterance) -> FaultyTake:
            take = super().submit(utterance)
            count = len(self.takes)
            if count == 5:
                take.wait = lambda: go_on.wait(60)
            if count == 8:
                go_on.set()
            return take

    engine = Waiting(FAULTS["is silent"])
    recording = bench.worker(engine).speak(bench.request(LONG), CancelScope())
    assert go_on.is_set()
    assert [take.utterance.turn for take in engine.takes] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert recording.audio == bench.worker(good()).speak(bench.request(LONG, check="off"), CancelScope()).audio


def test_only_the_chunk_that_fails_is_spoken_again(bench: Bench) -> None:
    engine = FaultyEngine(FAULTS["pauses"], inside="During")
    checks = bench.worker(engine).speak(bench.request(LONG), CancelScope()).info.checks
    assert checks is not None
    assert [check.attempts for check in checks] == [1, 1, 2, 1]


def test_a_stream_is_checked_only_where_it_asks(bench: Bench) -> None:
    for fields, streams, attempts in (({}, True, None), ({"check": "sound"}, False, [2, 1, 1, 1])):
        engine = FaultyEngine(FAULTS["stops early"], inside="After")
        worker = bench.worker(engine)
        speech = worker.stream(worker.plan(bench.request(LONG, **fields)), CancelScope(), streaming=True)
        assert sum(len(piece.samples) for piece in speech)
        assert engine.takes[0].utterance.streaming is streams
        checks = speech.checks
        assert attempts == (None if checks is None else [check.attempts for check in checks])


def test_a_stored_chunk_keeps_its_check(bench: Bench) -> None:
    worker = bench.worker(FaultyEngine(FAULTS["pauses"], times=9, inside="During"), cached=True)
    first = worker.speak(bench.request(LONG), CancelScope())
    worker.cache.files.flush()
    engine = good()
    edited = bench.worker(engine, cached=True).speak(bench.request(LONG.replace("Until", "Since")), CancelScope())
    assert [chunk.kept for chunk in edited.info.chunks] == [True, True, True, False]
    assert edited.info.checks == first.info.checks
    assert [take.utterance.turn for take in engine.takes] == [3]
    again = bench.worker(engine, cached=True).speak(bench.request(LONG), CancelScope())
    assert again.hit
    assert (again.info.checks, again.info.warnings) == (first.info.checks, first.info.warnings)
    with pytest.raises(SynthesisFailed, match="chunk 2"):
        bench.worker(engine, cached=True).speak(bench.request(LONG, on_fail="error"), CancelScope())


def test_the_key_has_what_decides_which_take_is_used(bench: Bench) -> None:
    worker = bench.worker(good())
    fields: list[dict[str, Any]] = [
        {}, {"check": "off"}, {"attempts": 3}, {"on_fail": "error"}, {"check": "words"},
        {"check": "words", "max_word_error": 0.5},
    ]  # fmt: skip
    assert len({worker.plan(bench.request(**each)).key for each in fields}) == len(fields)
    assert worker.plan(bench.request(check="sound")).key == worker.plan(bench.request()).key


def test_a_text_without_sound_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = FaultyTake.__iter__

    def fail_once(take: FaultyTake) -> Iterator[Audio]:
        if take is engine.takes[0] or is_mute:
            raise NoSpeech("no speech")
        return spoken(take)

    is_mute = False
    monkeypatch.setattr(FaultyTake, "__iter__", fail_once)
    engine = good()
    assert bench.worker(engine).speak(bench.request(), CancelScope()).info.checks == (SpokenCheck(2, (), 1.0),)
    is_mute = True
    with pytest.raises(NoSpeech):
        bench.worker(engine).speak(bench.request(), CancelScope())


def test_a_cancelled_speech_submits_nothing_more(bench: Bench) -> None:
    engine = FaultyEngine(FAULTS["is silent"], times=9)
    worker, scope = bench.worker(engine), CancelScope()
    speech = worker.stream(worker.plan(bench.request(LONG, attempts=5)), scope)
    scope.cancel()
    with pytest.raises(Cancelled):
        list(speech)
    assert len(engine.takes) == 4


def test_a_failing_engine_fails_its_job_as_without_checks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(take: FaultyTake) -> Iterator[Audio]:
        raise SynthesisFailed("the engine failed on this chunk")

    monkeypatch.setattr(FaultyTake, "__iter__", explode)
    engine = good()
    with pytest.raises(SynthesisFailed, match="the engine failed on this chunk"):
        bench.worker(engine).speak(bench.request(), CancelScope())
    assert len(engine.takes) == 1


def test_a_chunk_that_others_follow_leads_its_own_next_attempt(bench: Bench) -> None:
    engine = FaultyEngine(FAULTS["is silent"], inside="After")
    worker = bench.worker(engine)
    worker.speak(bench.request(LONG, cache=False), CancelScope())
    firsts, again = engine.takes[:4], engine.takes[4]
    assert firsts[0].utterance.lead is None
    assert [take.utterance.lead for take in firsts[1:]] == [firsts[0]] * 3
    assert again.utterance.lead is firsts[0]


def test_words_need_the_extra(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asr, "is_installed", lambda: False)
    with pytest.raises(InvalidRequest, match="the extra named asr") as refused:
        bench.worker(good()).plan(bench.request(check="words"))
    assert refused.value.field == "check"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"check": "off", "attempts": 3}, "attempts"),
        ({"check": "off", "on_fail": "error"}, "on_fail"),
        ({"max_word_error": 0.2}, "max_word_error"),
        ({"check": "ears"}, "check"),
        ({"attempts": 0}, "attempts"),
        ({"attempts": 6}, "attempts"),
        ({"check": "words", "max_word_error": 1.5}, "max_word_error"),
    ],
)
def test_a_field_without_effect_is_refused(bench: Bench, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bench.request(**fields)
    assert refused.value.field == field


def test_the_setting_is_the_default(bench: Bench) -> None:
    bench.settings = replace(bench.settings, check="off")
    assert bench.request().check == "off"
    assert bench.request(check="sound").check == "sound"


@pytest.mark.slow
@pytest.mark.parametrize(("language", "fault"), [("en", "repeats words"), ("es", "drops words")])
def test_whisper_finds_dropped_and_repeated_words(bench: Bench, language: str, fault: str) -> None:
    recognizer = SpeechRecognizer(str(real("whisper-base")), "cpu")
    text = {
        "en": "After the long winter, my brother wrote a letter that he never sent, and nobody asked him why.",
        "es": "La empresa vale mucho, y conducir hasta la frontera es mejor que tomar el tren de la noche.",
    }[language]
    fields = {"text": text, "language": language, "check": "words"}
    engine = FaultyEngine(FAULTS[fault])
    info = bench.worker(engine, recognizer=recognizer).speak(bench.request(**fields), CancelScope()).info
    assert info.checks is not None
    assert (info.checks[0].attempts, info.checks[0].reasons) == (2, ()), info.checks
    assert info.checks[0].heard
