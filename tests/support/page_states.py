"""The states of the studio that are looked at: how a user gets there, from a page that has just been opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from playwright.sync_api import Page, expect

from support import epubs
from support.page_steps import generate, list_voices, speechlike, wait_for_position, write

STORY = (
    "The lighthouse had been dark for forty years. Then, one evening in March, somebody climbed the two hundred and "
    "twelve steps and lit the lamp again. The fishermen saw it from far away, and turned their boats around."
)
SLOWLY = "This is spoken slowly, so that there is something to look at while it arrives. " * 3
SCRIPT = {
    "en": ["Did you hear that?", "Hear what?", "The bell. It rang twice.", "It has not rung since the storm.",
           "Then who is up there?", "Let us go and see."],
    "es": ["¿Has oído eso?", "¿Oír qué?", "La campana. Ha sonado dos veces.", "No suena desde la tormenta.",
           "¿Y quién está ahí arriba?", "Vamos a verlo."],
}  # fmt: skip
VOICES = ["Anna", "Ben-Carter", "Carmen", "Narrator-documentary-slow"]
LONG_NAME = "A-name-that-is-longer-than-the-list-is-wide-and-not-cut-off-1999"
State = Callable[[Page], None]


def first_visit(page: Page) -> None:
    expect(page.locator("#welcome")).to_be_visible()


def speaking(page: Page) -> None:
    write(page, SLOWLY)
    page.locator("#generate").click()
    wait_for_position(page, 1.0)
    expect(page.locator(".word.lit")).to_have_count(1)


def finished(page: Page) -> None:
    generate(page, STORY)
    page.wait_for_function("() => document.querySelector('.word.lit')")
    page.locator("#words .word").nth(12).click()
    page.locator("#play").click()
    page.locator("#download-menu summary").click()


def takes(page: Page) -> None:
    page.locator("[name=takes][value='3']").check()
    generate(page, STORY)
    page.locator("#take-list button").nth(2).click()
    page.locator("#play").click()


def dialogue(page: Page) -> None:
    language = page.locator("html").get_attribute("lang") or "en"
    turns = [
        {"voice": VOICES[n % 2], "text": text, "pause_s": 0.4}
        for n, text in enumerate(SCRIPT.get(language, SCRIPT["en"]))
    ]
    page.evaluate("turns => localStorage.setItem('chatterbox.turns', turns)", json.dumps(turns))
    page.evaluate("localStorage.setItem('chatterbox.mode', '\"dialogue\"')")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    generate(page)
    page.locator("#play").click()


def many_voices(page: Page) -> None:
    list_voices(page, [*(f"voice-{n:03}" for n in range(98)), "Zoe-Ibanez", LONG_NAME])
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    page.locator(f"[name=voice][value={LONG_NAME}]").check()
    page.locator("#voice-filter").fill("00")


def new_voice(page: Page) -> None:
    page.locator("#reference-open").click()


def checked_voice(page: Page) -> None:
    page.locator("#reference-open").click()
    recording = {"name": "interview-in-the-kitchen.wav", "mimeType": "audio/wav", "buffer": speechlike()}
    page.locator("#reference-file").set_input_files(recording)  # type: ignore[arg-type]
    expect(page.locator("#reference-form")).to_be_visible()


def conversion(page: Page) -> None:
    page.locator("#convert-open").click()
    recording = {"name": "interview.wav", "mimeType": "audio/wav", "buffer": speechlike(3.0)}
    page.locator("#convert-file").set_input_files(recording)  # type: ignore[arg-type]
    page.locator("#convert-do").click()
    expect(page.locator("#convert-result")).to_be_visible()


def fine_tuning(page: Page) -> None:
    write(page, "It costs $1,200 at 12:30 p.m. today.")
    page.locator("#fine summary").click()
    page.locator("#sliders input").nth(1).fill("0.9")
    page.locator("#sliders .slider-head .icon-button").first.click()
    page.locator("#reading summary").click()
    expect(page.locator("#reading-box mark")).to_have_count(2)


def history(page: Page) -> None:
    for text in ("Good evening. Tonight: the old lighthouse at the harbour shines again.", STORY):
        generate(page, text)
    write(page, SLOWLY * 4)
    page.locator("#generate").click()
    wait_for_position(page, 0.3)
    page.locator("#cancel").click()
    expect(page.locator("#history-list li")).to_have_count(3)
    page.locator("#history-list .history-actions button").nth(4).click()
    page.keyboard.type("Trailer, second version, with the long name that the client asked for")
    page.keyboard.press("Enter")
    page.locator("#history-title").scroll_into_view_if_needed()


def server_gone(page: Page) -> None:
    generate(page, STORY)
    page.locator("#play").click()
    page.context.set_offline(True)
    expect(page.locator("#server-notice")).to_be_visible()
    page.locator("#generate").click()
    expect(page.locator("#error")).to_be_visible()


def wrong_key(page: Page) -> None:
    error = {"code": "invalid_api_key", "message": "wrong", "type": "invalid_request_error", "param": None}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"error": error}))
    page.evaluate("localStorage.setItem('chatterbox.key', '\"a-wrong-key-of-this-length\"')")
    page.reload()
    expect(page.locator("#key-wrong")).to_be_visible()


def queue(page: Page) -> None:
    for text in (SLOWLY * 6, "The second text waits here.", f"The third one is longer. {STORY}"):
        write(page, text)
        page.locator("#generate").click()
    expect(page.locator("#queue-list li")).to_have_count(2)
    wait_for_position(page, 0.5)


def pasted_script(page: Page) -> None:
    write(page, "\n".join(f"{('Anna', 'Ben')[n % 2]}: {text}" for n, text in enumerate(SCRIPT["en"])))
    expect(page.locator("#script-offer")).to_be_visible()


def share(page: Page) -> None:
    write(page, STORY)
    page.locator("#share-open").click()


def copy_as_code(page: Page) -> None:
    write(page, STORY)
    page.locator("#copy-open").click()


def pronunciations(page: Page) -> None:
    entries = {"Nguyen": "Nwin", "Leicester": "Lester", "GIF": "jif"}
    stored = json.dumps({"version": 1, "entries": entries})
    page.evaluate("stored => localStorage.setItem('chatterbox.pronunciations', stored)", stored)
    page.evaluate("localStorage.setItem('chatterbox.reading', 'true')")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    write(page, "Doctor Nguyen lives in Leicester. He wrote to Mrs. Cholmondeley yesterday.")
    page.locator("#pron-open").click()
    expect(page.locator("#reading-box mark").first).to_be_visible()
    select = "box => { const at = box.value.indexOf('Chol'); box.focus(); box.setSelectionRange(at, at + 12); }"
    page.locator("#text").evaluate(select)
    expect(page.locator("#pron-say")).to_be_visible()


def opened_book(page: Page) -> None:
    write(page, STORY)
    files = epubs.zipped(epubs.files())
    page.locator("#text-file").set_input_files({"name": "alice.epub", "mimeType": "", "buffer": files})
    expect(page.locator("#book")).to_be_visible()


STATES: Mapping[str, State] = {
    state.__name__.replace("_", "-"): state
    for state in (
        first_visit,
        speaking,
        finished,
        takes,
        dialogue,
        many_voices,
        new_voice,
        checked_voice,
        conversion,
        fine_tuning,
        history,
        server_gone,
        wrong_key,
        queue,
        pasted_script,
        share,
        copy_as_code,
        pronunciations,
        opened_book,
    )
}
