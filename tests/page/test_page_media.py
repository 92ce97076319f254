"""The system's media keys, the volume and the keys that play, pause and skip."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import Open, generate, times, wait_for_position

pytestmark = pytest.mark.slow

TEXT = "A tone that lasts long enough to walk about in, back and forth, at any speed. " * 12
"""A minute: it does not end while a test looks at it on a busy machine."""
_SPY = """
    window.handlers = {};
    const set = MediaSession.prototype.setActionHandler;
    MediaSession.prototype.setActionHandler = function (action, handler) {
        window.handlers[action] = handler;
        set.call(this, action, handler);
    };
    window.outputs = []; // what is played goes through these
    window.Audio = class extends Audio { constructor() { super(); window.outputs.push(this); } };
    window.GainNode = class extends GainNode { constructor(context) { super(context); window.outputs.push(this); } };
"""


@pytest.fixture
def page(open_page: Open, tone_url: str) -> Page:
    """With a speech in the player that plays."""
    page = open_page("about:blank", wait=False)
    page.add_init_script(_SPY)
    page.goto(tone_url)
    page.wait_for_selector("body[data-loaded]")
    generate(page, TEXT)
    return page


def _press(page: Page, action: str, **details: float) -> None:
    """What the system does when a media key is pressed."""
    page.evaluate("([action, details]) => window.handlers[action]({ action, ...details })", [action, details])


def test_media_keys_play_pause_and_skip_and_the_system_knows_what_is_spoken(page: Page) -> None:
    state = "navigator.mediaSession.playbackState"
    assert page.evaluate("navigator.mediaSession.metadata.title") == TEXT[:80]
    assert page.evaluate("navigator.mediaSession.metadata.artist") == "Default"
    assert page.evaluate(state) == "playing"
    # Firefox gives media keys to what plays a file of some seconds, and not to Web Audio alone
    quiet = "window.outputs.filter(one => one.loop && !one.paused && one.duration > 5).length"
    assert page.evaluate(quiet) == 1
    _press(page, "pause")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    assert page.evaluate(state) == "paused"
    assert page.evaluate(quiet) == 0
    _press(page, "seekto", seekTime=2.5)
    assert times(page)[0] == 2.5
    _press(page, "seekforward")
    assert times(page)[0] == pytest.approx(min(12.5, times(page)[1]), abs=0.1)
    _press(page, "seekbackward", seekOffset=60)
    assert times(page)[0] == 0
    _press(page, "play")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")
    assert page.evaluate(state) == "playing"
    wait_for_position(page, 0.2)
    page.evaluate("window.outputs.find(one => one.loop).pause()")  # as the system does for a call
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    _press(page, "play")
    wait_for_position(page, 0.4)
    _press(page, "pause")
    page.reload()  # and of a speech from the history
    page.wait_for_selector("body[data-loaded]")
    page.get_by_role("button", name="Play “A tone").click()
    wait_for_position(page, 0.2)
    assert page.evaluate("navigator.mediaSession.metadata.title") == TEXT[:80]
    assert page.evaluate(quiet) == 0
    _press(page, "pause")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")


def test_the_volume_is_that_of_the_stream_and_of_the_file_and_is_kept(page: Page) -> None:
    levels = "window.outputs.map(one => Math.round(100 * (one.volume ?? one.gain.value)))"
    assert set(page.evaluate(levels)) == {100}
    _press(page, "pause")
    _press(page, "seekto", seekTime=30)
    page.locator("#volume").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert sorted(page.evaluate(levels))[:2] == [80, 80]
    assert times(page)[0] == 30  # the arrow keys were the slider's
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#volume")).to_have_value("0.8")
    page.get_by_role("button", name="Play “A tone").click()
    wait_for_position(page, 0.1)
    assert 80 in page.evaluate(levels)


def test_space_and_the_arrow_keys_play_and_skip_where_nothing_else_takes_them(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    page.locator("#wave").focus()
    page.keyboard.press("Home")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert times(page)[0] == 5.0
    page.keyboard.press("ArrowLeft")
    assert times(page)[0] == 0
    page.locator("#text").focus()
    page.keyboard.press("End")
    page.keyboard.type(" word")
    expect(page.locator("#text")).to_have_value(f"{TEXT} word")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
