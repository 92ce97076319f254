"""Marks inside a line that are not spoken: emphasis, drawn lines, symbols and emoji; and letters in other forms.

Nothing here needs to know the language of the text, but the names of emoji, which are CLDR's (the package emoji).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from chatterbox_worker.errors import InvalidRequest, choices

_PICTURES = (
    "\u2190-\u21ff"  # arrows
    "\u2300-\u2328\u232b-\u245f"  # technical signs, without the angle brackets
    "\u2500-\u2775\u2794-\u27bf"  # boxes, blocks, shapes, dingbats, without the digits in circles
    "\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff"  # more arrows
    "\u2022\u2023\u2043\u204c\u204d\u2020\u2021\u2042\u20e3"  # bullets, daggers, asterism, keycap
    "\U0001f000-\U0001f0ff\U0001f1e6-\U0001faff"  # tiles, cards, flags, emoji
)
_PICTURE = re.compile(f"[{_PICTURES}]")
_PICTURE_RUN = re.compile(rf" ?[{_PICTURES}](?: ?[{_PICTURES}])*+ ?")
_ARROW = re.compile("[\u2190-\u21ff\u2794\u2798-\u27af\u27b1-\u27be\u27f0-\u27ff\u2900-\u297f\u25b6\u25b8\u25ba]")
_STEP = re.compile(r"(?<=[\w\"”»’')\]]) ?(?:[-=]{1,2}>|(?<=[^\W\d_]{2} )>(?= [A-ZÀ-Þ][^\W\d_])) ?(?=[\w\"“«‘'(\[])")
"""From one to the next: "A -> B", and of names only "Settings > General", because "x > y" is a comparison."""
_MARKS = tuple(".,!?;:…)。，！？")
_HEARTS = re.compile(
    r"(?:^| )<3+(?: <3+)++"  # two or more compare nothing
    r"|(?<=!) <3+(?= [A-ZÀ-Þ])"
    rf"|(?:(?<=[.!?…~{_PICTURES}]) ?|(?<=[:;]\)) |(?<=[^\W\d_]{{2}}) )<3+(?=!*$)"
)
"""The emoticon, where it follows a sentence or ends a line: "love you <3". A single one alone may be a table's cell."""
_WORDS_BEFORE = re.compile(r"[\d=<>≤≥±%]|[A-ZÀ-ÞΑ-ΩА-ЯЁ][^\W\d_]*$")
"""In the two words before it: what makes it a comparison, as in "pH <3"."""
_CELL = re.compile(r" ?(?:[|│┃║](?: ?[|│┃║])*+|(?<= )[•·](?= )) ?")
_EMPHASIS = (
    (re.compile(r"(?<=\d)( ?)\*( ?)(?=\d)"), "\\1×\\2"),
    (re.compile(r"[*`]|~{2,}|_{2,}|={3,}|\+{3,}|#{3,}|\^{3,}"), ""),
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), ""),
    (re.compile(r" ?\[\^\d{1,3}\]:?"), ""),  # a footnote of markdown
    (re.compile(r"-{3,}"), "—"),
)
_SIGNS = str.maketrans(
    dict.fromkeys("®™℠©℗¶¦{}", "")
    | dict.fromkeys("\u2010\u2011\u2012", "-")  # a hyphen, one where no line breaks, a dash as wide as a digit
    | {"‽": "?!", "‼": "!!", "⁇": "??", "⁈": "?!", "⁉": "!?"}
)
_FORM_RANGES = "\ufb00-\ufb06\u2160-\u217f\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff"
"""Ligatures, as in copies of PDFs, Roman numerals of one character, wide and mathematical letters."""
_ACCENTS = "\u0300-\u036f"  # characters of their own, as in names of files on macOS
_MOST_ACCENTS = 30  # on one letter (UAX #15 section 13): the time to put them in order grows with their square
_OTHER_FORM = re.compile(rf"[{_FORM_RANGES}]+|[^\W\d_][{_ACCENTS}]{{1,{_MOST_ACCENTS}}}")
_ADDRESS = re.compile(r"://|www\.|\w@\w")
_AROUND_ADDRESS = "*_~`"
_SUSPECT = re.compile(rf"[*`~_=+#^|<>•·{_PICTURES}{_FORM_RANGES}{_ACCENTS}{''.join(map(chr, _SIGNS))}-]")

