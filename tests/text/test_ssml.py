"""The subset of SSML: what each element does, and what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.chunk import chunks
from chatterbox_worker.text.markup.builder import MarkupOptions
from chatterbox_worker.text.markup.read import detect
from chatterbox_worker.text.markup.ssml import read_ssml
from chatterbox_worker.text.prepare import PreparedText, prepare
from chatterbox_worker.text.scripts import speakable

OPTIONS = MarkupOptions("en", ("en", "es", "fr"))


def _prepare(inside: str, **fields: Any) -> PreparedText:
    request = parse({"text": f"<speak>{inside}</speak>", "text_format": "ssml", **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return prepare(request)


def _spoken(inside: str, **fields: Any) -> str:
    return " ".join(chunk.spoken for chunk in _prepare(inside, **fields).chunks)


@pytest.mark.parametrize(
    ("inside", "spoken"),
    [
        ("Fish &amp; chips\n\n  for   $5.", "Fish and chips for five dollars."),
        ('Read <sub alias="World Wide Web Consortium">W3C</sub>.', "Read World Wide Web Consortium."),
        ('A<sub alias="bee">B</sub>C', "AbeeC."),
        ('<say-as interpret-as="characters">NASA 12.</say-as>', "N A S A one two dot."),
        ('<say-as interpret-as="spell-out">ab</say-as>', "A B."),
        ('<say-as interpret-as="cardinal">1,234</say-as>', "One thousand two hundred thirty-four."),
        ('<say-as interpret-as="cardinal">-3.10</say-as>', "Minus three point one zero."),
        ('<say-as interpret-as="number">XIV</say-as>', "Fourteen."),
        ('<say-as interpret-as="ordinal">21</say-as>', "Twenty-first."),
        ('<say-as interpret-as="ordinal">3rd</say-as>', "Third."),
        ('<say-as interpret-as="ordinal">VIII</say-as>', "Eighth."),
        ('<say-as interpret-as="date" format="dmy">3/5/2026</say-as>', "May third, twenty twenty-six."),
        ('<say-as interpret-as="date" format="mdy">3/5/26</say-as>', "March fifth, twenty twenty-six."),
        ('<say-as interpret-as="date">2026-05-03</say-as>', "May third, twenty twenty-six."),
        ('<say-as interpret-as="time">12:30</say-as>', "Twelve thirty."),
        ('<say-as interpret-as="telephone">555 12</say-as>', "Five five five, one two."),
        ('<say-as interpret-as="digits">2-07 5</say-as>', "Two zero seven five."),
        ('<say-as interpret-as="verbatim">abc</say-as>', "A B C."),
        ('<say-as interpret-as="currency">$5.20</say-as>', "Five dollars and twenty cents."),
        ('<say-as interpret-as="unit">10 ft</say-as>', "Ten feet."),
        ("<p>One</p><p>Two</p>", "One. Two."),
        ("<s>One</s><s>Two</s>", "One, Two."),
        ("[pause:1s] Hello 😀.", "Hello."),
    ],
)
def test_each_element_is_read(inside: str, spoken: str) -> None:
    assert _spoken(inside) == spoken


@pytest.mark.parametrize(
    ("language", "inside", "spoken"),
    [
        ("es", '$5, <lang xml:lang="es-AR">$6 y <say-as interpret-as="cardinal">7,5</say-as></lang>',
         "Cinco dólares, Seis pesos y siete coma cinco."),
        ("es-AR", '$5, <lang xml:lang="es-PE">$6</lang>', "Cinco pesos, Seis dólares."),
        ("es-AR", '$5, <lang xml:lang="es">$6</lang>', "Cinco pesos, seis pesos."),  # no edge where nothing changes
        ("es-AR", '$5, <lang xml:lang="en">$6</lang>', "Cinco pesos, Six dollars."),
        ("en-US", '<lang xml:lang="en-GB"><say-as interpret-as="date">3/5/2026</say-as></lang>',
         "The third of May twenty twenty-six."),
    ],
)  # fmt: skip
def test_a_region_of_a_language_is_read_as_there(language: str, inside: str, spoken: str) -> None:
    assert _spoken(inside, language=language, model="multilingual") == spoken


def test_say_as_and_languages_follow_the_language() -> None:
    assert _spoken('<say-as interpret-as="cardinal">21</say-as>', language="es") == "Veintiuno."
    assert _spoken('<lang xml:lang="es-MX">Son <say-as interpret-as="ordinal">3</say-as></lang>') == "Son tercero."
    prepared = _prepare('He said <lang xml:lang="fr-FR">bonjour à 10 h</lang> and left.', model="multilingual")
    assert [(chunk.language, chunk.text) for chunk in prepared.chunks] == [
        ("en", "He said"), ("fr", "bonjour à 10 h"), ("en", "and left."),
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match="cannot be read as ordinal in Japanese"):
        _spoken('<say-as interpret-as="ordinal">3</say-as>', language="ja")


def test_breaks_voices_and_rates_reach_the_chunks() -> None:
    prepared = _prepare(
        'Hello <break time="250ms"/><break time="1s"/> there. <voice name="alice">I am <prosody rate="fast">quick'
        '<prosody rate="50%"> or not</prosody></prosody></voice><break strength="strong"/> End <break/> it.',
        pause_s={"sentence": 0.6},
    )
    found = [(chunk.spoken, chunk.exact_pause_s, chunk.voice, chunk.rate) for chunk in prepared.chunks]
    assert found == [
        ("Hello.", 1.25, None, 1.0), ("There.", None, None, 1.0), ("I am.", None, "alice", 1.0),
        ("Quick.", None, "alice", 1.58), ("Or not.", 0.6, "alice", 0.79), ("End.", 0.3, None, 1.0),
        ("It.", None, None, 1.0),
    ]  # fmt: skip
    assert _prepare('<break time="2s"/>Hello.<break time="1s"/>').chunks[0].lead_pause_s == 2.0
    assert len(_prepare('Hello <break strength="none"/> there.').chunks) == 1


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ('<audio src="https://x.org/a.wav"/>Hi', "<audio> is not known; known are speak, p, s, break"),
        ("<emphasis>Hi</emphasis>", "<emphasis>"),
        ('<phoneme alphabet="ipa" ph="a">Hi</phoneme>', "<phoneme>"),
        ('Hi<mark name="a"/>', "<mark>"),
        ('<prosody pitch="high">Hi</prosody>', "<prosody> has no attribute 'pitch'; known are rate"),
        ('<break time="soon"/>Hi', "time of <break>"),
        ('<break time="31s"/>Hi', "at most 30 s"),
        ('<break strength="huge"/>Hi', "strength of <break> is none, x-weak"),
        ("<break>Hi</break>", "<break> has no content"),
        ("<sub>Hi</sub>", "needs an alias"),
        (f'<sub alias="{"a" * 201}">Hi</sub>', "at most 200 characters"),
        ('<sub alias="a"><p>Hi</p></sub>', "<sub> contains text only"),
        ('<say-as interpret-as="expletive">Hi</say-as>', "interpret-as of <say-as> is characters"),
        ('<say-as interpret-as="cardinal">many</say-as>', "'many' cannot be read as cardinal"),
        ('<say-as interpret-as="time">99:99</say-as>', "cannot be read as time"),
        ('<say-as interpret-as="digits">12a</say-as>', "'12a' cannot be read as digits"),
        (
            '<say-as interpret-as="time" format="hms12">2:30</say-as>',
            "format of <say-as> goes with the interpret-as date",
        ),
        ('<say-as interpret-as="date" format="xyz">1/1/2020</say-as>', "format of a date is ymd"),
        ('<say-as interpret-as="date" format="dmy">33/1/2020</say-as>', "cannot be read as date"),
        ('<lang xml:lang="xx">Hi</lang>', "xml:lang 'xx' is unknown"),
        ("<lang>Hi</lang>", "<lang> needs xml:lang"),
        ('<voice name="../a">Hi</voice>', "<voice> needs a name"),
        ('<prosody rate="quickly">Hi</prosody>', "rate of <prosody> is x-slow"),
        ('<prosody rate="x-fast"><prosody rate="2">Hi</prosody></prosody>', "0.25 to 4"),
        ('<prosody rate="-100%">Hi</prosody>', "0.25 to 4"),
        ("<p>Hi", "not well-formed SSML (mismatched tag"),
        ("Fish & chips", "with & written as &amp;"),
        ("<p>" * 60 + "Hi" + "</p>" * 60, "at most 50 elements inside each other"),
        ("<amazon:effect>Hi</amazon:effect>", "and <amazon:effect> has a prefix without its xmlns"),
        ('<e xmlns="urn:x">Hi</e>', "<{urn:x}e> is not known"),
        ("...", "nothing to speak"),
    ],
)
def test_what_is_not_in_the_subset_is_an_error_that_names_it(inside: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _prepare(inside)
    assert message in refusal.value.message
    assert refusal.value.field == "text"


@pytest.mark.parametrize(
    "text",
    ["Hello.", "<p>Hello.</p>", '<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "<speak>&nbsp;</speak>",
     '<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>a</speak>', "<speak>a</speak><speak>b</speak>",
     '<?xml version="1.0" encoding="utf-16"?><spea>x</spea>'],
)  # fmt: skip
def test_other_documents_and_entities_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_ssml(text, OPTIONS)


def test_what_is_no_telephone_number_is_refused_in_linear_time() -> None:
    started = time.process_time()
    with pytest.raises(InvalidRequest, match="telephone"):
        read_ssml(f'<speak><say-as interpret-as="telephone">{"1" * 40_000}x</say-as></speak>', OPTIONS)
    assert time.process_time() - started < 1.0


def test_billion_laughs_are_refused_before_they_grow() -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(12))
    started = time.process_time()
    with pytest.raises(InvalidRequest, match="no DOCTYPE"):
        read_ssml(f"<!DOCTYPE speak [{entities}]><speak>&a11;</speak>", OPTIONS)
    assert time.process_time() - started < 1.0


def test_without_strictness_unknown_elements_are_read_with_a_warning() -> None:
    prepared = _prepare(
        '<emphasis level="strong">Hello</emphasis> <emphasis>there</emphasis> '
        '<say-as interpret-as="cardinal">many</say-as><prosody pitch="low">, you</prosody>',
        ssml_strict=False,
    )
    assert [chunk.spoken for chunk in prepared.chunks] == ["Hello there many, you."]
    assert [warning.split(";")[0] for warning in prepared.reading.warnings] == [
        "SSML: element <emphasis> is not known", "SSML: 'many' cannot be read as cardinal in English",
        "SSML: <prosody> has no attribute 'pitch'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "text_format"),
    [
        ("<speak>Hi</speak>", "ssml"), ('<?xml version="1.0"?>\n<speak>Hi</speak>', "ssml"), ("<speak>Hi", "plain"),
        ("# Title\n\nText", "markdown"), ("A [link](https://x.org)", "markdown"), ("**Bold** it is", "markdown"),
        ("```\ncode\n```", "markdown"), ("| a | b |\n|---|---|\n| c | d |", "markdown"), ("1. a\n2. b", "markdown"),
        ("Hello. * * * [laugh] - 5 #1 2*3", "plain"), ("- Milk\n- Eggs", "plain"), ("---\nHi", "plain"),
    ],
)  # fmt: skip
def test_auto_finds_the_format(text: str, text_format: str) -> None:
    assert detect(text) == text_format
    request = parse({"text": text, "text_format": "auto"}, Settings())
    assert isinstance(request, SpeechRequest)
    assert prepare(request).chunks


ELEMENTS = st.sampled_from([
    "p", "s", "sub", "say-as", "lang", "voice", "prosody", "break", "speak", "emphasis", "x:y",
])  # fmt: skip
ATTRIBUTES = st.sampled_from([
    "", ' alias="x y"', ' interpret-as="date"', ' interpret-as="characters"', ' xml:lang="es"', ' name="a"',
    ' rate="90%"', ' time="1ms"', ' strength="weak"', " bad", ' bad="1"',
])  # fmt: skip
LEAVES = st.one_of(
    st.sampled_from(["word ", "12 ", "&amp;", "<br", "]]>", "😀", " ", "<!-- c -->", "<?a?>"]), st.text(max_size=8)
)


@st.composite
def _element(draw: st.DrawFn, children: st.SearchStrategy[str]) -> str:
    name = draw(ELEMENTS)
    return f"<{name}{draw(ATTRIBUTES)}>{''.join(draw(st.lists(children, max_size=3)))}</{name}>"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.recursive(LEAVES, _element, max_leaves=8), max_size=5).map("".join), st.booleans())
def test_any_xml_is_read_or_refused(inside: str, strict: bool) -> None:
    options = MarkupOptions("en", ("en", "es"), strict=strict)
    try:
        reading = read_ssml(f"<speak>{inside}</speak>", options)
    except InvalidRequest:
        return
    if not any(map(speakable, reading.spoken(0, len(reading.text)))):
        return
    place = 0
    for chunk in chunks(reading):
        assert chunk.text == reading.text[chunk.start : chunk.end]
        assert not any(map(speakable, reading.spoken(place, chunk.start)))
        place = chunk.end
    assert not any(map(speakable, reading.spoken(place, len(reading.text))))


@pytest.mark.parametrize(
    "unit",
    ["<p>A sentence of some words &amp; more.</p>", '<sub alias="one">1</sub> ',
     '<say-as interpret-as="cardinal">7</say-as> ',
     '<lang xml:lang="es">hola</lang> you ', 'a <break time="1ms"/> '],
)  # fmt: skip
def test_fifty_thousand_characters_take_less_than_a_second(unit: str) -> None:
    text = f"<speak>{unit * (50_000 // len(unit))} end</speak>"
    read_ssml("<speak>1</speak>", OPTIONS)
    started = time.process_time()
    read_ssml(text, OPTIONS)
    assert time.process_time() - started < 1.0
