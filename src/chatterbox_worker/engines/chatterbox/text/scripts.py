"""The rewriting of Chinese, Japanese, Hebrew and Russian that the multilingual model expects before tokenization.

Each helper is loaded when its language is first requested. Like upstream, this continues without a missing helper and
logs it once, except where the result would not be speech: Chinese without the Cangjie table. Korean needs no helper:
NFKD already decomposes syllables into Jamo.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chatterbox_worker.errors import NotReady

_log = logging.getLogger(__name__)

Rewrite = Callable[[str], str]

_ACCENT = "\u0301"


def chinese(table: Path) -> Rewrite:
    """Characters become Cangjie codes, `[cj_o][cj_n][cj_f][cj_.]`, with spaces between words.

    `table` is Cangjie5_TC.json. Words are segmented by spacy-pkuseg with its "spacy_ontonotes" model (34 MB, stored in
    ~/.pkuseg or $PKUSEG_HOME, downloaded from its publisher if absent); without it there are no spaces between words.

    Raises:
        NotReady: the table is corrupt.
    """
    codes = _cangjie_codes(table)
    cut = _segmenter()

    def rewrite(text: str) -> str:
        return "".join(_spell(codes.get(character), character) for character in " ".join(cut(text)))

    return rewrite


def _spell(code: str | None, character: str) -> str:
    if code is None or unicodedata.category(character) != "Lo":
        return character
    return "".join(f"[cj_{key}]" for key in code) + "[cj_.]"


def _cangjie_codes(table: Path) -> dict[str, str]:
    """The code of every character; of characters that share one, the second and later get a number appended."""
    codes: dict[str, str] = {}
    characters: dict[str, list[str]] = {}
    try:
        entries = json.loads(table.read_text(encoding="utf-8"))
        pairs = [entry.split("\t")[:2] for entry in entries]
        for character, code in pairs:
            codes[character] = code
            characters.setdefault(code, []).append(character)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise NotReady(f"the Cangjie table {table} cannot be read: {error}") from error
    ranks = {character: characters[code].index(character) for character, code in codes.items()}
    return {character: f"{code}{ranks[character] or ''}" for character, code in codes.items()}


def _segmenter() -> Callable[[str], Sequence[str]]:
    """Pkuseg's `cut`, one call at a time; the whole text as one word if pkuseg is not available."""
    try:
        from spacy_pkuseg import pkuseg  # noqa: PLC0415

        segmenter = pkuseg()
    # OSError: no network (requests' errors are OSErrors), no file; the others: an interrupted download
    except (ImportError, OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        _log.warning("Chinese is read without spaces between words: spacy-pkuseg or its model is missing (%s)", reason)
        return lambda text: [text]
    lock = threading.Lock()

    def cut(text: str) -> Sequence[str]:
        with lock:
            words: Sequence[str] = segmenter.cut(text)
            return words

    return cut


def japanese() -> Rewrite:
    """Kanji become hiragana, with a space before the particles は and へ; kana stay."""
    try:
        import pykakasi  # noqa: PLC0415
    except ImportError:
        _log.warning("Japanese is read without converting kanji to kana: pykakasi is not installed")
        return lambda text: text
    kakasi, lock = pykakasi.kakasi(), threading.Lock()

    def rewrite(text: str) -> str:
        with lock:
            parts = kakasi.convert(text)
        return unicodedata.normalize("NFKD", "".join(_kana(part["orig"], part["hira"]) for part in parts))

    return rewrite


def _kana(written: str, hiragana: str) -> str:
    if not any("一" <= character <= "\u9fff" for character in written):
        return written
    return f" {hiragana}" if hiragana[:1] in ("は", "へ") else hiragana


class Helper:
    """A third-party model that adds marks to a language's text; it is loaded with the first text.

    Every failure leaves the text unchanged, as in upstream. Safe to call from any thread.
    """

    def __init__(self, what: str, load: Callable[[], Rewrite]) -> None:
        """`what` is missing without it: "Russian is read without stress marks"."""
        self.problem = ""
        """Why it cannot be used, as a sentence for the caller; empty as long as it can."""
        self._what = what
        self._load = load
        self._rewrite: Rewrite | None = None
        self._lock = threading.Lock()

    def __call__(self, text: str) -> str:
        with self._lock:
            if self._rewrite is None:
                self._rewrite = self._loaded()
            try:
                return self._rewrite(text)
            except Exception as error:  # noqa: BLE001 - their runtimes raise anything
                _log.warning("%s here: %s", self._what, error)
                return text

    def _loaded(self) -> Rewrite:
        try:
            return self._load()
        except ImportError as error:
            self.problem = f"{self._what}: {str(error.name).replace('_', '-')} is not installed"
        except Exception as error:  # noqa: BLE001 - the same
            self.problem = f"{self._what}: {error}"
        _log.warning("%s", self.problem)
        return lambda text: text


def hebrew(model: Path) -> Helper:
    """Vowel points by dicta-onnx, if it is installed and its model is at `model`; no package has the model itself."""

    def load() -> Rewrite:
        from dicta_onnx import Dicta  # noqa: PLC0415

        if not model.is_file():
            raise FileNotFoundError(f"dicta-onnx needs its model as {model.name} next to this model's weights")
        rewrite: Rewrite = Dicta(str(model)).add_diacritics
        return rewrite

    return Helper("Hebrew is read without vowel points", load)


def russian() -> Helper:
    """Stress marks by silero-stress: U+0301 after the vowel of every word with two vowels or more, and "ё" for "е"
    where it is one. Upstream's helper, russian-text-stresser, has the same form and is in no package index.
    """

    def load() -> Rewrite:
        import torch  # noqa: PLC0415

        threads = torch.get_num_threads()
        try:
            # it sets the number of threads to one, and its model switches gradients off, without which nothing trains
            with torch.no_grad():
                from silero_stress import load_accentor  # noqa: PLC0415

                accentor = load_accentor()
        finally:
            torch.set_num_threads(threads)

        def rewrite(text: str) -> str:
            composed = unicodedata.normalize("NFC", text)
            with torch.inference_mode():
                marked = accentor(composed, stress_single_vowel=False)
            return unicodedata.normalize("NFKD", _accents(composed, marked))

        return rewrite

    return Helper("Russian is read without stress marks", load)


def _accents(text: str, marked: str) -> str:
    """`marked` has a plus before each stressed vowel; a word that had an accent or a plus itself stays as it was.

    No accent is put on "ё", which is always stressed.
    """
    words, others = text.split(" "), marked.split(" ")
    if len(words) == len(others):
        others = [word if _ACCENT in word or "+" in word else other for word, other in zip(words, others, strict=True)]
    return re.sub(r"\+([аеиоуыэюя])", rf"\1{_ACCENT}", " ".join(others)).replace("+ё", "ё")
