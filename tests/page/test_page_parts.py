"""One part of a speech is said again, and the others stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from chatterbox_worker.audio.decode import decode
from support.page_steps import Open, generate, spoken, times, wait_for_position

pytestmark = pytest.mark.slow

TEXT = "\n\n".join(
    f"Paragraph {word} has a sentence, and that is all it has to say." for word in ("one", "two", "three")
)


def _wav(page: Page) -> np.ndarray[Any, Any]:
    page.locator("#download-menu summary").click()
    with page.expect_download() as caught:
        page.locator("#download-list button").first.click()
    return decode(Path(caught.value.path()).read_bytes(), field="test", max_s=60).samples


def _is_same(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> bool:
    """Up to the gain, which follows the first three parts."""
    gain = float(one @ two / (one @ one))
    return 0.9 < gain < 1.1 and bool(np.abs(two - gain * one).max() < 0.001)


def _say_again(page: Page, part: int) -> dict[str, Any]:
    """The request that it sends."""
    takes = page.locator("#history-list li").count()
    with spoken(page), page.expect_request("**/v1/audio/speech") as sent:
        page.get_by_role("button", name=f"Say part {part} again").click()
    expect(page.locator("#history-list li")).to_have_count(takes + 1)
    body: dict[str, Any] = json.loads(sent.value.post_data or "")
    return body


def test_a_part_is_said_again_and_the_others_stay(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    page = open_page(tone_url)
    generate(page, TEXT)
    first = _wav(page)
    page.get_by_text("Part by part: 3 parts").click()
    expect(page.locator("#part-list li")).to_have_count(3)
    page.screenshot(path=screenshots / "parts.png", full_page=True)
    assert axe(page) == []
    page.get_by_role("button", name="Play from part 3").click()
    wait_for_position(page, times(page)[1] * 0.6)

    body = _say_again(page, 2)
    assert body["respeak"] == [1]
    second = _wav(page)
    third = len(first) // 3
    assert _is_same(first[: third - 12_000], second[: third - 12_000])
    assert not _is_same(first[third : 2 * third], second[third : 2 * third])
    assert _is_same(first[-third + 12_000 :], second[-third + 12_000 :])
    again = _say_again(page, 2)
    assert again["respeak"] == [1, 1]
    assert again["seed"] == body["seed"]


def test_a_part_of_a_turn_is_said_again_in_its_turn(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Where were you?")
    page.get_by_label("Text of turn 2").fill(TEXT)
    generate(page)
    page.get_by_text("Part by part: 4 parts").click()
    with page.expect_request(lambda request: "respeak" in (request.post_data or "")) as sent:
        page.get_by_role("button", name="Say part 3 again").click()
    body = json.loads(sent.value.post_data or "")
    assert (body["input"], body["respeak"]) == (TEXT, [1])
