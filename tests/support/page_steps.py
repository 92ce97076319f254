"""The steps of a user on the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import Locator, Page, Route, expect

KEY = "a-key-of-sixteen-letters"
RATE = 24_000
Open = Callable[..., Page]
"""The fixture `open_page` of conftest."""
GENERATE = re.compile("^(Generate|Generar)")
_WATCH = """() => {
    let isBegun = false;
    const watch = new MutationObserver(() => {
        const isIdle = document.body.dataset.stage === "idle";
        if (isBegun && isIdle) watch.disconnect();
        window.isSpoken = isBegun && isIdle;
        isBegun ||= !isIdle;
    });
    window.isSpoken = false;
    watch.observe(document.body, { attributeFilter: ["data-stage"] });
}"""


def write(page: Page, text: str) -> None:
    page.locator("#text").fill(text)


def generate(page: Page, text: str | None = None) -> None:
    """Generates the speech and waits until it is complete."""
    if text is not None:
        write(page, text)
    with spoken(page):
        page.get_by_role("button", name=GENERATE).click()
    expect(page.locator("#takeaway")).to_be_visible()


@contextmanager
def spoken(page: Page) -> Iterator[None]:
    """Waits until what is generated has begun and has ended: at first the page may still be as it was before."""
    page.evaluate(_WATCH)
    yield
    page.wait_for_function("() => window.isSpoken")


def times(page: Page) -> tuple[float, float]:
    """Position and duration that the player shows, in seconds."""
    at, whole = page.locator("#time").inner_text().split(" / ")
    return _seconds(at), _seconds(whole)


def _seconds(clock: str) -> float:
    minutes, seconds = clock.split(":")
    return 60 * int(minutes) + float(seconds)


POSITION_S = "Number(document.getElementById('wave').getAttribute('aria-valuenow'))"
DURATION_S = "Number(document.getElementById('wave').getAttribute('aria-valuemax'))"


def wait_for_position(page: Page, seconds: float) -> None:
    page.wait_for_function(f"least => {POSITION_S} >= least", arg=seconds)


def wait_while_busy(page: Page, condition: str) -> None:
    """Waits until `condition` is true while a speech is generated, looking at both in the same moment."""
    page.wait_for_function(f"() => document.body.dataset.stage === 'busy' && ({condition})")


def hold(page: Page, url: str) -> list[Route]:
    """The requests to `url` that the page makes from now on: they wait until a test answers them."""
    routes: list[Route] = []

    def note(route: Route) -> None:
        routes.append(route)

    page.route(url, note)
    return routes


def held(page: Page, routes: list[Route], number: int = 0) -> Route:
    """A request that the page makes in its own time, once it has come."""
    for _ in range(3000):  # a minute
        if len(routes) > number:
            break
        page.wait_for_timeout(20)
    return routes[number]


def at_click(target: Locator, expression: str) -> Any:
    """What `expression` is in the moment of a click; afterwards what is played has moved on."""
    return target.evaluate(f"node => {{ node.click(); return {expression}; }}")


def pause(page: Page) -> None:
    """Pauses what is played, unless it has come to its end."""
    page.locator("#play").evaluate("node => node.querySelector('use[href=\"#icon-pause\"]') && node.click()")


def speechlike(seconds: float = 7.0) -> bytes:
    """Syllables with silence between them, as a wav file."""
    time = np.arange(round(seconds * RATE)) / RATE
    samples = 0.4 * np.sin(2 * np.pi * 180 * time) * (np.sin(2 * np.pi * 1.5 * time) > 0)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.astype(np.float32), RATE, format="WAV")
    return buffer.getvalue()


def list_voices(page: Page, names: Iterable[str]) -> None:
    """Adds voices to those that the server lists, from the next load of the page on; it cannot speak with them."""

    def answer(route: Route) -> None:
        response = route.fetch()
        listed = response.json()
        more = [listed["data"][0] | {"id": name, "name": name, "built_in": False} for name in sorted(names)]
        listed["data"] += more
        route.fulfill(response=response, json=listed)

    page.route("**/v1/voices", answer)


def choose_file(page: Page, name: str, data: bytes) -> None:
    page.get_by_role("button", name="New voice").click()
    page.locator("#reference-file").set_input_files({"name": name, "mimeType": "audio/wav", "buffer": data})
