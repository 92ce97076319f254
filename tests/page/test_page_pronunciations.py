"""Pronunciations in the page: made from a word of the text, sent with each take, kept, shared, refused at their row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from page.test_page_reach import _wider_than_the_screen
from support.page_steps import Open, generate, write

pytestmark = pytest.mark.slow

TEXT = "Doctor Nguyen lives in Leicester. Nguyen's house is small."


def _select(page: Page, word: str, box: str = "#text") -> None:
    page.locator(box).evaluate(
        """(box, word) => {
            const at = box.value.indexOf(word);
            box.focus();
            box.setSelectionRange(at, at + word.length);
        }""",
        word,
    )


def _sent(request: Request) -> dict[str, Any]:
    return request.post_data_json or {}


def _store(page: Page, entries: dict[str, Any]) -> None:
    stored = json.dumps({"entries": entries})
    page.evaluate("stored => localStorage.setItem('chatterbox.pronunciations', stored)", stored)
    page.reload()
    page.wait_for_selector("body[data-loaded]")


def test_a_selected_word_is_given_a_pronunciation_and_played_in_three_clicks(
    open_page: Open, tone_url: str, axe: Callable[..., list[str]], screenshots: Path
) -> None:
    page = open_page(tone_url)
    write(page, TEXT)
    page.get_by_text("As it will be read").click()
    _select(page, "Nguyen")
    page.get_by_role("button", name="Say “Nguyen” like…").click()
    expect(page.get_by_label("How word 1 is said")).to_be_focused()
    page.keyboard.type("Nwin")
    with page.expect_request("**/v1/audio/speech") as request:
        page.get_by_role("button", name="Hear word 1").click()
    assert (_sent(request.value)["input"], _sent(request.value)["pronunciations"]) == ("Nguyen", {"Nguyen": "Nwin"})
    expect(page.locator("#reading-box mark")).to_have_text(["Nwin", "Nwin"])
    expect(page.locator("#reading-box mark").first).to_have_attribute("title", "written: Nguyen")
    page.get_by_role("button", name="Add a word").click()
    page.keyboard.type("Worcester")  # not in this text
    page.keyboard.press("Tab")
    page.keyboard.type("Wooster")
    expect(page.locator("#pron-used")).to_have_text("1 in this text")
    assert axe(page) == []
    with page.expect_request("**/v1/audio/speech") as spoken:
        generate(page)
    assert _sent(spoken.value)["pronunciations"] == {"Nguyen": "Nwin"}
    expect(page.locator("#history-list")).to_contain_text("1 pronunciation")

    page.reload()
    page.wait_for_selector("body[data-loaded]")
    page.get_by_role("button", name="Pronunciations").click()
    expect(page.get_by_label("Word 2", exact=True)).to_have_value("Worcester")
    page.get_by_role("button", name="Delete word 1").click()
    expect(page.locator("#pron-used")).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Word 1", exact=True)).to_have_value("Nguyen")
    page.get_by_role("button", name="Add a word").click()
    page.keyboard.type("Nguyen")
    expect(page.get_by_role("alert").filter(has_text="in the list twice")).to_be_visible()
    page.set_viewport_size({"width": 320, "height": 640})
    assert _wider_than_the_screen(page, 320) == []
    page.locator(".pron").screenshot(path=screenshots / "pronunciations-320.png")


def test_pronunciations_go_with_dialogues_links_code_history_and_the_settings_file(
    open_page: Open, tone_url: str, tmp_path: Path
) -> None:
    page = open_page(tone_url)
    _store(page, {"nguyen": "nwin", "Leicester": "Lester", 'say "\\cheese"': "cheese", "R&D": "are and dee"})
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Are you NGUYEN?")
    page.get_by_label("Text of turn 2").fill('Say "\\cheese" for R&amp;D.')
    page.get_by_label("Text of turn 2").fill('Say "\\cheese".')
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("/v1/audio/speech") else None)
    generate(page)
    used = {"nguyen": "nwin", 'say "\\cheese"': "cheese"}
    assert [_sent(request)["pronunciations"] for request in sent] == [used, used]
    page.get_by_role("button", name="Copy as code").click()
    page.locator("[name=snippet][value=python]").check(force=True)
    code = page.locator("#snippet").inner_text()
    assert '"say \\"\\\\cheese\\"": "cheese"' in code
    compile(code, "snippet.py", "exec")
    page.keyboard.press("Escape")
    page.locator("#share-open").click()
    field = page.locator("#share-link")
    expect(field).to_have_value(re.compile("#speech="))  # it is packed before the dialog opens
    link = field.input_value()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save file").click()
    saved = Path(caught.value.path()).read_bytes()

    other = open_page(link)
    expect(other.locator("#undo-text")).to_contain_text("2 pronunciations of the link")
    other.get_by_role("button", name="Pronunciations").click()
    words = other.locator("#pron-list input:first-child")
    expect(words).to_have_count(2)
    other.get_by_role("button", name="Undo").click()
    expect(words).to_have_count(0)
    _store(other, {"Leicester": "my own", "Mine": "stays"})
    other.locator("#share-open").click()
    other.locator("#share-file").set_input_files({"name": "a.json", "mimeType": "", "buffer": saved})
    expect(other.locator("#share")).to_be_hidden()
    expect(words).to_have_count(5)
    stored = other.evaluate("JSON.parse(localStorage.getItem('chatterbox.pronunciations')).entries")
    assert (stored["Leicester"], stored["Mine"]) == ("Lester", "stays")

    page.keyboard.press("Escape")
    _store(page, {"nguyen": "otherwise"})
    page.get_by_role("button", name="Use the text and settings of").click()
    page.locator("#pron-open").click()
    expect(page.get_by_label("How word 1 is said")).to_have_value("nwin")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("How word 1 is said")).to_have_value("otherwise")


def test_a_refusal_is_shown_at_its_row_and_damaged_entries_are_left_out(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    _store(page, {"Nguyen": "Nwin", "Leicester": "Lester " * 60})
    write(page, TEXT)
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error")).to_contain_text("Pronunciations: the server does not accept one of them.")
    field = page.get_by_label("How word 2 is said")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#pron-note-1")).to_contain_text("how it is said 300")
    field.fill("Lester")
    expect(page.locator("#pron-note-1")).to_be_hidden()
    generate(page)
    page.route("**/v1/audio/speech", lambda route: route.abort())
    page.get_by_role("button", name="Hear word 1").click()
    expect(page.locator("#pron-note-0")).to_contain_text("The server cannot be reached.")
    for damage in (
        "{",
        '{"entries": {"a": 1}}',
        '{"entries": null}',
        '{"entries": []}',
    ):
        page.evaluate("value => localStorage.setItem('chatterbox.pronunciations', value)", damage)
        page.reload()
        page.wait_for_selector("body[data-loaded]")
        expect(page.locator("#pron-list li")).to_have_count(0)


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_newer_page_stored_of_a_pronunciation_stays(open_page: Open, tone_url: str, version: int) -> None:
    page = open_page(tone_url)
    newer = page.context.new_page()  # another tab, which is opened after this one
    newer.goto(tone_url)
    entries = {"Nguyen": "Nwin", "Leicester": {"ipa": "lɛstə"}}
    newer.evaluate(
        """([version, entries]) => {
            localStorage.setItem("chatterbox.version", version);
            localStorage.setItem("chatterbox.pronunciations", JSON.stringify({ entries }));
        }""",
        [version, entries],
    )
    page.locator("#pron-open").click()
    expect(page.locator("#pron-list li")).to_have_count(1)
    unread = page.get_by_text(
        "Words that a newer version of this page stored and this one cannot use: 1. They are kept."
    )
    expect(unread).to_be_visible(visible=version == 2)
    page.get_by_label("How word 1 is said").fill("Win")
    page.evaluate(
        "async () => (await import('/backup.js')).restore({ values: { pronunciations: {} }, voices: [] }, [])"
    )
    page.get_by_label("How word 1 is said").fill("Wen")
    stored = page.evaluate("JSON.parse(localStorage.getItem('chatterbox.pronunciations'))")
    assert stored["version"] == 1  # what earlier pages look for: without it they begin with an empty list
    assert stored["entries"] == (entries if version == 2 else {}) | {"Nguyen": "Wen"}
