"""A subset of SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/), parsed without DTDs, entities or external files.

White space and line ends mean nothing, as in all XML; `p` and `s` are paragraphs and sentences. Every element and
attribute that is not in `_ELEMENTS` is an error, or with `strict` off a warning, and then what is inside is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.request.language import Tag, parse_tag
from chatterbox_worker.text.chunk import Pause
from chatterbox_worker.text.markup.builder import MarkupOptions, ReadingBuilder
from chatterbox_worker.text.markup.pauses import check_pause, parse_time
from chatterbox_worker.text.markup.say_as import DATE_FORMATS, KINDS, say_as
from chatterbox_worker.text.normalise import INVISIBLE
from chatterbox_worker.text.reading import Reading
from chatterbox_worker.text.spoken.rules import region_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DEEPEST = 50
LONGEST_ALIAS = 200  # characters: it is never cut, and a chunk has 240
_NAMESPACE = "{http://www.w3.org/2001/10/synthesis}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

_STRENGTHS: Mapping[str, Pause | None] = MappingProxyType({
    "none": None, "x-weak": Pause.CLAUSE, "weak": Pause.CLAUSE, "medium": Pause.LINE, "strong": Pause.SENTENCE,
    "x-strong": Pause.PARAGRAPH,
})  # fmt: skip
_RATES: Mapping[str, float] = MappingProxyType({
    # by CSS 2's words a minute (section 19.8, speech-rate): 80, 120, 190, 300 and 500
    "x-slow": 0.42, "slow": 0.63, "medium": 1.0, "default": 1.0, "fast": 1.58, "x-fast": 2.63,
})  # fmt: skip
_SLOWEST, _FASTEST = 0.25, 4.0  # as `speed`
_PREFIXED = re.compile(r"<(?!xml:)[\w.-]{1,40}:[\w.-]{1,40}>?")  # an element such as <amazon:effect
_RATE = re.compile(r"(?P<sign>[+-]?)(?P<number>\d{1,4}(?:\.\d{1,4})?)(?P<percent>%?)")


def looks_like_ssml(text: str) -> bool:
    """Whether it is a well-formed document with the element `speak`."""
    if not text.lstrip().startswith(("<speak", "<?xml")):
        return False
    try:
        return _name(_parse(text).tag) == "speak"
    except InvalidRequest:
        return False


def read_ssml(text: str, options: MarkupOptions) -> Reading:
    """
    Raises:
        InvalidRequest: names the element, the attribute or the place that cannot be read.
    """
    root = _parse(text)
    if _name(root.tag) != "speak":
        raise InvalidRequest(f"SSML is a <speak> element, not <{_name(root.tag)}>", field="text")
    builder = ReadingBuilder(options)
    _Walker(builder).enter(root, 0)
    return builder.build()


def _parse(text: str) -> Element:
    from xml.etree.ElementTree import ParseError  # noqa: PLC0415 - plain text needs no XML

    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    try:
        root: Element = fromstring(INVISIBLE.sub("", text).strip(), forbid_dtd=True)
    except DefusedXmlException:
        raise InvalidRequest("SSML must have no DOCTYPE and no entities of its own", field="text") from None
    except (ParseError, ValueError) as error:
        prefixed = _PREFIXED.search(text) if "unbound prefix" in str(error) else None
        hint = "with & written as &amp;" if prefixed is None else f"and {prefixed[0]} has a prefix without its xmlns"
        raise InvalidRequest(
            f"text is not well-formed SSML ({error}): it is one <speak> element, {hint}", field="text"
        ) from None
    return root


@dataclass(frozen=True, slots=True)
class _Known:
    attributes: tuple[str, ...]
    enter: Callable[[_Walker, Element], None]


class _Walker:
    def __init__(self, builder: ReadingBuilder) -> None:
        self._builder = builder
        self._options = builder.options

    def enter(self, element: Element, depth: int) -> None:
        if depth > DEEPEST:
            raise InvalidRequest(f"SSML has at most {DEEPEST} elements inside each other", field="text")
        style, builder = self._builder.style, self._builder
        name = _name(element.tag)
        known = _ELEMENTS.get(name)
        if known is None:
            self._refuse(f"element <{name}> is not known; known are {choices(_ELEMENTS)}")
        else:
            self._check_attributes(element, name, known)
            if (written := element.get(_XML + "lang")) is not None:
                tag = self._language(written)
                builder.style = replace(builder.style, language=tag.language, region=tag.region)
            known.enter(self, element)
        if name not in _LEAVES:
            builder.add(element.text or "")
            for child in element:
                self.enter(child, depth + 1)
                builder.add(child.tail or "")
        if name == "p":
            builder.end_paragraph()
        elif name == "s":
            builder.end_line()
        builder.style = style

    def _refuse(self, message: str) -> None:
        """Raises InvalidRequest if SSML is strict, else keeps a warning."""
        if self._options.strict:
            raise InvalidRequest(f"SSML: {message} (or send ssml_strict: false)", field="text")
        self._builder.warn(f"SSML: {message}")

    def _check_attributes(self, element: Element, name: str, known: _Known) -> None:
        for attribute in element.keys():  # noqa: SIM118 - an element is no mapping
            plain = _name(attribute)
            if plain not in (*known.attributes, "xml:lang", "xml:id", "xml:space") and not attribute.startswith(_XSI):
                self._refuse(
                    f"<{name}> has no attribute {quote(plain)}; known are {choices([*known.attributes, 'xml:lang'])}"
                )

    def _language(self, written: str) -> Tag:
        tag = parse_tag(written)
        code = tag.language
        if code not in self._options.languages:
            raise InvalidRequest(
                f"xml:lang {quote(written)} is {'not one of' if code in LANGUAGES else 'unknown;'} "
                f"the languages of this model: {choices(self._options.languages)}", field="text",
            )  # fmt: skip
        own = self._options.region if code == self._options.language else ""
        return Tag(code, region_of(code, tag.region or own))

    def paragraph(self, element: Element) -> None:
        del element
        self._builder.end_paragraph()

    def language(self, element: Element) -> None:
        if element.get(_XML + "lang") is None:
            raise InvalidRequest("SSML: <lang> needs xml:lang", field="text")

    def sentence(self, element: Element) -> None:
        del element
        self._builder.end_line()

    def nothing(self, element: Element) -> None:
        pass

    def pause(self, element: Element) -> None:
        if _content(element).strip() or len(element):
            raise InvalidRequest("SSML: <break> has no content", field="text")
        strength, time = element.get("strength"), element.get("time")
        if strength is not None and strength not in _STRENGTHS:
            raise InvalidRequest(
                f"SSML: strength of <break> is {choices(_STRENGTHS)}, not {quote(strength)}", field="text"
            )
        if time is not None:
            seconds = parse_time(time)
            if seconds is None:
                raise InvalidRequest(
                    f'SSML: time of <break> is like "1.5s" or "300ms", not {quote(time)}', field="text"
                )
            self._builder.pause(check_pause(seconds, time))
        elif (kind := _STRENGTHS[strength or "medium"]) is not None:
            self._builder.pause(self._options.pauses_s[kind])

    def substitute(self, element: Element) -> None:
        alias, content = " ".join((element.get("alias") or "").split()), self._words(element)
        if not alias:
            raise InvalidRequest("SSML: <sub> needs an alias", field="text")
        if len(alias) > LONGEST_ALIAS:
            raise InvalidRequest(
                f"SSML: an alias has at most {LONGEST_ALIAS} characters, not {len(alias)}", field="text"
            )
        self._spaced(element, [(content or alias, alias)])

    def say(self, element: Element) -> None:
        kind, content = element.get("interpret-as"), self._words(element)
        date_format = element.get("format")
        if kind is None or kind not in KINDS:
            self._refuse(f"interpret-as of <say-as> is {choices(KINDS)}, not {quote(kind)}")
            parts = None
        elif date_format is not None and kind != "date":
            self._refuse(f"format of <say-as> goes with the interpret-as date, not with {kind}")
            parts = None
        elif date_format is not None and date_format not in DATE_FORMATS:
            self._refuse(f"format of a date is {choices(DATE_FORMATS)}, not {quote(date_format)}")
            parts = None
        else:
            style = self._builder.style
            parts = say_as(kind, content, (style.language, style.region), date_format)
            if parts is None and content:
                where = LANGUAGES.get(
                    style.language, "a language that is not named: name it in the request or with <lang>"
                )
                self._refuse(f"{quote(content)} cannot be read as {kind} in {where}")
        self._spaced(element, parts or [(content, content)] if content else [])

    def _words(self, element: Element) -> str:
        if len(element):
            raise InvalidRequest(f"SSML: <{_name(element.tag)}> contains text only", field="text")
        return " ".join(_content(element).split())

    def _spaced(self, element: Element, parts: list[tuple[str, str]]) -> None:
        content = _content(element)
        if content[:1].isspace():
            self._builder.end_word()
        for written, spoken in parts:
            self._builder.add_span(written, spoken)
        if content[-1:].isspace():
            self._builder.end_word()

    def voice(self, element: Element) -> None:
        name = element.get("name")
        if name is None or re.fullmatch(VOICE_ID, name) is None:
            raise InvalidRequest(
                f"SSML: <voice> needs a name, an id of the voice library, not {quote(name)}", field="text"
            )
        self._builder.style = replace(self._builder.style, voice=name)

    def prosody(self, element: Element) -> None:
        if (written := element.get("rate")) is None:
            return
        style = self._builder.style
        rate = style.rate * self._rate(written.strip())
        if not _SLOWEST <= rate * self._options.speed <= _FASTEST:
            raise InvalidRequest(
                f"SSML: rate {quote(written)} gives a speed of {rate * self._options.speed:g}; a model speaks at "
                f"{_SLOWEST:g} to {_FASTEST:g}", field="text",
            )  # fmt: skip
        self._builder.style = replace(style, rate=rate)

    def _rate(self, written: str) -> float:
        if written in _RATES:
            return _RATES[written]
        found = _RATE.fullmatch(written)
        if found is None or (found["sign"] and not found["percent"]):
            raise InvalidRequest(
                f'SSML: rate of <prosody> is {choices(_RATES)}, a factor, "80%" or "-20%", not {quote(written)}',
                field="text",
            )
        number = float(found["number"]) / (100 if found["percent"] else 1)
        return {"": number, "+": 1 + number, "-": 1 - number}[found["sign"]]


def _name(tag: object) -> str:
    """As it is written: `p`, `xml:lang`; with its address in braces if it is in another namespace."""
    return str(tag).removeprefix(_NAMESPACE).replace(_XML, "xml:")


def _content(element: Element) -> str:
    return element.text or ""


_ELEMENTS: Mapping[str, _Known] = MappingProxyType({
    "speak": _Known(("version", "xml:base", "xmlns"), _Walker.nothing),
    "p": _Known((), _Walker.paragraph),
    "s": _Known((), _Walker.sentence),
    "break": _Known(("time", "strength"), _Walker.pause),
    "sub": _Known(("alias",), _Walker.substitute),
    "say-as": _Known(("interpret-as", "format"), _Walker.say),
    "lang": _Known((), _Walker.language),
    "voice": _Known(("name",), _Walker.voice),
    "prosody": _Known(("rate",), _Walker.prosody),
})  # fmt: skip
_LEAVES = ("break", "sub", "say-as")
