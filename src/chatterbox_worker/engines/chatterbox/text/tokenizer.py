"""Text to token ids, equal to those of upstream's tokenizers, without upstream's or transformers' imports.

A character that the loaded tokenizer lacks is written otherwise (`spelling`); upstream's make it [UNK]. Three kinds:
English (characters merged, case preserved; flash's after a rewriting), multilingual (NFKD, lower
case, a language token first, scripts rewritten by `scripts`) and turbo's GPT-2 byte-level BPE with its tags. The caller
adds start and stop tokens: the Llama models take `[START_TEXT, *ids, STOP_TEXT]`, the GPT-2 models the ids alone.
"""

from __future__ import annotations

import json
import threading
import unicodedata
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers  # type: ignore[import-untyped]

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.text import scripts
from chatterbox_worker.engines.chatterbox.text.flash_english import normalise_english
from chatterbox_worker.engines.chatterbox.text.spelling import Speller
from chatterbox_worker.errors import NotReady
from chatterbox_worker.text.origins import Range, compose, cover, origins

_SPACE = "[SPACE]"
_CANGJIE = "Cangjie5_TC.json"
_HEBREW = "dicta.onnx"
_REPLACED = ("ja", "zh")  # the languages whose characters the rewriting replaces; it adds marks to those of the others
_REMEMBERED = 4096  # characters of them: about as many as are in use
_END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token


class TextTokenizer(Protocol):
    """Safe to call from any thread."""

    def encode(self, text: str, language: str) -> list[int]:
        """Ids of `text`, without start and stop.

        `language` is one that the model speaks, or a regional tag of one.
        """

    def problem(self, language: str) -> str:
        """What a text in this language lacked when it was encoded, as a sentence; empty if nothing."""

    def left_out(self, text: str, language: str) -> str:
        """The letters, digits and symbols of `text`, each once, that have no part in the ids of `encode`."""

    def spans(self, text: str, language: str) -> list[Range]:
        """The part of `text` that each id of `encode` stands for; empty for an id that stands for none of it.

        Ids of a part that was rewritten as a whole (kanji as kana, Chinese as Cangjie codes) have that part each.
        """


def load_tokenizer(checkpoint: Checkpoint) -> TextTokenizer:
    """The tokenizer of the checkpoint's model.

    Raises:
        NotReady: a file is missing or corrupt, or is not the tokenizer of a model of this size.
    """
    layout = checkpoint.layout
    paths = [checkpoint.path(name) for name in layout.tokenizer]
    try:
        tokenizer = _byte_level(*paths) if len(paths) > 1 else Tokenizer.from_file(str(paths[0]))
    # tokenizers raises a bare Exception for a file that it cannot parse
    except Exception as error:
        raise NotReady(f"the tokenizer {paths[0]} cannot be read: {error}") from error
    if tokenizer.get_vocab_size() != layout.text_vocab:
        raise NotReady(
            f"the tokenizer {paths[0]} has {tokenizer.get_vocab_size()} tokens; {layout.name} has {layout.text_vocab}"
        )
    if layout.is_gpt:
        return ByteTokenizer(tokenizer)
    for token, number in (("[START]", START_TEXT), ("[STOP]", STOP_TEXT)):
        if tokenizer.token_to_id(token) != number:
            raise NotReady(f"the tokenizer {paths[0]} has {token} at {tokenizer.token_to_id(token)}, not {number}")
    if layout.names_language:
        return MultilingualTokenizer(tokenizer, checkpoint)
    return CleaningTokenizer(tokenizer) if layout.cleans_english else EnglishTokenizer(tokenizer)


class EnglishTokenizer:
    """Upstream's EnTokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._speller = tokenizer, Speller(tokenizer)

    def encode(self, text: str, language: str) -> list[int]:  # noqa: ARG002 - it has one language
        ids: list[int] = self._tokenizer.encode(self._speller.spell(text).text.replace(" ", _SPACE)).ids
        return ids

    def problem(self, language: str) -> str:  # noqa: ARG002
        return ""

    def left_out(self, text: str, language: str) -> str:  # noqa: ARG002 - it has one language
        return _in_order(text, self._speller.left_out(text))

    def spans(self, text: str, language: str) -> list[Range]:  # noqa: ARG002 - it has one language
        return _spans(self._tokenizer, *_respelled(self._speller, text, _each(text)))


class CleaningTokenizer(EnglishTokenizer):
    """Chatterbox-Flash's: the same ids, of the text as `flash_english` writes it."""

    def encode(self, text: str, language: str) -> list[int]:
        return super().encode(normalise_english(text), language)

    def left_out(self, text: str, language: str) -> str:
        if not super().left_out(text, language):
            return ""
        return super().left_out(normalise_english(text), language)  # which has words for some

    def spans(self, text: str, language: str) -> list[Range]:  # noqa: ARG002 - it has one language
        cleaned = normalise_english(text)
        return _spans(self._tokenizer, *_respelled(self._speller, cleaned, origins(text, cleaned)))


