"""The page is accessible: on a phone, with a keyboard, with a screen reader, with reduced motion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import Open, generate, speechlike, times, wait_for_position

pytestmark = pytest.mark.slow

Axe = Callable[[Page], list[str]]


def _wider_than_the_screen(page: Page, width: int) -> list[str]:
    """What overflows the screen, unless it scrolls by itself. A phone's `innerWidth` would grow with it."""
    found: list[str] = page.evaluate(
        """width => [
            ...(document.documentElement.scrollWidth > width ? [`page ${document.documentElement.scrollWidth}`] : []),
            ...[...document.querySelectorAll("body *")]
                .filter(node => node.checkVisibility() && !node.closest("pre, svg, .sr"))
                .map(node => [node, node.getBoundingClientRect()])
                .filter(([, box]) => box.width > 1 && (box.right > width + 0.5 || box.left < -0.5))
                .map(([node, box]) => `${node.tagName}#${node.id}.${node.className} ${box.left} to ${box.right}`),
        ]""",
        width,
    )
    return found


@pytest.mark.parametrize("locale", ["en-US", "es-MX"])
def test_on_a_phone_nothing_overflows_and_the_button_is_visible(
    open_page: Open, tone_url: str, screenshots: Path, locale: str
) -> None:
    size = {"width": 320, "height": 740}
    page = open_page(tone_url, viewport=size, has_touch=True, is_mobile=True, locale=locale)
    shot = f"phone-320-{locale[:2]}"

    def fits(state: str) -> None:
        for width in (390, 360, 320):
            page.set_viewport_size({"width": width, "height": 740})
            assert _wider_than_the_screen(page, width) == [], (state, width)

    fits("empty")
    page.screenshot(path=screenshots / f"{shot}.png")
    expect(page.locator("#generate")).to_be_in_viewport()
    page.locator("#example-list button").first.tap()
    generate(page)
    fits("spoken")
    page.screenshot(path=screenshots / f"{shot}-result.png", full_page=True)
    for menu in ("download-menu", "captions-menu"):
        page.locator(f"#{menu} summary").tap()
        fits(menu)
        page.keyboard.press("Escape")
    page.locator("#fine summary").tap()
    fits("fine tuning")
    page.locator("[name=mode][value=dialogue]").check()
    fits("dialogue")
    page.screenshot(path=screenshots / f"{shot}-dialogue.png")
    page.locator("#copy-open").tap()
    fits("copy as code")
    page.keyboard.press("Escape")
    page.locator("#reference-open").tap()
    fits("new voice")
    name = "a-name-" * 8 + ".wav"
    page.locator("#reference-file").set_input_files({"name": name, "mimeType": "audio/wav", "buffer": speechlike()})
    expect(page.locator("#reference-form")).to_be_visible()
    fits("review")
    page.wait_for_timeout(400)  # until the dialog is fully shown
    page.screenshot(path=screenshots / f"{shot}-voice.png")


def test_speech_can_be_generated_and_played_with_the_keyboard_alone(open_page: Open, tone_url: str) -> None:
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


def test_one_sound_at_a_time(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "A tone that lasts long enough. " * 20)
    sample = speechlike(60.0)
    page.route("**/v1/audio/speech", lambda route: route.fulfill(body=sample, content_type="audio/wav"))
    listen = page.get_by_role("button", name="Listen to Default")
    listen.click()
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    expect(listen.locator("use")).to_have_attribute("href", "#icon-stop")
    page.locator("#play").click()
    expect(listen.locator("use")).to_have_attribute("href", "#icon-play")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")


def test_the_page_fits_the_computer_and_the_texts_language(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    expect(page.locator("#generate kbd")).to_have_text("Ctrl ↵")
    page.get_by_label("Language", exact=True).select_option("fr")
    expect(page.locator("#text")).to_have_attribute("lang", "fr")
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_role("button", name="Add a turn").click()
    expect(page.locator("#turn-2-text")).to_have_attribute("lang", "fr")
    page.add_init_script("Object.defineProperty(navigator, 'userAgentData', { value: { platform: 'macOS' } })")
    page.reload()
    expect(page.locator("#generate kbd")).to_have_text("⌘ ↵")


def test_a_screen_reader_gets_what_happens(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.evaluate("""() => {
        window.announced = [];
        const look = () => window.announced.push(document.getElementById("announcer").textContent);
        new MutationObserver(look).observe(document.getElementById("announcer"), { childList: true });
    }""")
    generate(page, "Speak this slowly, so that there is progress to announce.")
    announced = page.evaluate("window.announced")
    assert announced[0] == "Waiting for the first sound…"
    assert announced[-1].startswith("Done: 0:0")


def test_axe_has_no_serious_finding_on_the_preview_and_on_a_phone(open_page: Open, preview_url: str, axe: Axe) -> None:
    page = open_page(preview_url, color_scheme="light", viewport={"width": 375, "height": 740}, locale="es")
    assert axe(page) == []
    page.emulate_media(color_scheme="dark")
    assert axe(page) == []


def test_less_motion_means_no_animation(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url, reduced_motion="reduce")
    page.get_by_role("button", name="Generate").click()
    longest = page.evaluate("Math.max(0, ...document.getAnimations().map(a => a.effect.getComputedTiming().endTime))")
    assert longest < 1


@pytest.mark.parametrize("locale", ["en-US", "es-MX", "pt-BR"])
def test_a_first_visit_is_small(open_page: Open, tone_url: str, locale: str) -> None:
    page = open_page("about:blank", wait=False, locale=locale)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[int] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(tone_url)
    page.wait_for_selector("body[data-loaded]")
    page.wait_for_load_state("networkidle")
    assert 5 < len(sizes) <= 12
    assert sum(sizes) < 120_000


def test_the_page_is_loaded_once_and_playing_asks_for_nothing(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "A sentence that plays for a while, and another one after it, so that it does not end at once.")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("document.getElementById('play').click()")
    page.wait_for_timeout(1500)
    assert [url for url in asked if not url.startswith("blob:") and not url.endswith(("/health", "/favicon.svg"))] == []

    asked.clear()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    from_network = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.transferSize > 0).map(e => new URL(e.name).pathname)"
    )
    assert [path for path in from_network if path.startswith("/assets/")] == []
