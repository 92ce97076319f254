"""Reading along: the words of a speech are lit while they are spoken, and one that is chosen is played from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import (
    POSITION_S,
    Open,
    at_click,
    generate,
    pause,
    times,
    wait_for_position,
    wait_while_busy,
    write,
)

pytestmark = pytest.mark.slow

TEXT = "Reading along is easy — one word after another.\n\nThe second paragraph is slowly spoken, isn't it? " * 2
_LIT = "() => document.querySelector('.word.lit[aria-selected=true]')?.textContent"


def test_words_arrive_with_the_stream_are_lit_and_play_from_there(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    page = open_page(tone_url)
    write(page, TEXT)
    page.get_by_role("button", name="Generate").click()
    wait_while_busy(page, "document.querySelector('.word')")
    assert page.wait_for_function(_LIT).json_value() in TEXT
    page.screenshot(path=screenshots / "along.png", full_page=True)
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    assert page.locator("#words").inner_text().split() == TEXT.split()
    expect(page.locator("#words .word")).to_have_count(len(TEXT.replace("— ", "").split()))
    assert page.locator("#warnings li").count() == 0
    assert axe(page) == []

    word = page.locator("#words .word").nth(20)
    assert at_click(word, "document.querySelector('#words .word.lit').id") == "word-20"
    pause(page)
    page.locator("#words").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.locator(".word.cursor").bounding_box()["y"] > page.locator("#word-0").bounding_box()["y"]  # type: ignore[index]
    page.keyboard.press("End")
    expect(page.locator(".word.cursor")).to_be_in_viewport()
    page.keyboard.press("Enter")
    last = f"word-{page.locator('#words .word').count() - 1}"
    expect(page.locator("#words")).to_have_attribute("aria-activedescendant", last)
    at, whole = times(page)
    assert 0 <= whole - at < 1.5

    page.reload()
    page.wait_for_selector("body[data-loaded]")
    page.get_by_role("button", name="Play “Reading along").click()
    wait_for_position(page, 0.2)
    expect(page.locator("#words .word")).to_have_count(len(TEXT.replace("— ", "").split()))
    assert page.wait_for_function(_LIT).json_value() in TEXT


def test_a_dialogues_words_are_under_their_turns(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Where were you?")
    page.get_by_label("Text of turn 2").fill("At home.")
    generate(page)
    turns = page.locator("#words").get_by_role("group")
    expect(turns).to_have_count(2)
    second = page.get_by_role("group", name="Turn 2, Default").get_by_role("option")
    expect(second).to_have_text(["At", "home."])
    assert at_click(second.first, POSITION_S) == pytest.approx(0.06 * len("Where were you?") + 0.4, abs=0.3)


def test_a_model_that_knows_no_words_lights_its_lines(open_page: Open, preview_url: str) -> None:
    page = open_page(preview_url)
    generate(page, "The first line is this one here. And then comes another, which is the second line of the two.")
    lines = page.locator("#words .word").all_inner_texts()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 84
    expect(page.locator("#warnings li")).to_have_count(0)
    assert at_click(page.locator("#words .word").last, "node.className") == "word line cursor lit"