class ByteTokenizer:
    """Turbo's and nano's: any text has ids, and a tag such as [laugh] is one token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str, language: str) -> list[int]:  # noqa: ARG002 - bytes need no language
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def problem(self, language: str) -> str:  # noqa: ARG002
        return ""

    def left_out(self, text: str, language: str) -> str:  # noqa: ARG002 - every byte has a token
        return ""

    def spans(self, text: str, language: str) -> list[Range]:  # noqa: ARG002 - bytes need no language
        return list(self._tokenizer.encode(text).offsets)


class MultilingualTokenizer:
    """Upstream's MTLTokenizer; a language's helper is loaded with its first text."""

    def __init__(self, tokenizer: Tokenizer, checkpoint: Checkpoint) -> None:
        self._tokenizer, self._speller = tokenizer, Speller(tokenizer)
        self._is_left_out = lru_cache(_REMEMBERED)(self._find_left_out)
        self._loaders: dict[str, Callable[[], scripts.Rewrite]] = {
            "zh": lambda: scripts.chinese(checkpoint.path(_CANGJIE)),
            "ja": scripts.japanese,
            "he": lambda: scripts.hebrew(checkpoint.folder / _HEBREW),
            "ru": scripts.russian,
            "ko": lambda: str.strip,
        }
        self._rewrites: dict[str, scripts.Rewrite] = {}
        self._lock = threading.Lock()

    def encode(self, text: str, language: str) -> list[int]:
        """See `TextTokenizer`.

        Raises:
            NotReady: Chinese, and the checkpoint lacks the Cangjie table.
            ValueError: a language that the model has no token for.
        """
        code = self._code(language)
        text = self._speller.spell(self._rewrite(code)(_decompose(text))).text
        ids: list[int] = self._tokenizer.encode(f"[{code}]{text}".replace(" ", _SPACE)).ids
        return ids

    def speaks(self, language: str) -> bool:
        """Whether it has the language's token."""
        return self._tokenizer.token_to_id(f"[{language}]") is not None

    def unknown(self, text: str, language: str) -> set[str]:
        """The characters of `text`, as it is encoded, that have no token. It may lack the language's too."""
        return self._speller.unknown(self._rewrite(language)(_decompose(text)))

    def problem(self, language: str) -> str:
        rewrite = self._rewrite(language.partition("-")[0].lower())
        return rewrite.problem if isinstance(rewrite, scripts.Helper) else ""

    def left_out(self, text: str, language: str) -> str:
        lost = self._speller.left_out(_decompose(text))
        if lost and (code := self._code(language)) in _REPLACED:
            lost = {character for character in lost if self._is_left_out(character, code)}
            if lost:  # one that is read only next to another, such as "々", is not
                lost &= self._speller.left_out(self._rewrite(code)(_decompose(text)))
        return _in_order(text, {each for each in set(text) if lost.intersection(_decompose(each))} if lost else ())

    def _find_left_out(self, character: str, code: str) -> bool:
        """Whether it has neither a token nor a stand-in after the rewriting of its script."""
        return bool(self._speller.left_out(self._rewrite(code)(character)))

    def spans(self, text: str, language: str) -> list[Range]:
        code, decomposed = self._code(language), _decompose(text)
        parts = [_decompose(character) for character in text]
        if len("".join(parts)) == len(decomposed):  # else a character is decomposed otherwise next to another one
            ranges = [(index, index + 1) for index, part in enumerate(parts) for _ in part]
        else:
            ranges = origins(text, decomposed)
        rewritten = self._rewrite(code)(decomposed)
        if rewritten != decomposed:
            ranges = compose(ranges, origins(decomposed, rewritten))
        return _spans(self._tokenizer, *_respelled(self._speller, rewritten, ranges), f"[{code}]")

    def _code(self, language: str) -> str:
        code = language.partition("-")[0].lower()
        if not self.speaks(code):
            raise ValueError(f"no language token for {language!r}")
        return code

    def _rewrite(self, code: str) -> scripts.Rewrite:
        with self._lock:
            if code not in self._rewrites:
                load = self._loaders.get(code)
                self._rewrites[code] = load() if load else lambda text: text
            return self._rewrites[code]


def _decompose(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower())


def _in_order(text: str, characters: Container[str]) -> str:
    """Those of the characters that are in the text, each once."""
    return "".join(dict.fromkeys(each for each in text if each in characters)) if characters else ""


def _respelled(speller: Speller, text: str, ranges: Sequence[Range]) -> tuple[str, Sequence[Range]]:
    """The text as it is encoded, and the ranges of its characters, from those of the text's."""
    spelled, own = speller.spell(text)
    return spelled, ranges if own is None else compose(ranges, own)


def _each(text: str) -> list[Range]:
    return [(index, index + 1) for index in range(len(text))]


def _spans(tokenizer: Tokenizer, text: str, ranges: Sequence[Range], prefix: str = "") -> list[Range]:
    """What the tokens of the prefix and the text stand for, whose characters have these ranges."""
    spelled = [(0, 0)] * len(prefix)
    for character, span in zip(text, ranges, strict=True):
        spelled += [span] * (len(_SPACE) if character == " " else 1)
    offsets = tokenizer.encode(f"{prefix}{text}".replace(" ", _SPACE)).offsets
    return [cover(spelled, start, end) for start, end in offsets]


def _byte_level(vocabulary: Path, merges: Path, added: Path) -> Tokenizer:
    """GPT-2's tokenizer from its three files, as transformers builds it.

    Raises:
        ValueError: the added tokens do not follow the vocabulary without gap.
    """
    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(_END_OF_TEXT, normalized=True)])
    numbers: dict[str, int] = json.loads(added.read_text(encoding="utf-8"))
    for token in sorted(numbers, key=numbers.__getitem__):
        tokenizer.add_tokens([AddedToken(token)])
        if tokenizer.token_to_id(token) != numbers[token]:
            raise ValueError(f"{token} is {numbers[token]} in {added}, {tokenizer.token_to_id(token)} by its position")
    return tokenizer
