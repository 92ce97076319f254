"""A recording said by another voice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chatterbox_worker.audio.decode import decode
from support import http_calls
from support.page_steps import Open, speechlike

pytestmark = pytest.mark.slow


@pytest.fixture
def alice(tone_url: str) -> Iterator[str]:
    """The server's address, while it has a voice "alice"."""
    http_calls.post(f"{tone_url}/voices", data={"voice_id": "alice"}, files={"file": speechlike()}).raise_for_status()
    yield tone_url
    http_calls.delete(f"{tone_url}/voices/alice").raise_for_status()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_a_recording_is_said_by_another_voice_and_downloaded(
    open_page: Open, alice: str, axe: Callable[[Page], list[str]], width: int, scheme: str
) -> None:
    page = open_page(alice, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.get_by_role("button", name="Convert a recording").click()
    assert axe(page) == []
    page.locator("#convert-file").set_input_files(
        {"name": "interview.wav", "mimeType": "audio/wav", "buffer": speechlike(3.0)}
    )
    expect(page.locator("#convert-facts")).to_have_text("interview.wav · 3 s")
    page.locator("#convert-voice").select_option("alice")
    page.locator("#convert-format").select_option("mp3")
    page.get_by_role("button", name="Convert", exact=True).click()
    expect(page.locator("#convert-done")).to_have_text("In the voice “alice”")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page.expect_download() as caught:
        page.locator("#convert-save").click()
    assert caught.value.suggested_filename == "interview-alice.mp3"
    sound = decode(Path(caught.value.path()).read_bytes(), field="test", max_s=60)
    assert sound.duration_s == pytest.approx(3.0, abs=0.2)


def test_a_recording_from_the_microphone_is_converted(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("button", name="Convert a recording").click()
    dialog = page.locator("#convert")
    dialog.get_by_role("button", name="Record").click()
    expect(dialog.locator(".record-time")).to_have_text(re.compile("^0:0[1-9]|^0:[1-9]"))
    dialog.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Convert", exact=True).click()
    expect(page.locator("#convert-result")).to_be_visible()


def test_a_server_that_cannot_convert_says_so(open_page: Open, preview_url: str) -> None:
    page = open_page(preview_url)
    page.get_by_role("button", name="Convert a recording").click()
    expect(page.locator("#convert-lacking")).to_contain_text("needs a Chatterbox model")
    expect(page.locator("#convert-box")).to_be_hidden()
