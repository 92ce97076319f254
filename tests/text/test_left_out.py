"""What a model has no token for is left out with one warning, and refused where nothing remains."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.checks.judge import Judge
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.prepare import PreparedText, prepare
from chatterbox_worker.voices.library import VoiceLibrary
from support.fakes import ToneEngine

ADVICE = "; ask for another model or language, or write the words otherwise with pronunciations"


def left_out(text: str, language: str) -> str:
    """Of a model without Cyrillic, Greek and Han characters."""
    del language
    return "".join(dict.fromkeys(re.findall(r"[\u0370-\u04ff\u4e00-\u9fff]", text)))


class LatinEngine(ToneEngine):
    def left_out(self, text: str, language: str) -> str:
        return left_out(text, language)


def _request(settings: Settings, **fields: object) -> SpeechRequest:
    request = parse(fields, settings)
    assert isinstance(request, SpeechRequest)
    return request


def _prepare(text: str, **fields: object) -> PreparedText:
    settings = Settings(models=("english", "multilingual", "turbo"))
    return prepare(_request(settings, text=text, **({"model": "english"} | fields)), left_out=left_out)


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("All is well.", ()),
        ("The letter ж.", (f"ж is left out: english has no token for it{ADVICE}",)),
        ("From ж to э, ж.", (f"ж and э are left out: english has no token for them{ADVICE}",)),
        ("See абвгдежзик.", (f"а, б, в, г, д, е, ж, з, и and к are left out: english has no token for them{ADVICE}",)),
        (
            "See абвгдежзикл.",
            (f"а, б, в, г, д, е, ж, з, и, к and л are left out: english has no token for them{ADVICE}",),
        ),
        (
            "See абвгдежзиклмн.",
            (f"{', '.join('абвгдежзик')} and 3 other characters are left out: english has no token for them{ADVICE}",),
        ),
    ],
)
def test_one_sentence_names_what_is_left_out(text: str, warnings: tuple[str, ...]) -> None:
    assert _prepare(text).reading.warnings == warnings


def test_all_chunks_have_one_warning_together() -> None:
    prepared = _prepare("The letter ж. " * 10 + "The letter э. " * 10, chunk_size=60)
    assert len(prepared.chunks) > 4
    assert {chunk.left_out for chunk in prepared.chunks} >= {"ж", "э"}
    (warning,) = prepared.reading.warnings
    assert warning.startswith("ж and э are left out")


@pytest.mark.parametrize(
    ("text", "fields", "why"),
    [
        ("Привет, мир.", {}, 'for Russian ask for language "ru" of multilingual, multilingual-v2 or preview'),
        (
            "It was quiet at the house of the two.\n\n" + "Καλημέρα σας. " * 4,
            {"chunk_size": 60},
            "for Greek ask for language",
        ),
        ("你好。", {"model": "multilingual", "language": "en"}, 'multilingual has no token .* ask for language "zh"'),
        ("你好。", {"model": "multilingual", "language": "zh"}, "no token for any letter of '你好。'$"),
    ],
)
def test_a_chunk_of_which_nothing_remains_is_refused(text: str, fields: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        _prepare(text, **fields)
    assert caught.value.field == "text"


def test_pronunciations_replace_what_has_no_token() -> None:
    prepared = _prepare("Привет, friend.", pronunciations={"Привет": "Privyet"})
    assert (prepared.reading.warnings, prepared.chunks[0].spoken) == ((), "Privyet, friend.")


def _synthesizer(settings: Settings) -> Synthesizer:
    engine = LatinEngine()
    cache = AudioCache(settings.cache_dir, max_bytes=settings.cache_max_bytes, max_age_s=settings.cache_max_age_s)
    return Synthesizer({"multilingual": engine, "turbo": engine}, VoiceLibrary(settings.voices_dir), cache)


def test_an_answer_has_the_warning_once_with_and_without_the_cache(settings: Settings) -> None:
    synthesizer = _synthesizer(settings)
    request = _request(settings, text="The letter ж is here. " * 30, language="en", seed=1)

    first, second = (synthesizer.speak(request, CancelScope()) for _ in range(2))
    edited = synthesizer.speak(replace(request, text=request.text + " Well."), CancelScope())

    assert len(first.info.chunks) > 1
    assert (first.hit, second.hit) == (False, True)
    assert any(chunk.kept for chunk in edited.info.chunks)
    for answer in (first, second, edited):
        assert [each for each in answer.info.warnings if "left out" in each] == [
            f"ж is left out: multilingual has no token for it{ADVICE}"
        ]


def test_what_is_left_out_is_not_expected_to_be_heard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[str] = []

    def judge(self: Judge, audio: object, spoken: str, language: str, **others: object) -> object:
        expected.append(spoken)
        return real(self, audio, spoken, language, **others)  # type: ignore[arg-type]

    real = Judge.judge
    monkeypatch.setattr(Judge, "judge", judge)
    request = _request(settings, text="A жук is here.", language="en", check="sound", attempts=1)
    _synthesizer(settings).speak(request, CancelScope())
    assert expected == ["A     is here."]


def test_a_turn_of_a_dialogue_is_named(settings: Settings) -> None:
    turns = [{"text": "Hello."}, {"text": "The letter ж."}]
    answer = _synthesizer(settings).speak(_request(settings, turns=turns, language="en"), CancelScope())
    assert [each.partition(" is")[0] for each in answer.info.warnings if "left out" in each] == ["turns[1]: ж"]
    refused = _request(settings, turns=[*turns, {"text": "Жук."}], language="en")
    with pytest.raises(InvalidRequest, match="no token for any letter") as caught:
        _synthesizer(settings).plan(refused)
    assert "turns[2]" in str(caught.value.field)
