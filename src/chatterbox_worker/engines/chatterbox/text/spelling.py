"""A text in characters that the loaded tokenizer has tokens for; one that has only such characters stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tokenizers import Tokenizer  # type: ignore[import-untyped]

from chatterbox_worker.engines.chatterbox.text.stand_ins import is_spoken, same_letter, stand_ins
from chatterbox_worker.text.origins import Range

UNKNOWN = "[UNK]"
"""The token of upstream's tokenizers for a character without one."""
_REMEMBERED = 4096  # characters: more than a text has
_STOPS = frozenset(".,;:!?-…،؛؟。、！？，")  # marks that need no comma before or after them


class Spelling(NamedTuple):
    text: str
    ranges: Sequence[Range] | None = None
    """The part of the text as it was that each character stands for; None if nothing was replaced."""


class Speller:
    """Safe to call from any thread."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.token_to_id(UNKNOWN)
        # a space is written as a token of its own, see `tokenizer`
        self._known = frozenset({" ", *(token for token in tokenizer.get_vocab() if len(token) == 1)})
        added = {token.content for token in tokenizer.get_added_tokens_decoder().values()} - {UNKNOWN}
        longest_first = sorted((token for token in added if len(token) > 1), key=len, reverse=True)
        self._added = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._is_encoded = lru_cache(_REMEMBERED)(self._try)
        self._stand_in = lru_cache(_REMEMBERED)(self._find_stand_in)

    def spell(self, text: str) -> Spelling:
        """The text with a stand-in for each character without a token, or without it if there is none.

        Tokens that are written out, such as "[cj_a]", stay.
        """
        if UNKNOWN not in text and (self._known.issuperset(text) or self._knows(self._added.sub("", text))):
            return Spelling(text)
        spelled = _Spelled(text)
        place = 0
        for found in self._added.finditer(text):
            self._spell_part(spelled, place, found.start())
            spelled.keep(found.start(), found.end())
            place = found.end()
        self._spell_part(spelled, place, len(text))
        return spelled.end()

    def unknown(self, text: str) -> set[str]:
        """The characters that have no token."""
        if self._known.issuperset(text):
            return set()
        plain = set(self._added.sub("", text)) - self._known
        return {character for character in plain if not self._has_token(character)}

    def left_out(self, text: str) -> set[str]:
        """The letters, digits and symbols that have neither a token nor a stand-in."""
        return {character for character in self.unknown(text) if self._stand_in(character) is None}

    def _knows(self, text: str) -> bool:
        return all(self._has_token(character) for character in set(text) - self._known)

    def _has_token(self, character: str) -> bool:
        return character in self._known or self._is_encoded(character)

    def _spell_part(self, spelled: _Spelled, start: int, end: int) -> None:
        for index in range(start, end):
            character = spelled.before[index]
            stand_in = self._stand_in(character) or ""
            if stand_in == character:
                spelled.keep(index, index + 1)
            elif stand_in == ",":
                spelled.pause(index)
            else:
                spelled.replace(index, stand_in)

    def _find_stand_in(self, character: str) -> str | None:
        """Itself if it has a token; None if it is spoken and cannot be replaced."""
        if self._has_token(character):
            return character
        other = same_letter(character)
        if other is not None and self._has_token(other):
            return other
        ways = list(stand_ins(character))
        for way in ways:
            if all(map(self._has_token, way)):
                return way
        for way in ways:
            parts = [self._stand_in(each) for each in way]
            if None not in parts:
                return "".join(filter(None, parts))
        return None if is_spoken(character) else ""

    def _try(self, character: str) -> bool:
        """Whether one that is not in the vocabulary is encoded: tokenizers may normalise it, and drop white space."""
        if character.isspace() and not "\x1c" <= character <= "\x1f":  # which are none for its regular expressions
            return True
        ids = self._tokenizer.encode(character).ids
        return bool(ids) and self._unknown not in ids


class _Spelled:
    """What has been spelled of a text so far."""

    def __init__(self, before: str) -> None:
        self.before = before
        self.characters: list[str] = []
        self.ranges: list[Range] = []
        self._has_gap = False
        """Whether something was left out after the last character."""

    def keep(self, start: int, end: int) -> None:
        if self._has_gap and self._closes_gap(self.before[start]):
            return
        self.characters += self.before[start:end]
        self.ranges += [(index, index + 1) for index in range(start, end)]
        self._has_gap = False

    def _closes_gap(self, character: str) -> bool:
        """One space where something between two was left out, and none before a mark; whether it is this character."""
        if character == " ":
            return not self.characters or self.characters[-1] == " "
        if character in _STOPS and self.characters[-1:] == [" "]:
            self._drop(-1)
        return False

    def replace(self, index: int, characters: str) -> None:
        if characters == " " and self.characters[-1:] in ([], [" "]):
            characters = ""
        self.characters += characters
        self.ranges += [(index, index + 1)] * len(characters)
        self._has_gap = characters in ("", " ")

    def pause(self, index: int) -> None:
        """A comma after the word before, where no mark is."""
        place = next((i for i in reversed(range(len(self.characters))) if self.characters[i] != " "), None)
        after = next((each for each in self.before[index + 1 :] if each != " "), None)
        if place is not None and after is not None and not _STOPS & {self.characters[place], after}:
            end = self.ranges[place][1]
            self.characters.insert(place + 1, ",")
            self.ranges.insert(place + 1, (end, end))
        self._has_gap = True

    def end(self) -> Spelling:
        """Where `UNKNOWN` is written out, in the text or because of what was left out, its bracket is left out, too."""
        if self._has_gap and self.characters[-1:] == [" "]:
            self._drop(-1)
        while (place := "".join(self.characters).find(UNKNOWN)) >= 0:
            self._drop(place)
        return Spelling("".join(self.characters), self.ranges)

    def _drop(self, place: int) -> None:
        del self.characters[place], self.ranges[place]
