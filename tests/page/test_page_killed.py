"""A server that is killed while it speaks: the sound so far is kept, played and saved without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from chatterbox_worker.audio.decode import decode
from page.conftest import started
from support.page_steps import Open, times, wait_for_position, write
from support.paths import WORKERS

pytestmark = pytest.mark.slow

TEXT = "Speak this slowly, one word after another. " * 20


def test_what_a_server_said_before_it_was_killed_is_not_lost(open_page: Open, tmp_path: Path) -> None:
    with started(tmp_path, "multilingual", str(WORKERS / "tone_server.py"), "PORT") as (url, server):
        page = open_page(url)
        write(page, TEXT)
        page.get_by_role("button", name="Generate").click()
        wait_for_position(page, 0.5)
        server.kill()
        said = "The connection broke off before the speech was complete."
        expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.locator("#history-list li .badge")).to_have_text("stopped early")
    expect(page.locator("#server-notice")).to_contain_text("cannot be reached")
    expect(page.locator("#text")).to_have_value(TEXT)
    page.get_by_role("button", name="Play “Speak this").click()
    wait_for_position(page, 0.2)
    with page.expect_download() as caught:
        page.locator("#download").click()
    saved = decode(Path(caught.value.path()).read_bytes(), field="test", max_s=60)
    assert saved.duration_s == pytest.approx(times(page)[1], abs=0.1)
    assert saved.duration_s > 0.5
