"""What this browser has stored and can no longer read; and the loudness, which is stored, sent, copied and shared."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from support.page_steps import Open, choose_file, generate, speechlike, wait_for_position, write

pytestmark = pytest.mark.slow

_REPLACE = """async text => {
    const { id } = JSON.parse(localStorage.getItem("chatterbox.history")).find(({ order }) => order.text === text);
    const opening = indexedDB.open("chatterbox");
    await new Promise(resolve => opening.addEventListener("success", resolve));
    const store = opening.result.transaction("sounds", "readwrite").objectStore("sounds");
    const putting = store.put(REPLACEMENT, id);
    await new Promise(resolve => putting.addEventListener("success", resolve));
}"""


_AS_OF_VERSION = """async version => {
    const history = JSON.parse(localStorage.getItem("chatterbox.history"));
    history.push({ ...history[0], id: "of-version-2", chunks: { packed: "..." } });
    localStorage.setItem("chatterbox.history", JSON.stringify(history));
    if (version) localStorage.setItem("chatterbox.version", JSON.stringify(version));
    else localStorage.removeItem("chatterbox.version");
    const opening = indexedDB.open("chatterbox", version ?? 1);
    await new Promise(resolve => opening.addEventListener("success", resolve));
    opening.result.close();
}"""

_SOUNDS = """async () => {
    const opening = indexedDB.open("chatterbox");
    await new Promise(resolve => opening.addEventListener("success", resolve));
    const counting = opening.result.transaction("sounds").objectStore("sounds").count();
    await new Promise(resolve => counting.addEventListener("success", resolve));
    opening.result.close();
    return counting.result;
}"""


def _replace(page: Page, text: str, replacement: str) -> None:
    page.evaluate(_REPLACE.replace("REPLACEMENT", replacement), text)


def _refuses(page: Page, text: str) -> None:
    for name in (f"Play “{text}”", f"Download “{text}”"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("alert")).to_contain_text("This browser no longer has this audio, or cannot read it.")
        page.get_by_role("button", name="Close").first.click()


def test_a_stored_sound_that_cannot_be_read_is_reported_and_the_page_goes_on(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The one that stays.")
    generate(page, "The damaged one.")
    for replacement in ("1", "{ wav: 'text' }", "{ wav: new Blob(['no wav file']) }", "null"):
        _replace(page, "The damaged one.", replacement)
        _refuses(page, "The damaged one.")
    page.get_by_role("button", name="Use the text and settings of “The damaged one.”").click()
    expect(page.locator("#text")).to_have_value("The damaged one.")
    page.get_by_role("button", name="Delete “The damaged one.”").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Play “The one that stays.”").click()
    wait_for_position(page, 0.1)

    lost = "() => { Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException('', 'NotReadableError')); }"
    page.evaluate(lost)  # as when the file on the disk is gone
    page.get_by_role("button", name="Play “The one that stays.”").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot read it")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    generate(page, "And the page goes on.")


def test_damaged_facts_of_a_stored_speech_leave_out_that_speech_only(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The one that stays.")
    page.evaluate("""() => {
        const [kept] = JSON.parse(localStorage.getItem("chatterbox.history"));
        const chunk = kept.chunks[0];
        const damaged = [null, {}, { ...chunk, cues: [null] }, { ...chunk, start_s: "0" }, { ...chunk, reasons: "n" }];
        const loud = { ...kept, id: "l", order: { ...kept.order, loudness_lufs: "loud" } };
        const entries = damaged.map((one, i) => ({ ...kept, id: `${i}`, chunks: [one] }));
        entries.unshift(kept);
        entries.push({ ...kept, id: "w", warnings: [{}] }, loud);
        localStorage.setItem("chatterbox.history", JSON.stringify(entries));
    }""")
    _replace(page, "The one that stays.", "{ wav: new Blob(['no wav file']), words: 'none', reference: 7 }")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#history-list li")).to_have_count(1)
    page.get_by_role("button", name="Use the text and settings").click()
    generate(page)


@pytest.mark.parametrize("version", [None, 2])
def test_what_an_older_and_a_newer_page_stored_stays(open_page: Open, tone_url: str, version: int | None) -> None:
    page = open_page(tone_url)
    generate(page, "The one that stays.")
    page.evaluate(_AS_OF_VERSION, version)
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    generate(page, "The next one.")
    rows = page.locator("#history-list li")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Play “The one that stays.”").click()
    wait_for_position(page, 0.1)
    page.get_by_role("button", name="Delete “The next one.”").click()
    expect(rows).to_have_count(1)
    newer, stored = page.evaluate("""() => {
        const read = name => JSON.parse(localStorage.getItem(`chatterbox.${name}`));
        return [read("history").filter(({ id }) => id === "of-version-2"), read("version")];
    }""")
    assert stored == (version or 1)
    assert len(newer) == (version == 2)  # what this page cannot read is kept if it is not damaged


def test_a_voice_whose_recording_cannot_be_played_says_so(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    choose_file(page, "broken.wav", speechlike())
    page.get_by_role("button", name="Use once").click()
    page.route("**/v1/audio/speech", lambda route: route.fulfill(body=b"no sound", content_type="audio/wav"))
    page.get_by_role("button", name="Listen to Default").click()
    expect(page.get_by_role("alert")).to_contain_text("The browser cannot read that file.")


def test_a_loudness_is_kept_sent_copied_and_shared(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url, locale="es")
    loudness = page.get_by_label("Sonoridad", exact=True)
    assert loudness.locator("option").all_inner_texts() == [
        "Tal como se dice", "Pódcast · -16 LUFS", "Audiolibro · -20 LUFS",
    ]  # fmt: skip
    loudness.select_option("-16")
    expect(page.get_by_text("ACX pide −3 dB")).to_be_visible()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(loudness).to_have_value("-16")
    write(page, "Con la sonoridad de un pódcast.")
    with page.expect_request("**/v1/audio/speech") as sent:
        generate(page)
    assert (sent.value.post_data_json or {})["loudness_lufs"] == -16
    expect(page.locator("#history-list li")).to_contain_text("Sonoridad -16 LUFS")
    page.get_by_role("button", name="Ver código").click()
    for kind in ("curl", "Python", "OpenAI"):
        page.get_by_role("radio", name=kind).check()
        expect(page.locator("#snippet")).to_contain_text('"loudness_lufs": -16')
    page.keyboard.press("Escape")
    page.locator("#share-open").click()
    field = page.locator("#share-link")
    expect(field).to_have_value(re.compile("#speech="))  # it is packed before the dialog opens
    link = field.input_value()
    page.keyboard.press("Escape")
    with page.expect_download() as caught:
        page.locator("#share-open").click()
        page.locator("#share-save").click()
    page.keyboard.press("Escape")
    loudness.select_option("")
    with page.expect_request("**/v1/audio/speech") as sent:
        generate(page)
    assert "loudness_lufs" not in (sent.value.post_data_json or {})
    page.get_by_role("button", name="Usar el texto y los ajustes").last.click()
    expect(loudness).to_have_value("-16")

    other = open_page(link)
    expect(other.get_by_label("Loudness")).to_have_value("-16")
    other.get_by_role("button", name="Reset", exact=True).click()
    expect(other.get_by_label("Loudness")).to_have_value("")
    other.locator("#share-open").click()
    other.locator("#share-file").set_input_files(caught.value.path())
    expect(other.locator("#loudness")).to_have_value("-16")


def test_a_disk_found_full_when_the_sound_is_written_loses_nothing(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.evaluate("""() => {
        const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...values) {
            const request = put.apply(this, values);
            request.addEventListener("success", () => this.transaction.abort());
            return request;
        };
    }""")
    generate(page, "The one that was not stored.")
    expect(page.locator("#history-unsaved")).to_contain_text("this speech was not saved. Download it")
    expect(page.locator("#history-list li")).to_have_count(0)
    with page.expect_download() as caught:
        page.locator("#download").click()
    assert caught.value.path().stat().st_size > 1000


def test_full_storage_keeps_neither_entry_nor_sound_and_says_so(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The one that stays.")
    page.evaluate("""() => {
        for (let size = 2 ** 20; size >= 1; size /= 2) {
            try {
                for (let n = 0; ; n++) localStorage.setItem(`other.${size}.${n}`, "x".repeat(size));
            } catch {}
        }
    }""")
    generate(page, "The one that was not stored, with a text that is longer.")
    expect(page.locator("#history-unsaved")).to_contain_text("this speech was not saved. Download it")
    expect(page.get_by_text("What you write and set here is lost")).to_be_visible()
    expect(page.locator("#history-list li")).to_have_count(1)
    assert page.evaluate(_SOUNDS) == 1
    with page.expect_download() as caught:
        page.locator("#download").click()
    assert caught.value.path().stat().st_size > 1000
    page.get_by_role("button", name="Play “The one that stays.”").click()
    expect(page.locator("#history-unsaved")).to_be_hidden()  # it is about the speech in the player
    page.locator("#compare").click()
    page.locator("[name=page-language][value=es]").check()
    expect(page.locator("#history-unsaved")).to_contain_text("esta locución no se guardó. Descárgala")

    page.evaluate(
        "Object.keys(localStorage).filter(key => key.startsWith('other')).forEach(key => delete localStorage[key])"
    )
    generate(page, "The next one.")
    expect(page.locator("#unstored")).to_be_hidden()
    expect(page.locator("#history-unsaved")).to_be_hidden()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#text")).to_have_value("The next one.")
    expect(page.locator("#history-list li")).to_have_count(2)
    assert page.evaluate(_SOUNDS) == 2


def test_storage_that_is_switched_off_is_reported_at_once(open_page: Open, tone_url: str) -> None:
    page = open_page("about:blank", wait=False, locale="es-ES")
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('', 'SecurityError'); };")
    page.goto(tone_url)
    expect(page.get_by_text("su almacenamiento está lleno o desactivado")).to_be_visible()


def test_a_database_that_never_answers_is_waited_for_once(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The one that stays.")
    page.add_init_script(
        "IDBFactory.prototype.open = () => { window.opened = (window.opened ?? 0) + 1; return new EventTarget(); };"
    )
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    page.get_by_role("button", name="Play “The one that stays.”").click()
    expect(page.get_by_role("alert")).to_contain_text("no longer has this audio, or cannot read it")
    write(page, "And another one, at once.")
    page.get_by_role("button", name="Generate").click()
    said = "storage does not answer: this speech was not saved"
    expect(page.locator("#history-unsaved")).to_contain_text(said)
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    expect(page.locator("#history-list li")).to_have_count(1)
    wait_for_position(page, 0.1)  # it plays
    assert page.evaluate("window.opened") == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "The connection broke off"),
        (401, "This server requires an API key."),
        (403, "The server does not accept requests from this page."),
        (413, "That is larger than the server accepts."),
        (429, "Too many requests in a short time."),
        (502, "The server cannot be reached."),
    ],
)
def test_a_proxys_page_in_place_of_an_answer_is_explained(
    open_page: Open, tone_url: str, status: int, said: str
) -> None:
    page = open_page(tone_url)
    answer = {"status": status, "body": "<html><h1>nginx</h1></html>", "content_type": "text/html"}
    page.route("**/v1/audio/speech", lambda route: route.fulfill(**answer))
    write(page, "The text that stays.")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error-title")).to_contain_text(said)
    expect(page.locator("#text")).to_have_value("The text that stays.")


def test_the_page_of_a_network_that_asks_to_log_in_is_not_called_a_failure_of_the_server(
    open_page: Open, tone_url: str
) -> None:
    page = open_page("about:blank", wait=False)
    page.route("**/v1/models", lambda route: route.fulfill(body="<html>Log in</html>", content_type="text/html"))
    page.goto(tone_url)
    expect(page.locator("#error-title")).to_have_text(
        "The server cannot be reached. Check the connection and try again."
    )
