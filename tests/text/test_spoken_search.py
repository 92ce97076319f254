"""A search skips places, but never a match."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatterbox_worker.catalogue import LANGUAGES, NORMALIZED
from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.spoken.forms import add_spoken_forms
from chatterbox_worker.text.spoken.search import Part

PAIRS = [line.split("\t") for line in Path(__file__).with_name("spoken_pairs.tsv").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_pattern_finds_what_re_finds(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "; ".join(row[1] for row in PAIRS if row[0] == language)[:3000] + "; USA, 10-20% & $5-6 No. 5; x² 1'000 IV"
    patterns: list[str] = []
    find = Part.find

    def record(part: Part, pattern: str) -> object:
        patterns.append(pattern)
        return find(part, pattern)

    monkeypatch.setattr(Part, "find", record)
    add_spoken_forms(as_written(text, language), frozenset(NORMALIZED), keeps_case=False)
    assert len(set(patterns)) > 40
    fresh = Part(text, bytearray(len(text)))
    wrong = [
        pattern
        for pattern in set(patterns)
        if [match.span() for match in find(fresh, pattern)] != [match.span() for match in re.finditer(pattern, text)]
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"(?<![\d.,])\d+ ?%", "5% 10 % 3 1.5%", ["5%", "10 %"]),
        (r"\d%", "10%", ["0%"]),
        (r"(?<=[vV])\d", "v12", ["1"]),
        (r"(?<!\w)[-−]?\d+", "-5 −6 7-8", ["-5", "−6", "7", "8"]),
        (r"(?i:no\.) ?(?=\d)", "NO. 5, no.6", ["NO. ", "no."]),
        (r"(?i)NO\. ?(?=\d)", "No. 5, no.6", ["No. ", "no."]),
        (r"(?:a|bc)+x?", "aabcx c a", ["aabcx", "a"]),
        (r"(?:(?<=:)|(?<=;))\d", ":1;2 3", ["1", "2"]),
        (r"[٠-٩]", "1٢", ["٢"]),
        (r"X-X", "X-X-X-X", ["X-X", "X-X"]),
        (r"aba", "ababa caba", ["aba", "aba"]),
        (r"a{2,}b", "aaab ab aab", ["aaab", "aab"]),
        (r"(?<=x )(?:ab?|[cd]e) ?(?=\d)", "x ab 1 x a2 x ce 3 x e4", ["ab ", "a", "ce "]),
        (r"g(?=\.|$)", "g. ga g", ["g", "g"]),
    ],
)
def test_a_search_is_exact(pattern: str, text: str, expected: list[str]) -> None:
    assert [found[0] for found in Part(text, bytearray(len(text))).find(pattern)] == expected


def test_what_is_taken_whole_is_not_found_again() -> None:
    part = Part("10 20", bytearray(5))
    assert part.take(0, 2)
    assert not part.take(1, 5)
    assert [found[0] for found in part.find(r"\d+")] == ["20"]
    assert [found[0] for found in part.find(r"\d+ \d+")] == ["10 20"]
