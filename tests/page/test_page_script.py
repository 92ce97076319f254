"""A pasted script becomes turns, when that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support import http_calls
from support.page_steps import Open, generate, speechlike, write

pytestmark = pytest.mark.slow

SCRIPT = """Ana María: Where were you last night?
[Ben]: At home.
I was asleep.

Ana María: And before?
Ben: Not far from there.
Ana María: Where?
Ben: At 12:30, in the garden."""
_PARSE = """async text => {
  const { parseScript } = await import("/script.js");
  return parseScript(text, name => name === "Zoe")?.map(({ name, text }) => [name, text]) ?? null;
}"""


def test_a_pasted_script_becomes_turns_with_the_voices_of_its_names(
    open_page: Open, tone_url: str, screenshots: Path, axe: Callable[[Page], list[str]]
) -> None:
    upload = {"file": ("a.wav", speechlike())}
    http_calls.post(f"{tone_url}/voices", files=upload, data={"voice_id": "ana-maria"}).raise_for_status()
    page = open_page(tone_url)
    write(page, SCRIPT)
    offer = page.locator("#script-offer")
    expect(offer).to_contain_text("6 turns, 2 speakers")
    expect(page.get_by_label("Ana María")).to_have_value("ana-maria")
    expect(page.get_by_label("Ben", exact=True)).to_have_value("default")
    page.screenshot(path=screenshots / "script.png", full_page=True)
    assert axe(page) == []
    page.get_by_role("button", name="Leave as text").click()
    expect(offer).to_be_hidden()
    expect(page.locator("#text")).to_be_focused()

    write(page, f"{SCRIPT} ")
    expect(offer).to_be_hidden()
    write(page, f"{SCRIPT}\nAna María: Good night.")
    page.get_by_role("button", name="Make 7 turns").click()
    expect(page.locator("#turn-0-text")).to_be_focused()
    expect(page.locator("#turn-1-text")).to_have_value("At home.\nI was asleep.")
    assert [page.locator(f"#turn-{i}-voice").input_value() for i in range(7)] == ["ana-maria", "default"] * 3 + [
        "ana-maria"
    ]
    http_calls.delete(f"{tone_url}/voices/ana-maria")


def test_a_script_pasted_into_an_empty_turn_takes_its_place(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("The beginning.")
    page.get_by_label("Text of turn 2").focus()
    page.evaluate("text => document.execCommand('insertText', false, text)", "Not pasted: no offer\nNot pasted: none")
    expect(page.locator("#script-offer")).to_be_hidden()
    _paste_into_turn_2(page)
    page.get_by_role("button", name="Make 6 turns").click()
    expect(page.locator("#turns li")).to_have_count(7)
    expect(page.get_by_label("Text of turn 1")).to_have_value("The beginning.")
    generate(page)


def test_there_is_no_offer_any_more_when_the_turn_has_moved_or_is_not_shown(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    offer = page.locator("#script-offer")
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("The beginning.")
    _paste_into_turn_2(page)
    expect(offer).to_be_visible()
    page.get_by_role("button", name="Move turn 2 up").click()
    expect(offer).to_be_hidden()
    _paste_into_turn_2(page)
    expect(offer).to_be_visible()
    for mode in ("Text", "Dialogue"):
        page.get_by_role("radio", name=mode, exact=True).check()
        expect(offer).to_be_hidden()


def _paste_into_turn_2(page: Page) -> None:
    page.get_by_label("Text of turn 2").evaluate(
        """(box, text) => {
            box.value = text;
            box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
        }""",
        SCRIPT,
    )


_CASES: list[tuple[str, list[list[str]] | None]] = [
    ("Anna: Hi.\nBen: Hello.", [["Anna", "Hi."], ["Ben", "Hello."]]),
    ("**Anna:** Hi.\n**Ben:** Hello.", [["Anna", "Hi."], ["Ben", "Hello."]]),
    ("[Dr. O’Neil 2]: Hi.\n[張偉]：你好", [["Dr. O’Neil 2", "Hi."], ["張偉", "你好"]]),
    (
        "Zoe: Hi.\nHow are you?\nBen: Fine.\nMax: Me too.",
        [["Zoe", "Hi.\nHow are you?"], ["Ben", "Fine."], ["Max", "Me too."]],
    ),
    ("Date: today\nPlace: here\nTopic: none", None),
    ("Once more.\nAnna: Hi.\nBen: Hello.", None),
    ("See https://example.org: it is good.\n12:30 is late.", None),
    ("Anna: Hi.", None),
]


def test_what_looks_like_a_script(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    assert [page.evaluate(_PARSE, text) for text, _ in _CASES] == [turns for _, turns in _CASES]
