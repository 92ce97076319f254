"""Two tabs of the same studio: one history, whichever of them it comes from."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import Open, generate, wait_for_position, write

pytestmark = pytest.mark.slow


@pytest.fixture
def tabs(open_page: Open, tone_url: str) -> tuple[Page, Page]:
    first = open_page(tone_url)
    second = first.context.new_page()
    second.goto(tone_url)
    second.wait_for_selector("body[data-loaded]")
    return first, second


def test_tabs_share_the_history(tabs: tuple[Page, Page]) -> None:
    first, second = tabs
    generate(first, "From the first tab.")
    expect(second.locator("#history-list li")).to_have_count(1)
    second.get_by_role("button", name="Play “From the first tab.”").click()
    wait_for_position(second, 0.1)
    second.get_by_role("button", name="Name “From the first tab.”").click()
    second.keyboard.type("Opening")
    second.keyboard.press("Enter")
    expect(first.locator(".history-title")).to_have_text("Opening")
    first.get_by_role("button", name="Delete “Opening”").click()
    expect(second.locator("#history-list li")).to_have_count(0)
    first.get_by_role("button", name="Undo", exact=True).click()
    second.get_by_role("button", name="Play “Opening”").click()
    wait_for_position(second, 0.1)


def test_what_two_tabs_generate_at_the_same_time_is_all_kept(tabs: tuple[Page, Page]) -> None:
    for page, text in zip(tabs, ("From the first tab, slowly.", "From the second tab, slowly."), strict=True):
        write(page, text)
        page.locator("#generate").click()
    for page in tabs:
        expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    for page in tabs:
        expect(page.locator("#history-list li")).to_have_count(2)
        page.reload()
        page.wait_for_selector("body[data-loaded]")
        expect(page.locator("#history-list li")).to_have_count(2)


def test_the_draft_of_a_tab_is_its_own_and_a_name_that_is_being_written_stays(tabs: tuple[Page, Page]) -> None:
    first, second = tabs
    write(first, "What the first tab says.")
    expect(second.locator("#text")).to_have_value("")
    generate(second, "An entry.")
    first.get_by_role("button", name="Name “An entry.”").click()
    first.keyboard.type("Half a na")
    generate(second, "Another entry.")
    first.keyboard.type("me")
    first.keyboard.press("Enter")
    for page in tabs:
        expect(page.locator(".history-title")).to_have_text(["Another entry.", "Half a name"])
    expect(first.locator("#text")).to_have_value("What the first tab says.")
