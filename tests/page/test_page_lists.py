"""Before the server has listed its models and voices, nothing is concluded from their lists."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from support.page_steps import Open, generate, held, hold, spoken, wait_for_position, write

pytestmark = pytest.mark.slow


def test_a_click_while_the_page_is_loading_counts_once(open_page: Open, tone_url: str) -> None:
    page = open_page("about:blank", wait=False)
    models = hold(page, "**/v1/models")
    page.goto(tone_url)
    write(page, "The server lists its models slowly.")
    for _ in range(2):
        page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error")).to_be_hidden()
    expect(page.locator("#generate")).to_contain_class("busy")
    with spoken(page):
        held(page, models).continue_()
    expect(page.locator("#history-list li")).to_have_count(1)
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#generate")).not_to_contain_class("busy")

    failing = open_page("about:blank", wait=False)
    models = hold(failing, "**/v1/models")
    failing.goto(tone_url)
    write(failing, "The server does not list its models.")
    failing.get_by_role("button", name="Generate").click()
    held(failing, models).abort()
    expect(failing.locator("#error-title")).to_contain_text("The server cannot be reached.")


def test_settings_of_the_history_are_used_once_the_models_are_listed(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "An earlier text.")
    models = hold(page, "**/v1/models")
    page.reload()
    write(page, "")
    restore = page.get_by_role("button", name="Use the text and settings of")
    restore.click()
    expect(restore).to_contain_class("busy")
    expect(page.locator("#error")).to_be_hidden()
    held(page, models).continue_()
    expect(page.locator("#text")).to_have_value("An earlier text.")
    expect(page.locator("#error")).to_be_hidden()


@pytest.mark.parametrize(
    ("button", "shown"),
    [
        ("share-open", "share"),
        ("reference-open", "reference"),
        ("convert-open", "convert"),
        ("copy-open", "copy-dialog"),
    ],
)
def test_a_dialog_opens_once_the_lists_are_there(open_page: Open, tone_url: str, button: str, shown: str) -> None:
    page = open_page("about:blank", wait=False)
    voices = hold(page, "**/voices")
    page.goto(tone_url)
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{button}")).to_contain_class("busy")
    expect(page.locator(f"#{shown}")).to_be_hidden()
    held(page, voices).continue_()
    expect(page.locator(f"#{shown}")).to_be_visible()
    expect(page.locator("#error")).to_be_hidden()


def test_the_voices_of_a_dialogue_are_not_gone_before_they_are_listed(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    turns = [{"voice": "nobody", "text": "Hi.", "pause_s": 0.4}, {"voice": "default", "text": "Oh.", "pause_s": 0.4}]
    page.evaluate("turns => localStorage.setItem('chatterbox.turns', JSON.stringify(turns))", turns)
    models = hold(page, "**/v1/models")
    page.reload()
    page.locator("#turn-add").click()
    page.locator("#reset").evaluate("button => button.click()")
    page.evaluate("document.querySelector('[name=page-language][value=es]').click()")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("#turns [aria-invalid]")).to_have_count(0)
    held(page, models).continue_()
    expect(page.locator("#turns li")).to_have_count(3)
    expect(page.locator("#turns [aria-invalid]")).to_have_count(2)  # the new turn has the first one's


def test_a_speech_of_the_history_is_played_before_the_models_are_listed(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "An earlier text.")
    models = hold(page, "**/v1/models")
    page.reload()
    page.get_by_role("button", name="Play “An earlier text.").click()
    wait_for_position(page, 0.1)
    expect(page.locator("#error")).to_be_hidden()
    held(page, models).continue_()
    page.wait_for_selector("body[data-loaded]")
