"""The steps of a user on the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable

import numpy as np
import soundfile
from playwright.sync_api import Page, Route, expect

KEY = "a-key-of-sixteen-letters"
RATE = 24_000
Open = Callable[..., Page]
"""The fixture `open_page` of conftest."""
SPOKEN_MS = 30_000
"""For a few words. Five seconds were not always enough next to another browser on two cores."""
GENERATE = re.compile("^(Generate|Generar)")


def write(page: Page, text: str) -> None:
    page.locator("#text").fill(text)


def generate(page: Page, text: str | None = None) -> None:
    """Generates the speech and waits until it is complete."""
    if text is not None:
        write(page, text)
    page.get_by_role("button", name=GENERATE).click()
    expect(page.locator("#takeaway")).to_be_visible(timeout=SPOKEN_MS)
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")


def times(page: Page) -> tuple[float, float]:
    """Position and duration that the player shows, in seconds."""
    at, whole = page.locator("#time").inner_text().split(" / ")
    return _seconds(at), _seconds(whole)


def _seconds(clock: str) -> float:
    minutes, seconds = clock.split(":")
    return 60 * int(minutes) + float(seconds)


def wait_for_position(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "least => Number(document.getElementById('wave').getAttribute('aria-valuenow')) >= least", arg=seconds
    )


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
