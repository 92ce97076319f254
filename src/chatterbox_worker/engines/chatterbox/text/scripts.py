"""What the multilingual model wants done to Chinese, Japanese, Hebrew and Russian before it reads them.

Each helper is loaded when its language is first asked for. Upstream speaks on without a helper that is missing; so
does this, and says so once in the log, except where the result would not be speech: Chinese without the Cangjie table.
Korean needs no helper: NFKD already takes syllables apart into Jamo.
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
    """Characters become Cangjie codes, `[cj_o][cj_n][cj_f][cj_.]`, in words apart. `table` is Cangjie5_TC.json.

    Words are found by spacy-pkuseg with its "spacy_ontonotes" model (34 MB, kept in ~/.pkuseg or $PKUSEG_HOME, fetched
    from its publisher when absent); without it there are no spaces between words.

    Raises:
        NotReady: the table is corrupt.
    """
    codes = _cangjie(table)
    cut = _segmenter()

    def rewrite(text: str) -> str:
        return "".join(_spelled(codes.get(character), character) for character in " ".join(cut(text)))

    return rewrite


def _spelled(code: str | None, character: str) -> str:
    if code is None or unicodedata.category(character) != "Lo":
        return character
    return "".join(f"[cj_{key}]" for key in code) + "[cj_.]"


def _cangjie(table: Path) -> dict[str, str]:
    """The code of every character; of those that share one, the second and later have its place among them added."""
    codes: dict[str, str] = {}
    sharing: dict[str, list[str]] = {}
    try:
        entries = json.loads(table.read_text(encoding="utf-8"))
        pairs = [entry.split("\t")[:2] for entry in entries]
        for character, code in pairs:
            codes[character] = code
            sharing.setdefault(code, []).append(character)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise NotReady(f"the Cangjie table {table} cannot be read: {error}") from error
    places = {character: sharing[code].index(character) for character, code in codes.items()}
    return {character: f"{code}{places[character] or ''}" for character, code in codes.items()}


def _segmenter() -> Callable[[str], Sequence[str]]:
    """Pkuseg's `cut`, one call at a time; one single word where it cannot be had."""
    try:
        from spacy_pkuseg import pkuseg  # noqa: PLC0415

        segmenter = pkuseg()
    # OSError: no network (requests' errors are), no file; the others: a download that broke off
    except (ImportError, OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        _log.warning("Chinese words will not be told apart: spacy-pkuseg or its model is missing (%s)", reason)
        return lambda text: [text]
    lock = threading.Lock()

    def cut(text: str) -> Sequence[str]:
        with lock:
            words: Sequence[str] = segmenter.cut(text)
            return words

    return cut


def japanese() -> Rewrite:
    """Kanji become hiragana, the particles は and へ set apart; kana stay."""
    try:
        import pykakasi  # noqa: PLC0415
    except ImportError:
        _log.warning("Japanese is read without its kanji turned to kana: pykakasi is not installed")
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
    return _guarded("Hebrew vowel points", lambda: Dicta().add_diacritics)


def russian() -> Rewrite:
    """Stress marks by russian-text-stresser, if it is installed."""
    try:
        from russian_text_stresser.text_stresser import RussianTextStresser  # noqa: PLC0415
    except ImportError:
        _log.warning("Russian is read without stress marks: russian-text-stresser is not installed")
        return lambda text: text
    return _guarded("Russian stress marks", lambda: RussianTextStresser().stress_text)


def _guarded(what: str, make: Callable[[], Rewrite]) -> Rewrite:
    """`make()`, whose every failure leaves the text as it is: models of strangers, that upstream guards as well."""
    lock, made = threading.Lock(), list[Rewrite]()

    def rewrite(text: str) -> str:
        try:
            with lock:
                if not made:
                    made.append(make())
                return made[0](text)
        except Exception as error:  # noqa: BLE001 - they raise whatever their runtimes do
            _log.warning("%s failed: %s", what, error)
            return text

    return rewrite
