from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.catalogue import LANGUAGES, REGIONS
from chatterbox_worker.engine import DEFAULT_VOICE, Engine, Utterance, Voice
from chatterbox_worker.engines.preview import PreviewEngine
from chatterbox_worker.errors import Cancelled, InvalidRequest, NotReady

HELLO = {
    "ar": "مرحبا بالعالم", "da": "Hej verden", "de": "Hallo Welt", "el": "Καλημέρα κόσμε", "en": "Hello world",
    "es": "Hola mundo", "fi": "Hei maailma", "fr": "Bonjour le monde", "he": "שלום עולם", "hi": "नमस्ते दुनिया",
    "it": "Ciao mondo", "ja": "こんにちは", "ko": "안녕하세요", "ms": "Selamat pagi", "nl": "Hallo wereld",
    "no": "Hei verden", "pl": "Witaj świecie", "pt": "Olá mundo", "ru": "Привет мир", "sv": "Hej världen",
    "sw": "Habari dunia", "tr": "Merhaba dünya", "zh": "你好世界",
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[PreviewEngine]:
    engine = PreviewEngine()
    yield engine
    engine.close()


def _utterance(text: str, language: str = "en", *, seed: int = 0, voice: Voice = DEFAULT_VOICE) -> Utterance:
    return Utterance(text, language, voice, {}, seed)


def _speak(engine: PreviewEngine, text: str, language: str = "en", *, seed: int = 0) -> Audio:
    (audio,) = engine.submit(_utterance(text, language, seed=seed))
    return audio


def test_it_is_an_engine(engine: PreviewEngine) -> None:
    as_engine: Engine = engine
    assert (as_engine.sample_rate, as_engine.device) == (24_000, "cpu")
    assert as_engine.revision.startswith("espeak-ng-1.")
    assert as_engine.device_name


@pytest.mark.parametrize("language", [*LANGUAGES, *REGIONS])
def test_every_language_is_spoken_in_its_own_voice(engine: PreviewEngine, language: str) -> None:
    audio = _speak(engine, HELLO[language.partition("-")[0]], language)
    assert audio.sample_rate == engine.sample_rate
    assert 0.3 < audio.duration_s < 4  # letter by letter would take longer
    assert np.abs(audio.samples).max() > 0.05


def test_the_same_utterance_gives_the_same_samples_after_any_other_and_with_any_seed(
    engine: PreviewEngine,
) -> None:
    first = _speak(engine, "She sells sea shells.")
    _speak(engine, "Привет мир", "ru")
    assert np.array_equal(first.samples, _speak(engine, "She sells sea shells.", seed=7).samples)


def test_two_engines_on_many_threads_give_the_same_samples_as_one_alone(engine: PreviewEngine) -> None:
    texts = [(HELLO[language], language) for language in ("en", "de", "fr", "zh")] * 4
    alone = [_speak(engine, *text).samples for text in texts]
    other = PreviewEngine()
    together: dict[int, np.ndarray] = {}

    def speak(index: int) -> None:
        together[index] = _speak(engine if index % 2 else other, *texts[index]).samples

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert all(np.array_equal(alone[index], together[index]) for index in range(len(texts)))


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\x01+20v hi",
        "\x1b[31m",
        "😀👩‍👩‍👧 hi",
        "\ud800 lone",
        "<speak>hi</speak>",
        "[[h@l'oU]] hi",
        "\u202e\ufeff\U000e0001",
        "%s%n%s%n",
        "a" * 1000,
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_text_can_crash_the_process(engine: PreviewEngine, text: str, language: str) -> None:
    assert np.isfinite(_speak(engine, text, language).samples).all()


def test_a_nul_does_not_end_the_text(engine: PreviewEngine) -> None:
    assert np.array_equal(_speak(engine, "one\0two three four").samples, _speak(engine, "one two three four").samples)


def test_markup_is_text(engine: PreviewEngine) -> None:
    assert _speak(engine, "<b>hi</b>").duration_s > _speak(engine, "hi").duration_s


def test_ten_thousand_characters_are_spoken_to_the_end(engine: PreviewEngine) -> None:
    text = "This is a sentence. " * 500
    once = _speak(engine, "This is a sentence. " * 10).duration_s
    assert _speak(engine, text).duration_s == pytest.approx(50 * once, rel=0.05)


def test_submit_returns_at_once_and_a_cancelled_take_frees_the_engine(engine: PreviewEngine) -> None:
    started = time.monotonic()
    long = engine.submit(_utterance("This is a sentence. " * 20_000))
    waiting = engine.submit(_utterance("never spoken"))
    assert time.monotonic() - started < 20  # to speak it takes over a minute
    waiting.cancel()
    time.sleep(0.05)
    long.cancel()
    long.cancel()
    for take in (long, waiting):
        with pytest.raises(Cancelled):
            list(take)
    assert _speak(engine, "Next.").duration_s > 0.2
    assert time.monotonic() - started < 30


def test_a_take_after_its_end_ignores_cancel_and_keeps_no_samples(engine: PreviewEngine) -> None:
    take = engine.submit(_utterance("Once."))
    (_first,) = take
    take.cancel()
    with pytest.raises(Cancelled, match="has been read"):
        next(iter(take))
    assert set(take.timings) == {"queue_s", "vocoder_s"}
    assert take.warnings == ()


def test_mark_returns_the_audio_unchanged(engine: PreviewEngine) -> None:
    audio = _speak(engine, "Plain.")
    assert engine.mark(audio) is audio


@pytest.mark.parametrize(
    ("utterance", "field"),
    [
        (_utterance("hi", voice=Voice("anna", "ab12")), "voice"),
        (_utterance("hi", voice=Voice("reference", "ab12", Audio(np.zeros(9, np.float32), 9))), "voice"),
        (_utterance("hi", "xx"), "language"),
        (_utterance("東京へ", "ja"), "language"),
    ],
)
def test_an_utterance_that_it_cannot_speak_is_refused_at_submit(
    engine: PreviewEngine, utterance: Utterance, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        engine.submit(utterance)
    assert refusal.value.field == field


def test_closing_cancels_running_and_waiting_takes() -> None:
    engine = PreviewEngine()
    takes = [engine.submit(_utterance("This is a sentence. " * 20_000)) for _ in range(3)]
    engine.close()
    engine.close()
    for take in takes:
        with pytest.raises(Cancelled):
            list(take)
    with pytest.raises(NotReady):
        engine.submit(_utterance("hi"))


def test_it_logs_once_that_it_is_not_chatterbox(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        engine = PreviewEngine()
        list(itertools.chain(*(engine.submit(_utterance("hi")) for _ in range(3))))
        engine.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not Chatterbox" in caplog.text
    assert "watermark" in caplog.text
