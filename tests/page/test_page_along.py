"""Reading along: the words of a speech are lit while they are spoken, and one that is chosen is played from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import Open, generate, times, wait_for_position, write

pytestmark = pytest.mark.slow

TEXT = "Reading along is easy — one word after another.\n\nThe second paragraph is slowly spoken, isn't it? " * 2
_LIT = "() => document.querySelector('.word.lit[aria-selected=true]')?.textContent"


def test_words_arrive_with_the_stream_are_lit_and_play_from_there(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    page = open_page(tone_url)
    write(page, TEXT)
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector(".word")
    assert page.locator("body").get_attribute("data-stage") == "busy"
    assert page.wait_for_function(_LIT).json_value() in TEXT
    page.screenshot(path=screenshots / "along.png", full_page=True)
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    assert page.locator("#words").inner_text().split() == TEXT.split()
    expect(page.locator("#words .word")).to_have_count(len(TEXT.replace("— ", "").split()))
    assert page.locator("#warnings li").count() == 0
    assert axe(page) == []

    page.locator("#words .word").nth(20).click()
    expect(page.locator("#words .word.lit")).to_have_attribute("id", "word-20")
    page.get_by_role("button", name="Pause").click()
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
    second.first.click()
    assert times(page)[0] == pytest.approx(0.06 * len("Where were you?") + 0.4, abs=0.3)


def test_a_model_that_knows_no_words_lights_its_lines(open_page: Open, preview_url: str) -> None:
    page = open_page(preview_url)
    generate(page, "The first line is this one here. And then comes another, which is the second line of the two.")
    lines = page.locator("#words .word").all_inner_texts()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 84
    expect(page.locator("#warnings li")).to_have_count(0)
    page.locator("#words .word").last.click()
    expect(page.locator("#words .word").last).to_have_class("word line cursor lit")
