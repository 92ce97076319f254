"""Where a text may be cut, and how strong the break is at each position.

Rules, not a model: they must hold for 23 languages, never lose a character and take linear time. At an ambiguous full
stop the rules do not cut: two sentences in one piece sound right, a sentence cut after "Dr." does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from chatterbox_worker.text.abbreviations import ORDINAL_STOP, STREET, before_number, never_last
from chatterbox_worker.text.scripts import tags


class Break(IntEnum):
    """From the one to avoid most to the one with the longest silence."""

    CLUSTER = 0
    WORD = 1
    CLAUSE = 2
    LINE = 3
    SENTENCE = 4
    PARAGRAPH = 5


# Wide: marks of scripts that put no space after them. The others count only before a space ("3.14", "a?b=1", "10:30").
_WIDE_ENDERS = "。｡．！？⁇⁈⁉‼।॥؟۔׃"
_WIDE_CLAUSES = "，、､；：،؛·"
_ENDERS = _WIDE_ENDERS + "!?\u037e"  # U+037E is the Greek question mark
_CLAUSES = _WIDE_CLAUSES + ",;:"
_DASHES = "-–—―"
_RUN = re.compile(f"[{re.escape('.…' + _ENDERS + _CLAUSES + _DASHES)}]+")

_CLOSERS = ")]}」』）】〉》〕｝］”’"
_EITHER_WAY = "\"'“‘«»‹›"  # opens or closes, depending on the language; closes if no word follows
_SURE_OPENERS = "([{「『（【〈《〔｛［«„¿¡"
_OPENERS = _SURE_OPENERS + "»‹›‚“”‘’\"'*_#>" + _DASHES
_LOOK_BEHIND = 40  # characters; longer than any abbreviation
_LOOK_AHEAD = 8  # quotes and brackets before the next word
_ORDINAL = re.compile(r"[IVXLC]+|\d{1,2}\.[–/-]\d{1,2}")  # "3.–5. Mai"
_SHORT_WORD = 4  # letters; a full stop after at most these, before a lower-case word, is probably an abbreviation


@dataclass(frozen=True, slots=True)
class _Source:
    """The text with what the rules need to know about it as a whole."""

    text: str
    language: str
    is_cased: bool
    """Whether the text has capitals; without them, a lower-case letter after a full stop means nothing."""
    never_last: frozenset[str]
    before_number: frozenset[str]


def breaks(text: str, language: str | None = None) -> dict[int, Break]:
    """The strength of every possible break in `text`, by the index where the text before it ends, without white space.

    `language` is one of `catalogue.LANGUAGES` or a regional tag; None applies the rules that all languages share.
    """
    code = (language or "").partition("-")[0].lower()
    source = _Source(text, code, any(map(str.isupper, text)), never_last(code), before_number(code))
    found = {match.start(): Break.WORD for match in re.finditer(r"\s+", text)}
    sentence_start = 0
    for run in _RUN.finditer(text):
        end = _after_closers(text, run.end(), wide=run[0][-1] in _WIDE_ENDERS)
        strength = _strength(source, run, end, sentence_start)
        if strength is None:
            continue
        found[end] = max(found.get(end, Break.CLUSTER), strength)
        if strength >= Break.SENTENCE:
            sentence_start = end
    for match in re.finditer(r"\n+", text):
        at_end = Break.PARAGRAPH if len(match[0]) > 1 else Break.LINE
        found[match.start()] = max(found.get(match.start(), Break.CLUSTER), at_end)
    for start, end in tags(text):
        for index in range(start + 1, end):
            found.pop(index, None)
    return found


def opens(mark: str, before: Break, after: Break) -> bool:
    """Whether marks between two breaks belong to the text after them: "«", "¿", or at a line's start "–" or "*"."""
    return after < Break.SENTENCE and (mark[-1] in _SURE_OPENERS or (mark[-1] in _OPENERS and before >= Break.SENTENCE))


def _after_closers(text: str, index: int, *, wide: bool) -> int:
    while index < len(text):
        char, following = text[index], text[index + 1 : index + 2]
        ends = not following or following.isspace() or following in _CLOSERS + _EITHER_WAY
        if char in _CLOSERS or (char in _EITHER_WAY and ends) or (char == '"' and wide):
            index += 1
        elif char == " " and following == "»" and not text[index + 2 : index + 3].strip():
            index += 2  # « Bonjour. »
        else:
            break
    return index


