"""The rewriting of Chinese, Japanese, Hebrew and Russian that the multilingual model expects before tokenization.

Each helper is loaded when its language is first requested. Like upstream, this continues without a missing helper and
logs it once, except where the result would not be speech: Chinese without the Cangjie table. Korean needs no helper:
NFKD already decomposes syllables into Jamo.
"""

from __future__ import annotations

import json
import logging
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chatterbox_worker.errors import NotReady

_log = logging.getLogger(__name__)

Rewrite = Callable[[str], str]


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


def hebrew() -> Rewrite:
    """Vowel points by dicta-onnx, if it is installed."""
    try:
        from dicta_onnx import Dicta  # noqa: PLC0415
    except ImportError:
        _log.warning("Hebrew is read without vowel points: dicta-onnx is not installed")
        return lambda text: text
    return _guard("Hebrew vowel points", lambda: Dicta().add_diacritics)


def russian() -> Rewrite:
    """Stress marks by russian-text-stresser, if it is installed."""
    try:
        from russian_text_stresser.text_stresser import RussianTextStresser  # noqa: PLC0415
    except ImportError:
        _log.warning("Russian is read without stress marks: russian-text-stresser is not installed")
        return lambda text: text
    return _guard("Russian stress marks", lambda: RussianTextStresser().stress_text)


def _guard(name: str, load: Callable[[], Rewrite]) -> Rewrite:
    """`load()`, called with the first text; every failure leaves the text unchanged, as in upstream.

    These are third-party models.
    """
    lock, loaded = threading.Lock(), list[Rewrite]()

    def rewrite(text: str) -> str:
        try:
            with lock:
                if not loaded:
                    loaded.append(load())
                return loaded[0](text)
        except Exception as error:  # noqa: BLE001 - their runtimes raise anything
            _log.warning("%s failed: %s", name, error)
            return text

    return rewrite
