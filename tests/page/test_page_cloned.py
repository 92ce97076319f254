"""A voice that was cloned from recordings is on the page at once, can be played and can be used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.page_steps import Open, generate, write

pytestmark = pytest.mark.slow


def test_a_voice_cloned_from_recordings_is_chosen_played_and_used(
    open_page: Open, cloned_url: str, screenshots: Path
) -> None:
    page = open_page(cloned_url)
    voice = page.get_by_role("radio", name="ann")
    voice.check()
    with page.expect_response(re.compile("/voices/ann/audio")) as played:
        page.get_by_role("button", name="Listen to ann").click()
    assert played.value.ok
    assert played.value.headers["content-type"] == "audio/wav"
    write(page, "Hello.")
    with page.expect_request(re.compile("/v1/audio/speech")) as sent:
        generate(page)
    assert json.loads(sent.value.post_data or "")["voice"] == "ann"
    expect(voice).to_be_checked()
    page.screenshot(path=screenshots / "cloned.png")
