"""Japanese numerals in kana: kanji numerals have several readings, and a converter of kanji chooses among them."""

from __future__ import annotations

import re

# Sound changes of hundreds, thousands and larger powers: 日本語教育の基本 of any grammar; JIS has no standard of them.
_READINGS = {
    "三百": "さんびゃく", "六百": "ろっぴゃく", "八百": "はっぴゃく", "三千": "さんぜん", "八千": "はっせん",
    "一兆": "いっちょう", "八兆": "はっちょう", "十兆": "じゅっちょう",
    "〇": "ぜろ", "零": "ぜろ", "一": "いち", "二": "に", "三": "さん", "四": "よん", "五": "ご", "六": "ろく",
    "七": "なな", "八": "はち", "九": "きゅう", "十": "じゅう", "百": "ひゃく", "千": "せん", "万": "まん",
    "億": "おく", "兆": "ちょう", "京": "けい", "・": "てん",
}  # fmt: skip
_PATTERN = re.compile("|".join(sorted(_READINGS, key=len, reverse=True)))


def in_kana(numeral: str) -> str:
    return _PATTERN.sub(lambda found: _READINGS[found[0]], numeral)