_EMOJI_LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "tr", "zh")
"""Those of `catalogue.LANGUAGES` that the package has the names in."""


def drop_marks(text: str) -> str:
    """The text without marks that cannot be spoken; white space at its ends stays, other white space may collapse.

    "2 * 3" becomes "2 × 3", a row of hyphens a dash, a bar between cells or an arrow a comma, the one character "ﬁ"
    two, and a heart ("<3") nothing. Web and e-mail addresses stay.
    """
    if _SUSPECT.search(text) is None:
        return text
    words = text.lstrip()
    before, after = len(words) < len(text), text[-1:].isspace()
    if _ADDRESS.search(text) is None:
        parts = [_drop(" ".join(text.split()))]
    else:
        groups = groupby(text.split(), lambda word: _ADDRESS.search(word) is not None)
        parts = [
            " ".join(word.strip(_AROUND_ADDRESS) for word in words) if is_address else _drop(" ".join(words))
            for is_address, words in groups
        ]
    kept = " ".join(parts)
    if kept.startswith(_MARKS) and not words.startswith(_MARKS):
        before = False  # what stood between the white space and the mark is gone
    return " " * before + kept + " " * after


def _drop(text: str) -> str:
    text = _HEARTS.sub(lambda heart: heart[0] if _compares(heart[0], text[: heart.start()]) else "", text)
    text = text.translate(_SIGNS)
    text = _OTHER_FORM.sub(lambda letters: unicodedata.normalize("NFKC", letters[0]), text)
    text = _CELL.sub(lambda cell: ", " if cell.start() > 0 and cell.end() < len(text) else " ", text)
    text = _STEP.sub(", ", text)
    for pattern, instead in _EMPHASIS:
        text = pattern.sub(instead, text)
    return _PICTURE_RUN.sub(lambda run: _instead_of_pictures(run, text), text)


def _compares(heart: str, before: str) -> bool:
    return heart.count("<") == 1 and _WORDS_BEFORE.search(" ".join(before.rsplit(maxsplit=2)[-2:])) is not None


def _instead_of_pictures(run: re.Match[str], text: str) -> str:
    if text.startswith(_MARKS, run.end()):
        return ""
    is_between = run.start() > 0 and run.end() < len(text) and text[run.start() - 1] not in _MARKS
    return ", " if is_between and _ARROW.search(run[0]) else " "


def split_at_emoji(text: str, language: str | None) -> Iterator[tuple[str, str | None]]:
    """The parts of the text, each with its name if it is an emoji; without a language there is one part.

    Raises:
        InvalidRequest: there are emoji, but no names in this language.
    """
    place = 0
    if language is not None and _PICTURE.search(text):
        import emoji  # noqa: PLC0415 - only for a text with emoji that is to be read with them

        for found in emoji.analyze(text, join_emoji=True):
            token = found.value
            if isinstance(token, str):
                continue
            if token.emoji[0].isascii() or not _PICTURE.search(token.emoji):
                continue  # a digit in a box, or a sign such as ©
            if language not in _EMOJI_LANGUAGES:
                raise InvalidRequest(
                    f'emoji "read" has names in {choices(_EMOJI_LANGUAGES)}, not in {language}', field="emoji"
                )
            yield text[place : token.start], None
            name = emoji.demojize(token.emoji, language=language, delimiters=("", ""))
            yield token.emoji, " ".join(name.replace("_", " ").split())
            place = token.end
    yield text[place:], None
