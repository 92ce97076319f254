"""Each state of the studio: axe in both appearances, 200 % zoom, the narrowest phone, and the widest screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from page.test_page_reach import _wider_than_the_screen
from support import http_calls
from support.page_states import STATES, VOICES
from support.page_steps import Open, speechlike

pytestmark = pytest.mark.slow

ZOOMED = {"width": 640, "height": 450}
"""A window of 1280 x 900 at 200 %."""
CLIPPED = """() => [...document.querySelectorAll("button, summary, label, h1, h2, h3, output")]
    .filter(node => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .filter(node => !node.closest(".sr, #copy-open, .brand, .deck-foot"))
    .filter(node => getComputedStyle(node).overflow !== "visible")
    .filter(node => node.scrollWidth > node.clientWidth + 1)
    .map(node => `${node.tagName}#${node.id}.${node.className} ${node.textContent.trim().slice(0, 40)}`)"""
"""Controls and titles whose words are cut off."""


@pytest.fixture(scope="module")
def studio_url(tone_url: str) -> Iterator[str]:
    """The server with four voices."""
    for name in VOICES:
        http_calls.post(f"{tone_url}/voices", data={"voice_id": name}, files={"file": speechlike()}).raise_for_status()
    yield tone_url
    for name in VOICES:
        http_calls.delete(f"{tone_url}/voices/{name}")


# pasted-script and share have their own tests with axe
@pytest.mark.parametrize("state", [state for state in STATES if state not in ("pasted-script", "share")])
def test_each_state_passes_axe_and_fits_every_screen(
    open_page: Open, studio_url: str, axe: Callable[..., list[str]], state: str
) -> None:
    page = open_page(studio_url, reduced_motion="reduce", locale="es-MX" if state == "dialogue" else "en-US")
    STATES[state](page)
    within = "dialog[open]" if page.locator("dialog[open]").count() else "html"  # what is behind it is inert
    assert axe(page, within) == [], "light"
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.history')).backgroundColor === 'rgb(24, 28, 26)'"
    )
    assert axe(page, within, ["color-contrast"]) == [], "dark"
    moving = "Math.max(0, ...document.getAnimations().map(a => a.effect.getComputedTiming().endTime))"
    assert page.evaluate(moving) < 1
    for size in (ZOOMED, {"width": 320, "height": 640}, {"width": 1920, "height": 1080}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert _wider_than_the_screen(page, size["width"]) == [], size
        assert page.evaluate(CLIPPED) == [], size


def _tab_to(page: Page, target: str) -> None:
    """Presses Tab until `target` has the focus; each element on the way shows it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        is_there, shows = page.evaluate(
            """target => {
                const node = document.activeElement;
                const box = node.closest(".segmented label, .voice-row, .composer, .turn, .drop");
                const marks = [node, box, node.parentElement];
                const lit = marks.some(mark => mark && getComputedStyle(mark).outlineStyle !== "none");
                return [node.matches(target), lit || node.matches(".script, .turn textarea, body, #composer")];
            }""",
            target,
        )
        assert shows, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if is_there:
            return
    pytest.fail(f"the Tab key never reaches {target}")


def test_a_voice_is_chosen_and_a_speech_generated_and_saved_without_a_mouse(open_page: Open, studio_url: str) -> None:
    page = open_page(studio_url)
    _tab_to(page, "#text")
    page.keyboard.type("This was written, spoken and saved with the keys alone.")
    _tab_to(page, "#generate")
    _tab_to(page, "[name=voice]")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=VOICES[0])).to_be_checked()
    page.locator("#text").focus()
    _tab_to(page, "#generate")
    with page.expect_request("**/v1/audio/speech") as sent:
        page.keyboard.press("Enter")
    assert (sent.value.post_data_json or {})["voice"] == VOICES[0]
    expect(page.locator("#takeaway")).to_be_visible()
    _tab_to(page, "#play")
    page.keyboard.press("Space")
    _tab_to(page, "#download-menu summary")
    page.keyboard.press("Enter")
    _tab_to(page, "#download-list button")
    with page.expect_download():
        page.keyboard.press("Enter")


DIALOGS = {"#reference-open": "#reference", "#share-open": "#share", "#copy-open": "#copy-dialog",
           "#key-open": "#key-dialog", "#convert-open": "#convert"}  # fmt: skip
"""By the button that opens each."""


def test_a_dialog_keeps_the_focus_and_gives_it_back(open_page: Open, studio_url: str) -> None:
    page = open_page(studio_url)
    for opener, dialog in DIALOGS.items():
        page.locator(opener).focus()
        page.keyboard.press("Enter")
        expect(page.locator(dialog)).to_be_visible()
        for _ in range(12):
            page.keyboard.press("Tab")
            inside = f"document.activeElement === document.body || document.activeElement.closest('{dialog}') !== null"
            assert page.evaluate(inside), dialog
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
        expect(page.locator(opener)).to_be_focused()
