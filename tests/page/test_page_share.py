"""A text goes to others as a link, settings and voices as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support import http_calls
from support.page_steps import Open, generate, speechlike, write

pytestmark = pytest.mark.slow

TEXT = "¿Me oyes? 你好 & <b>hello</b> 🙂 "


def _link(page: Page) -> str:
    page.get_by_role("button", name="Share or move").click()
    field = page.get_by_label("A link to this text and its settings")
    expect(field).to_have_value(re.compile("#speech="))  # it is packed before the dialog opens
    link = field.input_value()
    page.keyboard.press("Escape")
    return link


def test_a_link_carries_text_and_settings_and_no_server_gets_them(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    page = open_page(tone_url)
    write(page, TEXT * 20)
    page.get_by_role("slider", name="Expression").fill("1.2")
    page.get_by_text("Fine tuning").click()
    page.get_by_label("Seed", exact=True).fill("77")
    page.get_by_role("button", name="Share or move").click()
    assert axe(page) == []
    page.screenshot(path=screenshots / "share.png")
    page.keyboard.press("Escape")
    link = _link(page)
    assert link.startswith(f"{tone_url}/#speech=")
    assert len(link) < len(TEXT * 20) < len(link) * 4

    other = open_page(link)
    expect(other.locator("#text")).to_have_value((TEXT * 20).strip())
    expect(other.get_by_role("slider", name="Expression")).to_have_value("1.2")
    expect(other.locator("#seed")).to_have_value("77")
    assert other.url == f"{tone_url}/"
    write(other, "My own text.")
    other.evaluate("link => { location.href = link; }", link)
    other.get_by_role("button", name="Cancel").click()
    expect(other.locator("#text")).to_have_value("My own text.")

    other.evaluate("link => { location.href = link; }", link[:-40])
    expect(other.get_by_role("alert")).to_contain_text("The link is damaged")
    expect(other.locator("#text")).to_have_value("My own text.")


def test_a_dialogue_that_is_not_shown_is_not_replaced_without_a_question(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    first = page.get_by_label("Text of turn 1")
    first.fill("That of the link.")
    link = _link(page)
    first.fill("My own turn.")
    page.get_by_role("radio", name="Text", exact=True).check()
    page.evaluate("link => { location.href = link; }", link)
    page.locator("#confirm").get_by_role("button", name="Cancel").click()
    page.get_by_role("radio", name="Dialogue").check()
    expect(first).to_have_value("My own turn.")


def test_a_link_whose_voice_is_not_here_says_so(open_page: Open, tone_url: str) -> None:
    upload = {"file": ("a.wav", speechlike())}
    http_calls.post(f"{tone_url}/voices", files=upload, data={"voice_id": "elsewhere"}).raise_for_status()
    page = open_page(tone_url)
    page.get_by_role("radio", name="elsewhere").check()
    write(page, "In a voice that only one server has.")
    link = _link(page)
    http_calls.delete(f"{tone_url}/voices/elsewhere").raise_for_status()
    expect(open_page(link).get_by_role("alert")).to_contain_text("Voice: it is no longer on the server")


def test_settings_and_voices_move_to_another_server_in_one_file(open_page: Open, tone_url: str, tmp_path: Path) -> None:
    upload = {"file": ("a.wav", speechlike())}
    http_calls.post(f"{tone_url}/voices", files=upload, data={"voice_id": "mover"}).raise_for_status()
    page = open_page(tone_url)
    page.get_by_role("radio", name="mover").check()
    page.get_by_role("slider", name="Expression").fill("1.2")
    page.get_by_role("button", name="Share or move").click()
    expect(page.get_by_label("With the voices of this server (1)")).to_be_checked()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save file").click()
    saved = Path(caught.value.path()).read_text()
    http_calls.delete(f"{tone_url}/voices/mover").raise_for_status()

    other = open_page(tone_url, locale="es")
    stored = "JSON.stringify(localStorage)"
    before = other.evaluate(stored)
    other.locator("#share-open").click()
    refused = json.loads(saved)
    refused["voices"].append({"id": "second", "file": "bm8="})
    for damaged in (saved[:-20], "{}", saved.replace('"mover"', '"../mover"'), json.dumps(refused)):
        other.locator("#share-file").set_input_files({"name": "a.json", "mimeType": "", "buffer": damaged.encode()})
        expect(other.locator("#share-state")).to_have_class("note bad")
        other.evaluate("document.getElementById('share-state').className = 'note'")
        assert other.evaluate(stored) == before
        assert http_calls.get(f"{tone_url}/voices").json() == ["default"]
    other.locator("#share-file").set_input_files({"name": "a.json", "mimeType": "", "buffer": saved.encode()})
    expect(other.locator("#share")).to_be_hidden()
    expect(other.get_by_role("radio", name="mover")).to_be_checked()
    expect(other.locator("#field-exaggeration")).to_have_value("1.2")
    generate(other, "Aquí también.")
    http_calls.delete(f"{tone_url}/voices/mover").raise_for_status()
