"""The language of each paragraph, for a text whose language was not named.

Most scripts name their language among those of the models. For Latin letters a small identifier decides, py3langid,
which is loaded when it is first needed. A paragraph that is too short to tell takes the language of its nearest
neighbour in the same script, unless it can hardly be that one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.text.reading import Reading, Stretch

AUTO = "auto"
"""A stretch's language until it is found."""

_SCRIPTS = {
    "ko": re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]"),
    "ja": re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9d]"),
    "he": re.compile(r"[\u05d0-\u05f2]"),
    "el": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"),
    "hi": re.compile(r"[\u0904-\u0939\u0958-\u0961]"),
    "ar": re.compile(r"[\u0620-\u064a\u066e-\u06d3]"),
    "ru": re.compile(r"[\u0400-\u052f]"),
    "zh": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
}
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_HAN_LETTERS = 3.0  # a Han character says as much as three letters (`scripts.weight`)
_KANA_SHARE = 0.1  # of a Japanese text's characters; a Chinese one may quote a Japanese word
_SURE_LETTERS = 12  # of Latin letters: about two words
_SURE_HAN = 10  # a heading of Han characters may be Japanese, too
_SURE = 0.8  # probability among the models' languages
_HARDLY = 0.05  # of the guess's own probability: "Good morning" among Spanish paragraphs stays English

_Identifier = Callable[[str], Sequence[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class _Guess:
    script: str
    """"latin", "cjk", or the one language that has the script; "" without letters."""
    language: str
    is_sure: bool
    shares: Mapping[str, float] = field(default_factory=dict)
    """The probability of each language, where an identifier was asked."""

    def may_be(self, language: str) -> bool:
        return not self.shares or self.shares.get(language, 0.0) >= _HARDLY * self.shares[self.language]


def identify_languages(reading: Reading, languages: Sequence[str]) -> Reading:
    """The reading with every stretch of language `AUTO` cut into paragraphs of one language, of `languages`."""
    if all(stretch.language != AUTO for stretch in reading.stretches):
        return reading
    parts = [part for stretch in reading.stretches for part in _paragraphs(reading.text, stretch)]
    guesses = [_guess(reading.spoken(part.start, part.end), languages) if part.language == AUTO
               else _Guess("named", part.language, is_sure=True) for part in parts]  # fmt: skip
    settled = _settle(guesses, languages)
    found = [replace(part, language=language) for part, language in zip(parts, settled, strict=True)]
    return replace(reading, stretches=tuple(_merge(found, reading.stretches)))


def language_of_script(text: str) -> str | None:
    """The language of `catalogue.LANGUAGES` that most letters of the text are of, if its script names one."""
    guess = max(_SCRIPTS, key=lambda name: len(_SCRIPTS[name].findall(text)))
    return guess if _SCRIPTS[guess].search(text) else None


def main_language(stretches: Sequence[Stretch]) -> str:
    """The language that most of the text is in; of two with as much, the first."""
    lengths: Counter[str] = Counter()
    for stretch in stretches:
        lengths[stretch.language] += stretch.end - stretch.start
    return max(lengths, key=lengths.__getitem__)


def _paragraphs(text: str, stretch: Stretch) -> Iterator[Stretch]:
    """The parts of a stretch of unknown language, each with the break after it; any other stretch as it is."""
    start = stretch.start
    if stretch.language == AUTO:
        for gap in re.finditer(r"\n\n+", text[stretch.start : stretch.end]):
            if (end := stretch.start + gap.end()) < stretch.end:
                yield replace(stretch, start=start, end=end, pause_s=None)
                start = end
    yield replace(stretch, start=start)


def _merge(parts: Sequence[Stretch], whole: Sequence[Stretch]) -> Iterator[Stretch]:
    """Neighbours in one language that were one stretch become one again."""
    ends = [stretch.end for stretch in whole]

    def key(part: Stretch) -> tuple[int, str]:
        return bisect_left(ends, part.end), part.language

    for _, group in groupby(parts, key):
        first, *others = group
        yield replace(others[-1], start=first.start) if others else first


def _guess(text: str, languages: Sequence[str]) -> _Guess:
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    latin = len(_LATIN.findall(text))
    han = counts["zh"] + counts["ja"]
    name = max(counts, key=counts.__getitem__)
    if not latin and not counts[name]:
        return _Guess("", "", is_sure=False)
    if max(han * _HAN_LETTERS, counts[name]) < latin:
        return _guess_latin(text, latin, languages)
    if name in ("zh", "ja"):
        is_japanese = counts["ja"] >= _KANA_SHARE * han
        return _of(_Guess("cjk", "ja" if is_japanese else "zh", is_sure=is_japanese or han > _SURE_HAN), languages)
    return _of(_Guess(name, name, is_sure=True), languages)


def _of(guess: _Guess, languages: Sequence[str]) -> _Guess:
    return guess if guess.language in languages else _Guess("", "", is_sure=False)


def _guess_latin(text: str, letters: int, languages: Sequence[str]) -> _Guess:
    shares = {code: share for code, share in _identifier()(text) if code in languages and code not in _SCRIPTS}
    total = sum(shares.values())
    if not total:
        return _Guess("latin", "", is_sure=False)
    code = max(shares, key=shares.__getitem__)
    return _Guess("latin", code, letters >= _SURE_LETTERS and shares[code] >= _SURE * total, shares)


def _settle(guesses: Sequence[_Guess], languages: Sequence[str]) -> list[str]:
    """The language of each: the guess itself if it is sure, else that of the nearest sure neighbour in the same script,
    else the guess; without letters, that of the nearest neighbour.
    """
    near: dict[str, list[str]] = {
        script: _nearest([each.language if each.is_sure and each.script == script else "" for each in guesses])
        for script in {each.script for each in guesses if each.language and not each.is_sure}
    }
    settled = []
    for index, guess in enumerate(guesses):
        neighbour = near[guess.script][index] if guess.language and not guess.is_sure else ""
        settled.append(neighbour if neighbour and guess.may_be(neighbour) else guess.language)
    default = "en" if "en" in languages else languages[0]
    return [language or default for language in _nearest(settled)]


def _nearest(values: Sequence[str]) -> list[str]:
    """For each place the nearest value that is not empty; of two equally near, the one before."""
    filled = [index for index, value in enumerate(values) if value]
    result = []
    for index in range(len(values)):
        after = bisect_left(filled, index)
        _, place = min(
            ((abs(place - index), place) for place in filled[max(0, after - 1) : after + 1]), default=(0, index)
        )
        result.append(values[place])
    return result


@cache
def _identifier() -> _Identifier:
    """Takes 1 s of CPU to load; safe to call from any thread."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - for texts in no named language

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    rank: _Identifier = identifier.rank
    return rank
