"""The page with a model that needs a recording's transcript and uses a dialogue's earlier turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support.audio_clips import wav_bytes
from support.page_steps import Open, spoken

pytestmark = pytest.mark.slow

WORDS = "These are the words of the recording."


@pytest.fixture
def open_csm(open_page: Open, tone_url: str) -> Open:
    """`open_csm(locale=...)`: the page, with the model chosen."""

    def load(**options: str) -> Page:
        page = open_page(tone_url, **options)
        page.select_option("#model", "csm")
        return page

    return load


def _sent_bodies(page: Page) -> list[dict[str, Any]]:
    """The bodies of speech that the page sends from now on."""
    bodies: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/v1/audio/speech"):
            bodies.append(json.loads(request.post_data))

    page.on("request", note)
    return bodies


def _choose_recording(page: Page) -> None:
    page.click("#reference-open")
    page.set_input_files("#reference-file", {"name": "mine.wav", "mimeType": "audio/wav", "buffer": wav_bytes(6.0)})
    page.wait_for_selector("#reference[data-stage=review]")


def test_the_transcript_is_required_if_the_model_needs_it(open_csm: Open, axe: Callable[[Page], list[str]]) -> None:
    page = open_csm()
    bodies = _sent_bodies(page)
    _choose_recording(page)
    expect(page.locator("#reference-words")).to_be_visible()
    assert axe(page) == []
    page.click("#reference-once")  # the browser reports that the transcript is missing
    expect(page.locator("#reference")).to_be_visible()
    page.fill("#reference-words", WORDS)
    page.click("#reference-once")
    page.fill("#text", "Hello there.")
    with spoken(page):
        page.click("#generate")
    expect(page.locator("#error")).to_be_hidden()

    assert [body.get("reference_transcript") for body in bodies] == [WORDS]
    page.select_option("#model", "turbo")
    _choose_recording(page)
    expect(page.locator("#reference-words")).to_be_hidden()


def test_a_voice_is_saved_with_its_transcript(open_csm: Open) -> None:
    page = open_csm(locale="es")
    _choose_recording(page)
    page.fill("#reference-name", "ana")
    page.fill("#reference-words", WORDS)
    page.click("#reference-save")
    expect(page.locator("#reference")).to_be_hidden()

    assert page.evaluate("async () => (await (await fetch('voices/ana')).json()).transcript") == WORDS
    page.evaluate("() => fetch('voices/ana', { method: 'DELETE' })")


def test_a_dialogue_sends_its_earlier_turns_as_context(open_csm: Open) -> None:
    page = open_csm()
    bodies = _sent_bodies(page)
    page.check("[name=mode][value=dialogue]", force=True)
    page.fill("#turn-0-text", "Are you ready?")
    page.fill("#turn-1-text", "I am.")
    with spoken(page):
        page.click("#generate")
    expect(page.locator("#error")).to_be_hidden()

    assert [len(body["context"]) for body in bodies] == [0, 1]
    assert bodies[1]["context"][0]["text"] == "Are you ready?"
    assert [body["speaker"] for body in bodies] == [0, 0]
