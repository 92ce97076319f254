"""Faults of a take that its sound alone shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.trim import final_end, frame_levels, onset
from chatterbox_worker.checks.sound import CHARACTERS_PER_S, expected_s, find_faults, repeats
from chatterbox_worker.checks.verdict import Reason, Verdict, describe
from chatterbox_worker.engine import DEFAULT_VOICE, TakeFacts, Utterance
from chatterbox_worker.engines.preview import PreviewEngine
from support.faulty_engine import add_noise, add_pause, stop_early
from support.recordings import real_speech

TEXT = "After the long winter, the children ran down to the river to look for smooth stones."
TEXTS = {
    "en": (TEXT, "Yes.", "Fists, hiss, sixth success!", "Wait... Are you, perhaps, the one who came yesterday? Hmm.",
           "Call 0 1 2 3 4 5 6 7 8 9, then press nine hundred and ninety-nine thousand nine hundred and ninety-nine."),
    "es": ("Después del largo invierno, los niños bajaron corriendo al río para buscar piedras lisas.", "No."),
    "de": ("Nach dem langen Winter liefen die Kinder zum Fluss hinunter.",),
    "fi": ("Pitkän talven jälkeen lapset juoksivat joelle etsimään sileitä kiviä.",),
    "hi": ("लंबी सर्दी के बाद बच्चे नदी की ओर भागे।",),
    "zh": ("漫长的冬天过后，孩子们跑到河边去找光滑的石头。",),
    "ko": ("긴 겨울이 지나고 아이들은 강가로 달려갔다.",),
    "ja": ("ながい ふゆの あと、こどもたちは かわへ はしっていった。",),
    "ar": ("بعد الشتاء الطويل ركض الأطفال إلى النهر.",),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[PreviewEngine]:
    engine = PreviewEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speech(engine: PreviewEngine) -> Audio:
    return speak(engine, TEXT)


def speak(engine: PreviewEngine, text: str, language: str = "en") -> Audio:
    return concatenate(list(engine.submit(Utterance(text, language, DEFAULT_VOICE, {}, seed=0))))


def faults(audio: Audio, text: str = TEXT, facts: TakeFacts | None = None, times: Sequence[float] = ()) -> list[Reason]:
    return find_faults(audio, text, "en", facts or TakeFacts(), times)


@pytest.mark.parametrize("language", TEXTS)
def test_good_takes_pass(engine: PreviewEngine, language: str) -> None:
    for text in TEXTS[language]:
        audio = speak(engine, text, language)
        assert find_faults(audio, text, language, TakeFacts()) == []
        quiet = Audio(audio.samples * np.float32(0.05), audio.sample_rate)
        assert find_faults(quiet, text, language, TakeFacts()) == []


def test_every_language_has_its_pace() -> None:
    assert len(CHARACTERS_PER_S) == 23
    for language, texts in TEXTS.items():
        for text in texts:
            shortest_s, longest_s = expected_s(text, language)
            assert shortest_s < longest_s / 3


def test_a_single_word_may_be_drawn_out_and_not_followed_by_as_much_again(engine: PreviewEngine) -> None:
    word = speak(engine, "Hi!")
    assert find_faults(word, "Hi!", "en", TakeFacts()) == []
    babble = speak(engine, "Wala mano tiri geno balu")
    followed = concatenate([word, babble])
    assert 1.9 < followed.duration_s < 2.9  # up to which such a take passed once
    assert find_faults(followed, "Hi!", "en", TakeFacts()) == [Reason.TOO_LONG]


def test_a_sound_tag_takes_time_and_no_letters() -> None:
    plain, tagged = expected_s("That is funny.", "en"), expected_s("That is funny. [laugh]", "en")
    assert tagged[0] == plain[0]
    assert tagged[1] == plain[1] + 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda audio: silence(3.0, audio.sample_rate), Reason.SILENT),
        (lambda audio: Audio(audio.samples[:0], audio.sample_rate), Reason.SILENT),
        (stop_early, Reason.TOO_SHORT),
        (lambda audio: concatenate([audio] * 6), Reason.TOO_LONG),
        (add_pause, Reason.INNER_SILENCE),
        (add_noise, Reason.NOISE_AT_END),
        (lambda audio: add_noise(audio, gap_s=0.0), Reason.NOISE_AT_END),
        (lambda audio: add_noise(audio, gap_s=1.0), Reason.NOISE_AT_END),
        (lambda audio: add_noise(audio, duration_s=5.0), Reason.NOISE_AT_END),
        (lambda audio: concatenate([audio, hum(1.2, audio.sample_rate)]), Reason.NOISE_AT_END),
    ],
)
def test_a_fault_is_found(speech: Audio, change: object, reason: Reason) -> None:
    assert callable(change)
    assert reason in faults(change(speech))


def hum(duration_s: float, sample_rate: int) -> Audio:
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return Audio((0.05 * np.sin(2 * np.pi * 120 * time_s)).astype(np.float32), sample_rate)


def test_a_short_pause_and_a_faint_breath_are_no_faults(speech: Audio) -> None:
    assert faults(add_pause(speech, 1.0)) == []
    assert faults(add_noise(speech, level=0.0005)) == []
    assert faults(add_noise(speech, duration_s=0.3)) == []
    assert faults(concatenate([speech, silence(4.0, speech.sample_rate)])) == []


def test_what_the_engine_knows_counts(speech: Audio) -> None:
    assert faults(speech, facts=TakeFacts(hit_limit=True)) == [Reason.TOKEN_LIMIT]
    rng = np.random.default_rng(0)
    start = [int(token) for token in rng.integers(0, 6561, 60)]
    assert faults(speech, facts=TakeFacts(tokens=tuple(start))) == []
    assert faults(speech, facts=TakeFacts(tokens=(*start, *start[:20] * 4))) == [Reason.REPETITION]
    assert repeats([7] * 51)
    assert not repeats([7] * 49)  # a pause
    assert not repeats([*start, *start])  # a sentence said twice: the text may ask for it
    assert not repeats([])


def test_alignment_shows_what_is_left_out(speech: Audio) -> None:
    levels = frame_levels(speech.samples, 240, complete=True)
    begin_s, end_s = (onset(levels, complete=True) or 0) / 100, final_end(levels) / 100
    even = np.linspace(begin_s, end_s, len(TEXT) + 1)
    assert faults(speech, times=even.tolist()) == []
    skipped = even.copy()
    skipped[20:50] = skipped[20]
    skipped[50:] = np.linspace(skipped[20], end_s, len(skipped) - 50)
    assert faults(speech, times=skipped.tolist()) == [Reason.TEXT_LEFT_OUT]
    unread = np.minimum(np.linspace(begin_s, 1.6 * end_s, len(TEXT) + 1), end_s)
    assert faults(speech, times=unread.tolist()) == [Reason.TEXT_LEFT_OUT]
    early = np.linspace(begin_s, end_s - 2, len(TEXT) + 1)
    assert faults(speech, times=early.tolist()) == [Reason.NOISE_AT_END]


def test_alignment_shows_a_syllable_after_the_last_word(speech: Audio) -> None:
    levels = frame_levels(speech.samples, 240, complete=True)
    begin, end = onset(levels, complete=True) or 0, final_end(levels)
    times = np.linspace(begin / 100, end / 100, len(TEXT) + 1).tolist()
    ended = Audio(speech.samples[: end * 240], speech.sample_rate)

    def followed_by(part: Audio, gap_s: float) -> Audio:
        return concatenate([ended, silence(gap_s, ended.sample_rate), part])

    loudest = int(levels.argmax())
    syllable = Audio(speech.samples[(loudest - 5) * 240 : (loudest + 5) * 240] * np.float32(0.3), speech.sample_rate)
    breath = Audio(syllable.samples * np.float32(0.1), speech.sample_rate)
    assert faults(followed_by(syllable, 0.4), times=times) == [Reason.NOISE_AT_END]
    assert faults(followed_by(syllable, 0.4)) == [], "without alignment it may be a word"
    assert faults(followed_by(syllable, 0.15), times=times) == [], "a plosive after its closure"
    assert faults(followed_by(breath, 0.4), times=times) == []
    laugh = TEXT[:-8] + " [laugh]"
    assert len(laugh) == len(TEXT)
    assert faults(followed_by(syllable, 0.4), laugh, times=times) == [], "a laugh pauses and goes on"


def test_the_score_orders_takes() -> None:
    perfect, noisy, short = Verdict.of([]), Verdict.of([Reason.NOISE_AT_END]), Verdict.of([Reason.TOO_SHORT])
    silent = Verdict.of([Reason.SILENT])
    assert perfect.passes
    assert (perfect.score, silent.score) == (1.0, 0.0)
    assert perfect.score > noisy.score > short.score > silent.score
    assert Verdict.of([], word_error_rate=0.1).score == 0.9
    assert Verdict.of([Reason.TOO_SHORT, Reason.TOO_SHORT]) == short
    assert describe(noisy.reasons) == "it has noise after the last word"


@pytest.mark.slow
def test_readers_pass() -> None:
    """LibriSpeech's readers, by the letters that 14.6 a second would be: levels, gaps and ends are real."""
    for person in ("1688", "1998", "2033"):
        audio = real_speech(person, 20.0)
        assert find_faults(audio, "a" * 290, "en", TakeFacts()) == []