def _strength(source: _Source, run: re.Match[str], end: int, sentence_start: int) -> Break | None:
    """The break after the punctuation in `run`, whose closing quotes reach to `end`; None for no break."""
    marks, text = run[0], source.text
    follower = text[end : end + 1]
    spaced = not follower.strip() or follower in "¿¡"
    last = marks[-1]
    if last in _DASHES:
        return _dash(text, run, spaced=spaced)
    if not spaced and last not in _WIDE_ENDERS + _WIDE_CLAUSES:
        return Break.CLAUSE if _is_ellipsis(marks) and _between_letters(text, run) else None
    if last in _CLAUSES:
        if source.language == "el" and last == ";":
            return _clause_if_continued(source, end, Break.SENTENCE)
        return None if last in _WIDE_CLAUSES and _between_digits(text, run) else Break.CLAUSE
    if any(mark in _ENDERS for mark in marks) or _is_ellipsis(marks):
        return _clause_if_continued(source, end, Break.SENTENCE)
    return _full_stop(source, run.start(), end, sentence_start) if marks == "." else Break.CLAUSE


def _dash(text: str, run: re.Match[str], *, spaced: bool) -> Break | None:
    is_alone = text[run.start() - 1 : run.start()].isspace() and spaced
    long = run[0] in {"—", "―", "--"} or len(run[0]) > 2
    return Break.CLAUSE if is_alone or (long and _between_letters(text, run)) else None


def _is_ellipsis(marks: str) -> bool:
    return "…" in marks or ".." in marks


def _between_letters(text: str, run: re.Match[str]) -> bool:
    return text[run.start() - 1 : run.start()].isalpha() and text[run.end() : run.end() + 1].isalpha()


def _between_digits(text: str, run: re.Match[str]) -> bool:
    return text[run.start() - 1 : run.start()].isdigit() and text[run.end() : run.end() + 1].isdigit()


def _clause_if_continued(source: _Source, end: int, strength: Break) -> Break:
    """CLAUSE before a lower-case word, where no sentence ends ("Stop!" he said.); else `strength`."""
    return Break.CLAUSE if source.is_cased and _next_word(source.text, end).islower() else strength


def _next_word(text: str, index: int) -> str:
    """The first letter or digit after `index`, past white space, quotes and brackets; "" if none is near."""
    return next((char for char in text[index : index + _LOOK_AHEAD] if char.isalnum()), "")


def _full_stop(source: _Source, stop: int, end: int, sentence_start: int) -> Break | None:
    text = source.text
    behind = text[max(sentence_start, stop - _LOOK_BEHIND) : stop]
    word = re.split(r"\s", behind)[-1]
    *lines, line = behind.split("\n")
    is_whole = bool(lines) or stop - sentence_start < _LOOK_BEHIND
    is_first = is_whole and not line[: len(line) - len(word)].strip(_OPENERS + " ")
    word = word.lstrip(_OPENERS)
    following = _next_word(text, end)
    if not word:
        return None
    if word.isdecimal():
        is_ordinal = source.language in ORDINAL_STOP and len(word) <= 2
        return None if is_first or is_ordinal else _clause_if_continued(source, end, Break.SENTENCE)
    if _is_abbreviation(source, word, following) or _is_initial(word, behind, source.language):
        return None
    if source.is_cased and following.islower():
        return Break.CLAUSE if len(word) > _SHORT_WORD and "." not in word else None
    if _is_dotted(word):  # "in the U.S. The army", "the U.S. Army"
        return Break.SENTENCE if word.casefold() in {"a.m", "p.m"} else Break.CLAUSE
    return Break.SENTENCE


def _is_abbreviation(source: _Source, word: str, following: str) -> bool:
    folded = word.casefold()
    if folded in source.never_last:
        return True
    if following.isdigit() and (folded in source.before_number or folded.endswith(STREET)):
        return True
    return source.language in ORDINAL_STOP and _ORDINAL.fullmatch(word) is not None


def _is_initial(word: str, behind: str, language: str) -> bool:
    """A single letter: a capital (J. R. R. Tolkien), or one of Arabic or Hebrew, whose words are never so short."""
    if len(word) != 1:
        return False
    if word == "I" and language in {"", "en"}:
        return not behind[:-2].rpartition(" ")[2].islower()  # "So do I." ends a sentence
    return word.isupper() or "\u05d0" <= word <= "\u06d3"


def _is_dotted(word: str) -> bool:
    parts = word.split(".")
    return len(parts) > 1 and all(part.isalpha() and len(part) <= 2 for part in parts)
