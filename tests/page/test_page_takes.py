"""Several takes of a text, the queue, and the history's names, downloads and undo."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from chatterbox_worker.synthesis.chunk_takes import candidate_seeds
from support.page_steps import Open, generate, held, pause, spoken, times, wait_for_position, write

pytestmark = pytest.mark.slow

Axe = Callable[[Page], list[str]]
SLOWLY = "Speak this slowly, one word after another. " * 2


def _send(page: Page, text: str, takes: int = 1) -> None:
    write(page, text)
    page.get_by_role("radio", name=str(takes), exact=True).check()
    page.locator("#generate").click()


def _is_idle(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")


def test_takes_have_the_seeds_of_candidates_and_one_key_compares_two_at_the_same_place(
    open_page: Open, tone_url: str
) -> None:
    page = open_page(tone_url)
    page.get_by_text("Fine tuning").click()
    page.get_by_label("Seed", exact=True).fill("77")
    with spoken(page):
        _send(page, "A tone that lasts long enough to compare two of them. " * 6, takes=2)
    facts = page.locator("#take-list .take-facts").all_inner_texts()
    assert [int(text.split()[1]) for text in facts] == list(candidate_seeds(77, 2))
    page.get_by_role("button", name="Listen to take 2").click()
    expect(page.locator("#take-list li").last).to_have_attribute("aria-current", "true")
    pause(page)
    page.locator("#wave").focus()
    page.keyboard.press("PageDown")
    at, _ = times(page)
    page.keyboard.press("b")
    expect(page.locator("#take-list li").first).to_have_attribute("aria-current", "true")
    assert times(page)[0] == pytest.approx(at, abs=0.11)
    page.locator("#compare").click()
    expect(page.locator("#take-list li").last).to_have_attribute("aria-current", "true")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    page.locator("#history-list button").first.click()
    expect(page.locator("#take-list li")).to_have_count(2)


def test_one_failing_take_does_not_lose_the_others_and_cancel_keeps_all_that_was_spoken(
    open_page: Open, tone_url: str
) -> None:
    page = open_page(tone_url)
    sent: list[Route] = []

    def fail_the_second(route: Route) -> None:
        sent.append(route)
        if len(sent) == 2:
            error = {"code": "synthesis_failed", "message": "the engine failed", "type": "server_error", "param": None}
            route.fulfill(status=500, body=json.dumps({"error": error}), content_type="application/json")
        else:
            route.continue_()

    page.route("**/v1/audio/speech", fail_the_second)
    with spoken(page):
        _send(page, "Two of three.", takes=3)
    rows = page.locator("#take-list li")
    expect(rows).to_have_count(3)
    expect(rows.locator(".bad")).to_contain_text("The model failed on this text.")
    expect(page.locator("#history-list li")).to_have_count(2)
    expect(page.locator("#error")).to_be_hidden()
    page.unroute("**/v1/audio/speech")

    text = SLOWLY * 20  # several chunks: a checked one is sent when it is complete
    _send(page, text, takes=2)
    for number in (2, 1):  # the first of the takes before had sound, too, and the second had not
        expect(page.get_by_role("button", name=f"Listen to take {number}")).to_be_enabled()
    page.get_by_role("button", name="Cancel").click()
    _is_idle(page)
    expect(page.locator("#history-list li", has_text="stopped early")).to_have_count(2)


def test_the_next_texts_wait_in_a_queue_and_the_history_plays_meanwhile(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "An old one that can be played at any time.")
    _send(page, SLOWLY * 20)
    _send(page, "The second one.")
    expect(page.locator("#generate")).to_contain_text("Add to queue")
    _send(page, "The third one.")
    _send(page, "The fourth one.")
    waiting = page.locator("#queue-list li")
    expect(waiting).to_have_count(3)
    page.get_by_role("button", name="Remove “The third one.” from the queue").click()
    expect(waiting).to_have_count(2)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(waiting).to_have_count(3)
    page.get_by_role("button", name="Remove “The fourth one.” from the queue").click()

    page.get_by_role("button", name="Play “An old one").click()
    wait_for_position(page, 0.3)
    assert page.locator("body").get_attribute("data-stage") == "busy"
    page.get_by_role("button", name="Listen to it").click()
    expect(page.locator("#takeaway")).to_be_hidden()
    expect(page.locator("#progress-listen")).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#history-list li")).to_have_count(4)
    _is_idle(page)
    titles = page.locator("#history-list .history-title").all_inner_texts()
    assert titles[:2] == ["The third one.", "The second one."]


def test_a_queue_stops_when_the_server_is_gone_and_goes_on_when_it_is_told_to(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    gone = [True]
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if gone[0]:
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/v1/audio/speech", hold)
    _send(page, "The first one.")
    _send(page, "The second one.")
    expect(page.locator("#queue-list li")).to_have_count(1)
    held(page, waiting, 0).abort()
    expect(page.locator("#error")).to_contain_text("“The first one.”: The server cannot be reached")
    expect(page.locator("#queue-stopped")).to_be_visible()
    expect(page.locator(".queue-title")).to_have_text(["The first one.", "The second one."])  # no text is lost
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#queue-list li")).to_have_count(1)
    held(page, waiting, 1).abort()
    expect(page.locator("#queue-list li")).to_have_count(2)
    gone[0] = False
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#history-list .history-title")).to_have_text(["The second one.", "The first one."])
    expect(page.locator("#queue")).to_be_hidden()


def test_a_text_that_is_back_in_the_queue_starts_when_nothing_else_is_generated(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    waiting: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if waiting:
            route.continue_()
        waiting.append(route)

    page.route("**/v1/audio/speech", hold_the_first)
    _send(page, "The first one.")
    _send(page, "The second one.")
    page.get_by_role("button", name="Remove “The second one.” from the queue").click()
    page.locator("#undo").hover()  # it stays for as long as it has the pointer
    held(page, waiting, 0).continue_()
    expect(page.locator("#history-list li")).to_have_count(1)
    _is_idle(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#history-list li")).to_have_count(2)


def test_a_key_that_is_held_down_generates_once(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.route("**/v1/audio/speech", lambda route: None)
    write(page, "Once is enough.")
    page.locator("#text").focus()
    page.keyboard.down("Control")
    for _ in range(3):
        page.keyboard.down("Enter")
    expect(page.locator("body")).to_have_attribute("data-stage", "busy")
    expect(page.locator("#queue")).to_be_hidden()


def test_a_take_has_a_name_is_downloaded_unplayed_and_every_deletion_can_be_undone(
    open_page: Open, tone_url: str
) -> None:
    page = open_page(tone_url)
    page.get_by_role("slider", name="Expression").fill("1.2")
    generate(page, "The first of two.")
    write(page, "Another draft.")
    row = page.locator("#history-list li")
    expect(row.locator(".history-facts")).to_contain_text("Expression 1.20")
    page.get_by_role("button", name="Name “The first of two.”").click()
    page.keyboard.type("Opening")
    page.keyboard.press("Enter")
    expect(row.locator(".history-title")).to_have_text("Opening")
    expect(page.get_by_role("button", name="Name “Opening”")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("nothing")
    page.keyboard.press("Escape")
    expect(row.locator(".history-title")).to_have_text("Opening")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download “Opening”").click()
    assert caught.value.suggested_filename == "opening.wav"
    expect(page.locator("#stage")).to_be_hidden()

    page.get_by_role("button", name="Use the text and settings of “Opening”").click()
    expect(page.locator("#text")).to_have_value("The first of two.")
    page.keyboard.press("Control+z")
    expect(page.locator("#text")).to_have_value("Another draft.")
    expect(page.locator("#seed")).to_have_value("")

    page.get_by_role("button", name="Delete “Opening”").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("button", name="Play “Opening”").click()
    wait_for_position(page, 0.2)
    page.locator("#history-clear").click()
    page.get_by_role("button", name="Delete all").click()
    expect(page.locator("#undo-text")).to_have_text("The history is empty.")
    expect(row).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(row).to_have_count(1)


def test_a_full_history_says_what_the_next_takes_replace(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The oldest.")
    page.evaluate("""() => {
        const [item] = JSON.parse(localStorage.getItem("chatterbox.history"));
        const more = Array.from({ length: 38 }, (_, n) => ({ ...item, id: `more-${n}`, name: `number ${n}` }));
        localStorage.setItem("chatterbox.history", JSON.stringify([...more, item]));
    }""")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#history-drops")).to_be_hidden()
    page.get_by_role("radio", name="3", exact=True).check()
    expect(page.locator("#history-drops")).to_contain_text("replace the 2 oldest")
    page.get_by_role("radio", name="1", exact=True).check()
    generate(page, "The fortieth.")
    expect(page.locator("#history-drops")).to_contain_text("replaces the oldest one, “The oldest.”")
    generate(page, "One too many.")
    expect(page.locator("#history-list li")).to_have_count(40)
    expect(page.get_by_role("button", name="Play “The oldest.”")).to_have_count(0)


def test_takes_and_the_queue_fit_a_phone_and_axe_finds_nothing(open_page: Open, tone_url: str, axe: Axe) -> None:
    width = 375
    page = open_page(tone_url, viewport={"width": width, "height": 800}, color_scheme="dark", locale="es")
    sent: list[Route] = []

    def hold_the_third(route: Route) -> None:
        sent.append(route)
        if len(sent) != 3:
            route.continue_()

    page.route("**/v1/audio/speech", hold_the_third)
    _send(page, SLOWLY * 2, takes=3)
    _send(page, "El segundo texto, que es largo, espera en la cola hasta que el primero termina.")
    expect(page.locator("#queue-list li")).to_have_count(1)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#queue-list button").click()
    expect(page.locator("#undo")).to_be_visible()
    held(page, sent, 2).continue_()
    _is_idle(page)
    page.locator("#take-list button").nth(2).click()  # listens to the second; the one after it would keep it
    expect(page.locator("#compare")).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
