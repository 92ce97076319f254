"""Every character of a rewriting knows what it stands for."""

from __future__ import annotations

import pytest

from chatterbox_worker.text.origins import compose, cover, origins


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("abc", "abc", [(0, 1), (1, 2), (2, 3)]),
        ("", "", []),
        ("abc", "", []),
        ("", "x", [(0, 0)]),
        ("a b", "a. b", [(0, 1), (1, 1), (1, 2), (2, 3)]),
        ("hi", "Hi.", [(0, 1), (1, 2), (2, 2)]),  # replaced by as many: one by one
        ("食べ", "たべ", [(0, 1), (1, 2)]),
        ("日本は", "にっぽん は", [(0, 2), (0, 2), (0, 2), (0, 2), (0, 2), (2, 3)]),
    ],
)
def test_each_character_stands_for_its_part(before: str, after: str, expected: list[tuple[int, int]]) -> None:
    assert origins(before, after) == expected


def test_inserted_marks_have_an_empty_part_at_their_place() -> None:
    found = origins("дома", "до\u0301ма")
    assert found == [(0, 1), (1, 2), (2, 2), (2, 3), (3, 4)]


def test_a_rewriting_of_a_rewriting() -> None:
    assert compose(origins("$5", "five"), origins("five", "Five!")) == [(0, 2)] * 4 + [(2, 2)]


def test_what_a_slice_covers() -> None:
    ranges = [(0, 1), (1, 4), (6, 7)]
    assert cover(ranges, 0, 2) == (0, 4)
    assert cover(ranges, 2, 2) == (6, 6)
    assert cover(ranges, 3, 3) == (7, 7)
    assert cover([], 0, 0) == (0, 0)
