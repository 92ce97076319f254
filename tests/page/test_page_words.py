"""The page's texts: three languages, plain error messages, API keys, the server's states."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support import http_calls
from support.page_steps import KEY, Open, choose_file, generate, held, hold, speechlike, wait_for_position, write
from support.paths import ROOT

pytestmark = pytest.mark.slow

STATIC = ROOT / "src" / "chatterbox_worker" / "server" / "static"


def test_it_uses_the_browsers_language_and_remembers_another_choice(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url, locale="es-MX")
    assert page.locator("html").get_attribute("lang") == "es"
    expect(page.get_by_role("heading", name="Voz")).to_be_visible()
    expect(page.locator("#language")).to_have_value("es")
    page.get_by_role("button", name="Un cuento").click()
    generate(page)
    expect(page.get_by_role("heading", name="Historial")).to_be_visible()
    page.screenshot(path=screenshots / "spanish.png", full_page=True)
    page.get_by_role("radio", name="English").check()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_all_languages_have_all_texts(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    keys = "async tag => Object.keys((await import(`/i18n/${tag}.js`)).default)"
    en, es, pt = (page.evaluate(keys, tag) for tag in ("en", "es", "pt"))
    assert set(en) == set(es) == set(pt)
    used = set(re.findall(r'data-t(?:-[a-z-]+)?="([^"]+)"', (STATIC / "index.html").read_text()))
    for module in STATIC.glob("*.js"):
        used |= set(re.findall(r'\bt\("([^"]+)"', module.read_text()))
    assert used <= set(en)
    assert len(used) > 100

    portuguese = open_page(tone_url, locale="pt-BR")
    assert portuguese.locator("html").get_attribute("lang") == "pt"
    expect(portuguese.get_by_role("radio", name="Português")).to_be_checked()
    expect(portuguese.get_by_role("button", name="Gerar")).to_be_visible()


def test_theme_follows_the_system_until_it_is_chosen(open_page: Open, tone_url: str, screenshots: Path) -> None:
    page = open_page(tone_url, color_scheme="dark")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    generate(page, "In the dark, all voices are near.")
    page.screenshot(path=screenshots / "dark.png", full_page=True)
    page.locator("#theme").click()
    assert page.evaluate(colour) != dark
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    assert page.evaluate(colour) != dark


def test_an_empty_text_is_reported_at_its_field(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("Text: there is nothing to say yet.")
    expect(page.locator("#text")).to_be_focused()
    assert page.locator("#text").get_attribute("aria-invalid") == "true"
    write(page, "Now there is.")
    generate(page)
    expect(page.locator("#error")).to_be_hidden()


def test_a_missing_voice_is_reported_in_spanish_with_the_servers_own_message(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    choose_file(page, "gone.wav", speechlike())
    page.get_by_role("button", name="Save voice").click()
    expect(page.get_by_role("radio", name="gone")).to_be_checked()
    page.get_by_role("radio", name="Español").check()
    http_calls.delete(f"{tone_url}/voices/gone").raise_for_status()
    write(page, "Con una voz que ya no está.")
    page.get_by_role("button", name="Generar").click()
    expect(page.get_by_role("alert")).to_contain_text("Voz: ya no está en el servidor. Elige otra.")
    page.get_by_text("Mensaje del servidor").click()
    expect(page.locator("#error-detail")).to_contain_text("gone")
    page.screenshot(path=screenshots / "error.png", full_page=True)
    expect(page.get_by_role("radio", name="gone")).to_have_count(0)


def test_a_failure_in_the_middle_of_a_dialogue_names_the_turn(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("All is well.")
    page.get_by_label("Text of turn 2").fill("And now I explode.")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("Turn 2. The model failed on this text.")
    expect(page.locator("#warnings")).to_contain_text("Stopped early")


def test_the_page_asks_for_a_key_if_the_server_requires_one_and_sends_it(
    open_page: Open, locked_url: str, screenshots: Path
) -> None:
    page = open_page(locked_url, wait=False)
    expect(page.get_by_role("dialog")).to_contain_text("API key")
    page.get_by_label("Key", exact=True).fill("a-wrong-key-of-this-length")
    expect(page.locator("#key-wrong")).to_be_hidden()
    page.get_by_role("button", name="Use key").click()
    expect(page.get_by_role("dialog")).to_contain_text("Wrong key")
    page.screenshot(path=screenshots / "wrong-key.png")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Use key").click()
    page.wait_for_selector("body[data-loaded]")
    generate(page, "The key is right.")
    page.get_by_role("button", name="Copy as code").click()
    expect(page.locator("#snippet")).to_contain_text("$CHATTERBOX_API_KEY")
    assert KEY not in page.locator("#snippet").inner_text()


def test_a_saved_take_plays_with_a_wrong_key_and_without_the_server(
    open_page: Open, locked_url: str, screenshots: Path
) -> None:
    page = open_page(locked_url, wait=False)
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Use key").click()
    page.wait_for_selector("body[data-loaded]")
    generate(page, "This one is kept here. " * 20)
    page.evaluate("localStorage.setItem('chatterbox.key', '\"a-wrong-key-of-this-length\"')")
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("Wrong key")
    page.keyboard.press("Escape")
    page.context.set_offline(True)
    page.get_by_role("button", name="Play “This one is kept here.").click()
    wait_for_position(page, 0.2)
    icon = page.locator("#play use").bounding_box()
    assert icon is not None
    assert icon["width"] > 10  # drawn, without a request
    page.get_by_role("button", name="Pause").click()
    page.locator("#download-menu summary").click()
    page.screenshot(path=screenshots / "server-gone.png", full_page=True)
    with page.expect_download():
        page.locator("#download-list").get_by_role("button").click()


def test_a_stream_from_which_nothing_arrives_says_so(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.route("**/v1/audio/speech", lambda route: None)
    page.clock.install()
    write(page, "Nobody answers this.")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#progress-text")).to_have_text("Waiting for the first sound…")
    page.clock.fast_forward(26_000)
    expect(page.locator("#progress-text")).to_contain_text("Nothing has arrived for 2")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#stage-empty")).to_be_visible()


def test_damaged_stored_values_never_disable_the_page(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "An entry that stays.")
    kept = page.evaluate("JSON.parse(localStorage.getItem('chatterbox.history'))[0]")
    names = ["captions", "download", "draft", "format", "history", "key", "language", "mode", "pronunciations",
             "reading", "settings", "theme", "turns", "voice"]  # fmt: skip
    settings = {"model": 5, "speed": "fast", "seed": {}, "sampling": {"multilingual": {"temperature": "hot"}}}
    entries = [kept, None, {"id": "1"}, kept | {"at": 1e300}, kept | {"order": kept["order"] | {"text": None}}]
    damaged: list[Any] = [{}, [None], [{"reasons": "silent"}]]
    entries += [kept | {"checks": checks} for checks in damaged]
    entries += [kept | {"id": "2", "order": kept["order"] | {"sampling": {"unknown": 1, "temperature": "hot"}}}]
    for damage in ("{", "null", '"toString"', json.dumps(settings), json.dumps(entries)):
        for name in names:
            page.evaluate("([name, value]) => localStorage.setItem(`chatterbox.${name}`, value)", [name, damage])
        page.reload()
        page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#history-list li")).to_have_count(2)
    generate(page, "And the page goes on.")


def _drop(page: Page, name: str, text: str) -> None:
    page.evaluate(
        """([name, text]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], name));
            const event = type => new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
            for (const type of ["dragover", "drop"]) document.getElementById("text").dispatchEvent(event(type));
        }""",
        [name, text],
    )


def test_a_text_file_is_opened_where_it_is_dropped(open_page: Open, tone_url: str, screenshots: Path) -> None:
    page = open_page(tone_url)
    box = page.locator("#text")
    cues = [
        "1\r\n00:00:00,000 --> 00:00:01,000\r\n<i>One</i>\r\nmore.\r\n",
        "2\r\n00:00:01,000 --> 00:00:02,000\r\nTwo,\r\n",
    ]
    _drop(page, "a.srt", "\r\n".join(cues))
    expect(box).to_have_value("One more.\nTwo,")
    page.locator("#text-file").set_input_files(
        {"name": "b.md", "mimeType": "", "buffer": "# Señal\n\nIt is **bold**.".encode()}
    )
    page.get_by_role("button", name="Replace").click()
    expect(box).to_have_value("# Señal\n\nIt is **bold**.")
    expect(page.locator("#markup")).to_be_visible()
    page.screenshot(path=screenshots / "markdown.png", full_page=True)
    with page.expect_request("**/v1/audio/speech") as sent:
        generate(page)
    assert (sent.value.post_data_json or {})["text_format"] == "markdown"
    page.get_by_role("button", name="Read as plain text").click()
    expect(page.locator("#markup")).to_be_hidden()
    box.fill("")
    page.locator("#text-file").set_input_files({"name": "c.TXT", "mimeType": "", "buffer": "mañana".encode("cp1252")})
    expect(box).to_have_value("mañana")
    _drop(page, "book.doc", "")
    expect(page.get_by_role("alert")).to_contain_text("Only .txt, .md, .srt and .epub files")
    dragged = """() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.setData("text/plain", "words");
        const event = type => new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
        return ["dragover", "drop"].map(type => document.getElementById("text").dispatchEvent(event(type)));
    }"""
    assert page.evaluate(dragged) == [True, True]  # left to the browser


def test_the_servers_state_is_shown(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    status = ["ok"]
    page.route("**/health", lambda route: route.fulfill(json={"status": status[0], "reason": ""}))
    for state, words in {
        "starting": "loading its models",
        "asleep": "unloaded to free the GPU",
        "waking": "loaded again",
        "failed": "could not start",
    }.items():
        status[0] = state
        page.reload()
        expect(page.locator("#server-notice")).to_contain_text(words)
        expect(page.locator("#status")).to_have_attribute("data-state", state)


def test_a_lost_connection_is_shown_until_it_is_back(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.context.set_offline(True)
    expect(page.locator("#server-notice")).to_contain_text("cannot be reached")
    write(page, "Is the server there?")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.context.set_offline(False)
    expect(page.locator("#server-notice")).to_be_hidden()
    expect(page.locator("#error")).to_be_hidden()
    generate(page)

    asked = hold(page, "**/health")
    for number in (0, 1):
        page.evaluate("dispatchEvent(new Event('online'))")
        held(page, asked, number)
    with page.expect_response("**/health"):
        asked[1].continue_()
    with page.expect_event("requestfailed"):
        asked[0].abort()  # of a connection that broke off, after the server has answered over another
    page.evaluate("new Promise(resolve => setTimeout(resolve, 100))")
    expect(page.locator("#status")).to_have_attribute("data-state", "ok", timeout=1)


_TYPE = """(box, letters) => {
    for (const letter of letters) {
        box.value += letter;
        box.dispatchEvent(new InputEvent("input", { bubbles: true, data: letter, inputType: "insertText" }));
    }
}"""
"""Faster than anybody types: a busy machine may take longer for a letter than the page waits for the next one."""


def test_the_panel_shows_how_a_text_will_be_read(open_page: Open, tone_url: str, screenshots: Path) -> None:
    page = open_page(tone_url)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if request.url.endswith("/text") else None)
    write(page, f"It costs $1,200 at 12:30 p.m. today.\n\n{'And nothing else is to be seen here. ' * 6}")
    page.get_by_text("As it will be read").click()
    marks = page.locator("#reading-box mark")
    expect(marks).to_have_text(["one thousand two hundred dollars", "twelve thirty p.m."])
    expect(marks.first).to_have_attribute("title", "written: $1,200")
    expect(page.locator("#reading-box")).to_contain_text("pause 0.8 s")
    page.screenshot(path=screenshots / "reading.png", full_page=True)
    page.wait_for_function("() => !document.getElementById('reading-box').ariaBusy")
    asked = len(requests)
    page.locator("#text").evaluate(_TYPE, "7 cats")
    expect(marks.last).to_have_text("seven")
    assert len(requests) == asked + 1  # not one for each letter

    page.locator("#text").fill("...")
    expect(page.locator("#reading-box .note")).to_be_visible()
    page.locator("#text").fill("")
    expect(page.locator("#reading-box")).to_contain_text("Write a text")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#reading")).to_have_attribute("open", "")
