"""What a first visit and a wide screen show, and the ways of speaking that a model offers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page, expect

from support.page_steps import Open, wait_for_position

pytestmark = pytest.mark.slow


def _place(page: Page, selector: str) -> FloatRect:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box


def test_a_first_visit_offers_one_thing_to_do(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    page = open_page(tone_url, locale="es-MX")
    expect(page.locator("#welcome")).to_contain_text("¡Hola! Solo quería")
    expect(page.locator(".history")).to_be_hidden()
    page.screenshot(path=screenshots / "first.png", full_page=True)
    assert axe(page) == []
    page.locator("#text").fill("My own.")
    expect(page.locator("#welcome")).to_be_hidden()
    page.locator("#text").fill("")
    page.locator("#welcome-play").click()
    wait_for_position(page, 0.2)
    expect(page.locator("#history-list li")).to_have_count(1)
    page.locator("#text").fill("")
    expect(page.locator("#welcome")).to_be_hidden()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#player-empty")).to_be_visible()
    expect(page.locator("#welcome")).to_be_hidden()


def test_a_style_sets_what_the_model_can_use(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    lively = page.get_by_role("button", name="Lively")
    neutral = page.get_by_role("button", name="Neutral")
    expect(neutral).to_have_attribute("aria-pressed", "true")
    lively.click()
    expect(page.get_by_role("slider", name="Expression")).to_have_value("0.7")
    expect(page.get_by_role("slider", name="Guidance")).to_have_value("0.3")
    expect(lively).to_have_attribute("aria-pressed", "true")
    page.get_by_role("slider", name="Variation").fill("1.1")
    expect(lively).to_have_attribute("aria-pressed", "false")
    page.get_by_label("Model", exact=True).select_option("turbo")
    expect(page.locator("#preset-list button")).to_have_text(["Neutral", "Calm", "Lively"])
    page.get_by_role("button", name="Calm").click()
    expect(page.get_by_role("slider", name="Variation")).to_have_value("0.6")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(neutral).to_have_attribute("aria-pressed", "true")


def test_help_is_shown_when_it_is_asked_for(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    expect(page.locator("#about-exaggeration")).to_be_hidden()
    expect(page.get_by_role("slider", name="Expression")).to_have_accessible_description(
        re.compile("^How much emotion")
    )
    page.get_by_role("button", name="About Expression").press("Enter")
    expect(page.locator("#about-exaggeration")).to_be_visible()


def test_voice_and_delivery_have_columns_on_a_wide_screen_and_come_first_on_a_phone(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url, viewport={"width": 1900, "height": 1000})
    composer, voice, delivery = (_place(page, name) for name in ("#composer", ".voice-card", ".delivery"))
    assert composer["x"] + composer["width"] < voice["x"]
    assert voice["x"] + voice["width"] < delivery["x"]
    assert composer["y"] == voice["y"] == delivery["y"]
    page.screenshot(path=screenshots / "wide.png", full_page=True)
    page.set_viewport_size({"width": 375, "height": 740})
    assert _place(page, ".voice-card")["y"] < _place(page, ".listen")["y"] < _place(page, ".delivery")["y"]
    page.locator("#welcome-play").click()
    wait_for_position(page, 0.2)
    assert _place(page, ".listen")["y"] < _place(page, ".voice-card")["y"]
