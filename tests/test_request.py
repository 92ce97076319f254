"""The parser: what arrives becomes one frozen request with every choice made."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from chatterbox_worker.catalogue import LANGUAGES, MODELS, REGIONS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import (
    SpeechBody,
    SpeechRequest,
    formats,
    openai_speech,
    parse,
    smaller_formats,
    value_of_text,
)
from chatterbox_worker.serverless import job
from chatterbox_worker.serverless.job import SpeechJob

ALL = Settings(models=("multilingual", "multilingual-v2", "english", "turbo", "nano", "flash", "csm", "preview"))


def speech(settings: Settings = ALL, **fields: Any) -> SpeechRequest:
    request = parse({"text": "Hello.", **fields}, settings)
    assert isinstance(request, SpeechRequest)
    return request


def test_defaults_are_filled_in() -> None:
    request = speech()

    assert (request.model, request.language, request.voice) == ("multilingual", "en", "default")
    assert (request.format, request.sample_rate, request.speed) == ("wav", 24_000, 1.0)
    assert (request.seed, request.split_text, request.chunk_size, request.cache) == (None, True, None, True)
    assert request.sampling == MODELS["multilingual"].sampling


def test_the_workers_first_model_is_the_default() -> None:
    assert speech(Settings(models=("turbo", "multilingual"))).model == "turbo"


@pytest.mark.parametrize("alias", [("prompt", "text"), ("model_type", "model"), ("language_id", "language")])
def test_aliases_are_honoured(alias: tuple[str, str]) -> None:
    values = {"text": "Hi.", "model": "multilingual", "language": "es"}
    fields = {(alias[0] if name == alias[1] else name): value for name, value in values.items()}

    request = parse(fields, ALL)

    assert isinstance(request, SpeechRequest)
    assert getattr(request, alias[1]) == values[alias[1]]


def test_text_is_trimmed_and_nothing_else() -> None:
    assert speech(text="  US and  us\n").text == "US and  us"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_known_in_any_case(language: str) -> None:
    assert speech(language=language.upper()).language == language


@pytest.mark.parametrize(("tag", "pack"), REGIONS.items())
def test_a_regional_tag_uses_its_pack_where_served_and_the_base_language_elsewhere(tag: str, pack: str) -> None:
    with_pack = Settings(models=("multilingual", "multilingual-v2"), packs=(pack,))

    assert speech(with_pack, language=tag.lower().replace("-", "_")).language == tag
    assert speech(with_pack, language=tag, model="multilingual-v2").language == tag[:2]
    assert speech(language=tag).language == tag[:2]


@pytest.mark.parametrize(
    ("tag", "language", "with_packs", "region"),
    [
        ("es-AR", "es", "es-MX", "AR"),
        ("es-419", "es", "es-MX", "419"),
        ("es_mx", "es", "es-MX", "MX"),
        ("es-ES", "es", "es-ES", "ES"),
        ("en-US", "en", "en", "US"),
        ("zh-Hans-CN", "zh", "zh-CN", "CN"),
        ("nb-NO", "no", "no", "NO"),
        ("cmn-Hant-TW", "zh", "zh", "TW"),
        ("iw", "he", "he", ""),
        ("nn", "no", "no", ""),
        ("PT", "pt", "pt", ""),
    ],
)
def test_a_region_is_kept_for_reading_and_its_nearest_pack_speaks(
    tag: str, language: str, with_packs: str, region: str
) -> None:
    alone, served = speech(language=tag), speech(Settings(packs=tuple(REGIONS.values())), language=tag)
    assert (alone.language, alone.region) == (language, region)
    assert (served.language, served.region) == (with_packs, region)
    assert str(served.tag) == (f"{language}-{region}" if region else language)


@pytest.mark.parametrize("tag", ["xx", "xx-YY", "english", "en-", "en-USA", "es-mx-x"])
def test_what_is_no_tag_of_a_known_language_is_named(tag: str) -> None:
    with pytest.raises(InvalidRequest, match=f"language '{tag}' is unknown; known are ar, "):
        speech(language=tag)


@pytest.mark.parametrize("model", MODELS)
def test_each_model_takes_its_own_sampling_parameters_and_refuses_the_others_by_name(model: str) -> None:
    values: dict[str, Any] = {
        "temperature": 1.0, "exaggeration": 1.0, "cfg_weight": 0.0, "repetition_penalty": 1.0, "top_p": 0.5,
        "min_p": 0.0, "top_k": 0, "steps": 4, "position_temperature": 0.0, "block_size": 8,
    }  # fmt: skip
    for name, value in values.items():
        if name in MODELS[model].sampling:
            assert speech(model=model, **{name: value}).sampling[name] == value
        else:
            with pytest.raises(InvalidRequest, match=f"{model} cannot use {name}") as refused:
                speech(model=model, **{name: value})
            assert refused.value.field == name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "opus", "sample_rate": 44_100}, "opus has no 44100 Hz; it takes 8000, 16000, 24000 or 48000"),
        (
            {"format": "mp3", "sample_rate": 8_000, "bitrate_kbps": 96},
            "8, 16, 24, 32, 40, 48, 56 or 64 at 8000 Hz, not",
        ),
        ({"format": "flac", "bitrate_kbps": 96}, "bitrate_kbps is for mp3 only, not for flac"),
        ({"model": "preview", "top_k": 5}, "preview cannot use top_k; it takes no sampling parameters"),
        ({"model": "flash", "top_k": 5}, "flash cannot use top_k; it takes temperature, cfg_weight, steps, "),
        ({"model": "preview", "max_chunk_s": 3}, "max_chunk_s is 3, but preview cannot use it"),
        ({"model": "turbo", "max_chunk_s": 40.5}, "max_chunk_s is 40.5, but turbo takes at most 40"),
        ({"model": "turbo", "speaker": 1}, "turbo cannot use speaker; csm can"),
        ({"model": "csm", "reference_transcript": "Hum."}, "the request has none: add reference_audio"),
    ],
)
def test_a_field_that_cannot_be_used_says_what_can(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        speech(**fields)


@pytest.mark.parametrize(
    ("name", "rate", "smaller"),
    [
        ("wav", 24_000, ("flac", "opus", "mp3")),
        ("pcm", 44_100, ("flac", "mp3")),
        ("flac", 22_050, ("mp3",)),
        ("ogg", 48_000, ("opus", "mp3")),
        ("aac", 16_000, ("opus", "mp3")),
        ("opus", 8_000, ()),
        ("mp3", 44_100, ()),
    ],
)
def test_the_formats_that_are_smaller(name: str, rate: int, smaller: tuple[str, ...]) -> None:
    assert smaller_formats(name, rate) == smaller
    if name == "wav":
        assert formats("auto", rate) == ["wav", *smaller]


def test_the_longest_text_is_taken_and_none_that_is_longer() -> None:
    short = Settings(max_text_chars=6)
    assert speech(short, text=" Hello. ").text == "Hello."
    assert parse({"turns": [{"text": "Hi."}, {"text": "Ho."}]}, short)
    with pytest.raises(InvalidRequest, match="text has 7 characters; this worker takes at most 6"):
        speech(short, text="Hello!!")
    with pytest.raises(InvalidRequest, match="the turns have more than 6 characters together"):
        parse({"turns": [{"text": "Hi."}, {"text": "Hey."}]}, short)


def test_whole_numbers_are_fine_where_fractions_are() -> None:
    assert speech(speed=2, temperature=1).speed == 2.0


def test_a_reference_takes_the_place_of_a_voice() -> None:
    request = speech(audio_prompt="UklGRg==")

    assert (request.voice, request.reference_audio) == (None, "UklGRg==")


def test_only_the_public_shape_asks_for_a_url() -> None:
    by_prompt, by_text = (job.parse({name: "Hello."}, ALL) for name in ("prompt", "text"))

    assert isinstance(by_prompt, SpeechJob)
    assert isinstance(by_text, SpeechJob)
    assert (by_prompt.as_url, by_text.as_url) == (True, False)


def test_openai_fields_become_ours() -> None:
    body = {"model": "turbo", "input": "Hi.", "voice": "default", "response_format": "opus", "speed": 1.25, "seed": 3}

    assert openai_speech(body) == {
        "model": "turbo", "text": "Hi.", "voice": "default", "format": "opus", "speed": 1.25, "seed": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "place", "wanted"),
    [
        ({"speed": 9}, "speed", "a number from 0.25 to 4, not 9"),
        ({"speed": float("inf")}, "speed", "a number from 0.25 to 4, not inf"),
        ({"seed": "7"}, "seed", "a whole number from 0 to 4294967295, not '7'"),
        ({"cache": "no"}, "cache", "true or false, not 'no'"),
        ({"model": ""}, "model", "a string of 1 to 64 characters, not ''"),
        ({"trim": "all"}, "trim", "none, edges or inner, not 'all'"),
        ({"turns": []}, "turns", "an array of 1 to 1000 items, not []"),
        ({"turns": [3]}, "turns[0]", "an object, not 3"),
        ({"pause_s": "long"}, "pause_s", "an object, not 'long'"),
        ({"pause_s": {"line": 11}}, "pause_s.line", "a number from 0 to 10, not 11"),
        ({"pause_s": {1: 2}}, "pause_s[1]", "an object, not 1"),
        ({"context": [{"text": "a", "audio": "b", "speaker": -1}]}, "context[0].speaker", "a whole number from 0 to"),
        ({"respeak": [-1]}, "respeak[0]", "a whole number of 0 or more, not -1"),
        ({"voice_url": "https://" + "a" * 2048}, "voice_url",
         f"a string of at most 2048 characters, not 'https://{'a' * 72}…'"),
        ({"seed": [0] * 100}, "seed", f"a whole number from 0 to 4294967295, not [{'0, ' * 53}…"),
    ],
)  # fmt: skip
def test_an_error_names_field_and_value_and_what_can_be_given(fields: dict[str, Any], place: str, wanted: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(f"{place} must be {wanted}")) as failed:
        speech(**fields)
    assert failed.value.field == place


@pytest.mark.parametrize("name", [name for name in job.JobBody.model_fields if name != "action"])
@pytest.mark.parametrize("value", [object(), 7.5, True, -(10**20), [[]], {"no": {}}, "\n", "x" * 40_000_000])
def test_no_field_takes_any_value_or_answers_with_anothers_words(name: str, value: object) -> None:
    try:
        parse({"text": "Hello.", name: value}, ALL)
    except InvalidRequest as error:
        failed = error
    else:
        return
    assert re.split(r"[.\[]", failed.field or "")[0] == name
    assert len(failed.message) < 700
    assert not re.search("nput should|valid string|dictionary|instance", failed.message)


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"text": "Hi.", "colour": 1}, "action, attempts, audio_prompt, bitrate_kbps, "),
        ({"text": "Hi.", "context": [{"voice": "a"}]}, "audio, speaker or text"),
        ({"text": "Hi.", "pause_s": {"word": 1}}, "clause, line, paragraph, sentence or turn"),
        ({"action": "voices.delete", "text": "Hi."}, "action or voice"),
        ({"action": "convert", "audio_prompt": "AAAA", "prompt": "Hi."}, "action, audio, audio_prompt, audio_url, "),
    ],
)
def test_an_unknown_field_is_answered_with_those_that_exist(fields: dict[str, Any], known: str) -> None:
    with pytest.raises(InvalidRequest, match=f"unknown field '.*'; known fields are {known}"):
        parse(fields, ALL)


@pytest.mark.parametrize(
    ("text", "kinds", "value"),
    [
        *((text, ["boolean"], True) for text in ("true", " Yes", "1")),
        *((text, ["boolean"], False) for text in ("FALSE", "no ", "0")),
        (" -7", ["integer", "null"], -7),
        ("7", ["integer", "string"], "7"),
        ("1e3", ["number"], 1000.0),
        ('{"sentence": 1}', ["object", "number"], {"sentence": 1}),
        ("0.5", ["object", "number"], 0.5),
        ("[1, 2]", ["array"], [1, 2]),
    ],
)
def test_a_text_is_a_value_of_the_first_type_that_it_fits(text: str, kinds: list[str], value: object) -> None:
    read = value_of_text("field", text, {"anyOf": [{"type": kind} for kind in kinds]})

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "kinds", "wanted"),
    [
        ("2", ["boolean"], "true or false"),
        ("7.0", ["integer"], "a whole number"),
        ("٧", ["integer"], "a whole number"),
        ("[1]", ["object", "number"], "a JSON object or a number"),
        ("[" * 100_000, ["array", "null"], "a JSON array"),
    ],
)
def test_a_text_that_is_no_value_is_refused(text: str, kinds: list[str], wanted: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(f"field must be {wanted}, not '")):
        value_of_text("field", text, {"anyOf": [{"type": kind} for kind in kinds]})


def test_a_value_of_any_depth_can_be_quoted() -> None:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    assert quote(value) == "a list of too many levels"


@pytest.mark.parametrize("check", ["off", "sound", "words"])
@pytest.mark.parametrize("model", ["multilingual", "turbo", "flash", "csm"])
def test_every_documented_default_may_be_given(model: str, check: str) -> None:
    """Clients that are generated from the description send them all."""
    settings = replace(ALL, check=check)
    defaults = {
        name: field.default for name, field in SpeechBody.model_fields.items()
        if field.default is not None and name not in ("text", "turns")
    }  # fmt: skip

    given, left_out = (speech(settings, model=model, **fields) for fields in (defaults, {}))

    assert {name: getattr(given, name) for name in _COMPARED} == {name: getattr(left_out, name) for name in _COMPARED}
    for field, value in (("attempts", 3), ("max_word_error", 0.5)):
        if check == "off":
            with pytest.raises(InvalidRequest, match=f"{field} has no effect"):
                speech(settings, model=model, **{field: value})


_COMPARED = [name for name in SpeechRequest.__dataclass_fields__ if name not in ("as_model", "card")]
