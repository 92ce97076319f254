"""The page is within everyone's reach: a phone, a keyboard, a screen reader, less motion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from page.steps import Open, generate, times, wait_for_position

pytestmark = pytest.mark.slow

Axe = Callable[[Page], list[str]]


def test_on_a_phone_nothing_sticks_out_and_the_button_is_at_hand(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url, viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    page.screenshot(path=screenshots / "phone.png")
    expect(page.get_by_role("button", name="Generate")).to_be_in_viewport()
    page.get_by_role("button", name="A story").tap()
    generate(page)
    page.screenshot(path=screenshots / "phone-result.png")
    page.screenshot(path=screenshots / "phone-whole.png", full_page=True)
    for mode in ("Dialogue", "Text"):
        page.get_by_role("radio", name=mode).check()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="New voice").tap()
    page.wait_for_timeout(400)  # until the dialog has arrived
    page.screenshot(path=screenshots / "phone-voice.png")


def test_speech_can_be_made_and_heard_with_the_keyboard_alone(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)

    def tab_to(target: str) -> None:
        for _ in range(60):
            if page.evaluate("target => document.activeElement.matches(target)", target):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"the Tab key never reaches {target}")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to("#text")
    page.keyboard.type("No mouse was moved for this. It is a second sentence that makes it longer.")
    page.keyboard.press("Tab")
    tab_to("#generate")
    page.keyboard.press("Enter")
    expect(page.locator("#takeaway")).to_be_visible()
    expect(page.locator("#generate")).to_be_focused()
    tab_to("#play")
    page.keyboard.press("Enter")
    tab_to("#wave")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert times(page)[0] >= 1.0
    tab_to("#download-menu summary")
    page.keyboard.press("Enter")
    tab_to("#download-list button")
    page.keyboard.press("Escape")
    expect(page.locator("#download-menu summary")).to_be_focused()
    page.locator("#text").focus()
    page.keyboard.press("Control+Enter")
    wait_for_position(page, 0.2)


def test_a_screen_reader_hears_what_happens(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.evaluate("""() => {
        window.heard = [];
        const look = () => window.heard.push(document.getElementById("announcer").textContent);
        new MutationObserver(look).observe(document.getElementById("announcer"), { childList: true });
    }""")
    generate(page, "Say it slowly, so that there is something to tell.")
    heard = page.evaluate("window.heard")
    assert heard[0] == "Waiting for the first sound…"
    assert heard[-1].startswith("Done: 0:0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_serious_finding(open_page: Open, tone_url: str, axe: Axe, scheme: str) -> None:
    page = open_page(tone_url, color_scheme=scheme)
    assert axe(page) == []
    page.get_by_role("button", name="Generate").click()
    page.locator("#fine summary").click()
    assert axe(page) == []
    generate(page, "Look at me.")
    page.locator("#download-menu summary").click()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Dialogue").check()
    assert axe(page) == []
    page.get_by_role("button", name="New voice").click()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Copy as code").click()
    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_serious_finding_on_the_preview_and_on_a_phone(
    open_page: Open, preview_url: str, axe: Axe, scheme: str
) -> None:
    page = open_page(preview_url, color_scheme=scheme, viewport={"width": 375, "height": 740}, locale="es")
    assert axe(page) == []


def test_less_motion_means_no_animation(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url, reduced_motion="reduce")
    page.get_by_role("button", name="Generate").click()
    longest = page.evaluate("Math.max(0, ...document.getAnimations().map(a => a.effect.getComputedTiming().endTime))")
    assert longest < 1
