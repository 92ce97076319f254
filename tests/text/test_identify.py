"""`language: "auto"`: the language of each paragraph."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from chatterbox_worker.catalogue import LANGUAGES, MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.identify import AUTO, identify_languages
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.text.preview import preview
from chatterbox_worker.text.reading import Reading, Stretch

SENTENCES = {
    "ar": "ذهب الولد إلى المدرسة في الصباح.",
    "da": "Drengen gik i skole tidligt om morgenen, fordi han ikke kunne sove.",
    "de": "Der Junge ging am Morgen früh zur Schule.", "el": "Το αγόρι πήγε στο σχολείο το πρωί.",
    "en": "The boy went to school early in the morning.", "es": "El niño fue a la escuela por la mañana.",
    "fi": "Poika meni kouluun aikaisin aamulla.", "fr": "Le garçon est allé à l'école tôt le matin.",
    "he": "הילד הלך לבית הספר בבוקר.", "hi": "लड़का सुबह स्कूल गया।",
    "it": "Il ragazzo è andato a scuola la mattina presto.",
    "ja": "少年は朝早く学校へ行きました。", "ko": "소년은 아침 일찍 학교에 갔습니다.",
    "ms": "Budak lelaki itu pergi ke sekolah pada awal pagi.", "nl": "De jongen ging 's ochtends vroeg naar school.",
    "no": "Gutten gikk tidlig på skolen om morgenen fordi han ikke fikk sove.",
    "pl": "Chłopiec poszedł wcześnie rano do szkoły.",
    "pt": "O menino foi para a escola de manhã cedo.", "ru": "Мальчик рано утром пошёл в школу.",
    "sv": "Pojken gick till skolan tidigt på morgonen.", "sw": "Mvulana alikwenda shuleni asubuhi na mapema.",
    "tr": "Çocuk sabah erkenden okula gitti.", "zh": "男孩早上很早就去了学校，因为他睡不着。",
}  # fmt: skip


def speech(text: str, model: str = "multilingual", **fields: object) -> SpeechRequest:
    settings = Settings(models=tuple(MODELS))
    request = parse({"text": text, "model": model, "language": "auto", **fields}, settings)
    assert isinstance(request, SpeechRequest)
    return request


def found(text: str) -> list[tuple[str, str]]:
    reading = prepare(speech(text, normalize={"decoration": False})).reading  # a heading would be a stretch of its own
    return [(reading.text[each.start : each.end].strip(), each.language) for each in reading.stretches]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_is_read_in_its_language(language: str) -> None:
    answer: dict[str, Any] = preview(speech(SENTENCES[language]))
    assert answer["language"] == language
    assert [chunk["language"] for chunk in answer["chunks"]] == [language]


@pytest.mark.parametrize(
    "paragraphs",
    [
        [(SENTENCES["en"], "en"), (SENTENCES["es"], "es"), (SENTENCES["ru"], "ru")],
        [("Hola.", "es"), (SENTENCES["es"], "es"), (SENTENCES["en"], "en"), ("Bye.", "en")],
        [("東京大学", "ja"), (SENTENCES["ja"], "ja"), ("北京大学", "ja")],
        [("北京大学", "zh"), ("1984", "zh")],
        [("Good morning.", "en"), (SENTENCES["es"], "es"), ("Gracias, amigo.", "es")],
        [(SENTENCES["ru"], "ru"), ("Hello there, my friend.", "en"), ("* * * 7", "en")],
        [("12:30", "en")],
        [("我喜欢OpenAI和ChatGPT，每天都在用它们。", "zh")],
    ],
)
def test_each_paragraph_has_a_language_and_a_short_one_that_of_its_neighbours(
    paragraphs: list[tuple[str, str]],
) -> None:
    merged: list[tuple[str, str]] = []
    for text, language in paragraphs:
        if merged and merged[-1][1] == language:
            merged[-1] = (f"{merged[-1][0]}\n\n{text}", language)
        else:
            merged.append((text, language))
    assert found("\n\n".join(text for text, _ in paragraphs)) == merged


def test_two_languages_are_two_chunks_with_a_paragraphs_pause_and_numbers_of_their_own() -> None:
    answer = preview(speech("The price is 25 dollars today.\n\nEl precio de hoy es de 25 euros."))
    assert [chunk["language"] for chunk in answer["chunks"]] == ["en", "es"]
    assert "twenty-five" in answer["chunks"][0]["spoken"]
    assert "veinticinco" in answer["chunks"][1]["spoken"]
    assert answer["chunks"][0]["pause_s"] == 0.8


def test_one_language_is_the_same_request_as_if_it_were_named() -> None:
    text = SENTENCES["es"]
    by_name = prepare(speech(text, language="es"))
    assert prepare(speech(text)) == by_name
    assert (by_name.identity, by_name.language) == (prepare(speech(text)).identity, "es")


def test_a_model_of_one_language_speaks_that() -> None:
    assert speech(SENTENCES["es"], "turbo").language == "en"
    with pytest.raises(InvalidRequest, match="auto"):
        speech("Hello.", language="automatic")


def test_a_named_stretch_stays_and_the_result_is_among_the_models_languages() -> None:
    text = "One. Zwei."
    reading = Reading(text, (Stretch(0, 5, "fr", 1.0), Stretch(5, 10, AUTO)))
    made = identify_languages(reading, ["en", "fr"])
    assert [(each.language, each.pause_s) for each in made.stretches] in (
        [("fr", 1.0), ("fr", None)],
        [("fr", 1.0), ("en", None)],
    )


def test_a_named_language_loads_no_identifier() -> None:
    code = (
        "import sys;"
        "from chatterbox_worker.text.__main__ import main;"
        "main(['Hola, amigo.', '--language', 'es']); main(['Привет, мир', '--language', 'auto']);"
        "assert 'py3langid' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_many_short_paragraphs_take_linear_time() -> None:
    text = "\n\n".join(["a", "Да", "7"] * 2_000)
    started_s = time.process_time()
    identify_languages(Reading(text, (Stretch(0, len(text), AUTO),)), tuple(LANGUAGES))
    assert time.process_time() - started_s < 3.0  # 0.3 s were measured


def test_markup_names_the_language_of_a_part_and_the_rest_is_found() -> None:
    text = '<speak>Hello there, my good friend. <lang xml:lang="es">Hola 5</lang></speak>'
    prepared = prepare(speech(text, text_format="ssml"))
    assert [(chunk.spoken, chunk.language) for chunk in prepared.chunks] == [
        ("Hello there, my good friend.", "en"), ("Hola cinco.", "es"),
    ]  # fmt: skip
    unnamed = speech('<speak>It is <say-as interpret-as="cardinal">25</say-as>.</speak>', text_format="ssml")
    with pytest.raises(InvalidRequest, match="name it in the request"):
        prepare(unnamed)


def test_a_text_that_is_named_otherwise_than_the_request_is_another_recording() -> None:
    in_spanish = prepare(speech('<speak><lang xml:lang="es">Hola</lang></speak>', language="en", text_format="ssml"))
    assert in_spanish.identity != prepare(speech("Hola", language="en")).identity
