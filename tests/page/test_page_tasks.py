"""Five tasks, from the page as it opens to what is kept: with so many clicks, and with the keys alone.

What is written, pasted or chosen in a window of the system is no click.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from chatterbox_worker.audio.decode import decode
from support import http_calls
from support.page_steps import Open, speechlike, spoken
from support.webvtt import read_webvtt

pytestmark = pytest.mark.slow

Press = Callable[[Page, Locator], None]
Task = Callable[[Page, Press], None]

TWO_PAGES = "\n\n".join(
    f"Capítulo {number}. La panadería abría a las seis, cuando la calle estaba todavía a oscuras y solo se oía el "
    "camión de la leche. Doña Elvira encendía el horno, se ataba el delantal y contaba las monedas de la caja: trece "
    "euros con cuarenta, como cada lunes. Después ponía la radio muy baja y amasaba sin mirar el reloj, porque el pan, "
    "decía, sabe la hora mejor que nadie. A las siete llegaba el primer cliente, siempre el mismo, con el periódico "
    "bajo el brazo y la misma pregunta: ¿queda algo de ayer?"
    for number in range(1, 7)
)
SCRIPT = "\n".join(
    f"{name}: {words}"
    for name, words in zip(
        ["Inés", "Pablo"] * 3,
        [
            "¿Has oído eso?",
            "¿Oír qué?",
            "La campana.",
            "No suena desde la tormenta.",
            "¿Y quién está arriba?",
            "Vamos.",
        ],
        strict=True,
    )
)
_COUNT = "() => { window.presses = 0; addEventListener('pointerdown', () => { window.presses += 1; }, true); }"

_PLACE = """node => {
    const at = document.activeElement;
    if (node.type === "radio" && node === at && node.checked) return "chosen";
    if (node === at || node.contains(at)) return at.type === "file" ? "file" : "there";
    return node.name && node.name === at.name ? "group" : "elsewhere";
}"""
"""Where the focus is, as seen from the element to be pressed."""


def click(page: Page, target: Locator) -> None:
    target.click()


def press_keys(page: Page, target: Locator) -> None:
    """Tab until the focus is there, or at the other choices of the group, and then the key that presses it."""
    expect(target).to_be_enabled()
    for _ in range(80):
        place = target.evaluate(_PLACE)
        if place == "chosen":
            return
        page.keyboard.press({"there": "Enter", "file": "Space", "group": "ArrowRight", "elsewhere": "Tab"}[place])
        if place in ("there", "file"):
            return
    pytest.fail(f"the keys never reach {target}")


def paste(page: Page, text: str) -> None:
    """Without a field that has the focus."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")


def generate(page: Page, press: Press) -> list[dict[str, Any]]:
    """The requests that were sent."""
    sent: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/v1/audio/speech"):
            sent.append(json.loads(request.post_data))

    page.on("request", note)
    with spoken(page):
        press(page, page.locator("#generate"))
    expect(page.locator("#takeaway")).to_be_visible()
    page.remove_listener("request", note)
    return sent


def download(page: Page, press: Press, button: Locator, kind: str) -> bytes:
    with page.expect_download() as caught:
        press(page, button)
    assert caught.value.suggested_filename.endswith(kind)
    return Path(caught.value.path()).read_bytes()


def as_mp3(page: Page, press: Press) -> float:
    """Its length in seconds, which is that of what was spoken."""
    press(page, page.locator("#download-menu summary"))
    file = download(page, press, page.locator("#download-list button", has_text="MP3"), ".mp3")
    spoken_s = float(page.locator("#wave").get_attribute("aria-valuemax") or 0)
    assert decode(file, field="test", max_s=900).duration_s == pytest.approx(spoken_s, abs=0.2)
    return spoken_s


def two_pages_of_spanish(page: Page, press: Press) -> None:
    paste(page, TWO_PAGES)
    [request] = generate(page, press)
    assert (request["input"], request["language"]) == (TWO_PAGES, "es")
    assert as_mp3(page, press) > 120


def a_voice_from_a_file(page: Page, press: Press) -> None:
    press(page, page.locator("#reference-open"))
    with page.expect_file_chooser() as asked:
        press(page, page.locator("#drop"))
    asked.value.set_files({"name": "Doña Elvira.wav", "mimeType": "audio/wav", "buffer": speechlike()})
    expect(page.locator("#advice .good")).to_be_visible()
    press(page, page.locator("#reference-save"))
    expect(page.get_by_role("radio", name="Dona-Elvira")).to_be_checked()
    paste(page, "Con mi propia voz.")
    [request] = generate(page, press)
    assert request["voice"] == "Dona-Elvira"
    expect(page.locator("#history-list li")).to_contain_text("Dona-Elvira")


def six_turns_with_two_voices(page: Page, press: Press) -> None:
    paste(page, SCRIPT)
    press(page, page.locator("#script-yes"))
    voices = [request["voice"] for request in generate(page, press)]
    assert voices == [voices[0], voices[1]] * 3
    assert len(set(voices)) == 2
    assert as_mp3(page, press) > 5


def the_best_of_three_takes(page: Page, press: Press) -> None:
    paste(page, "Hola. ¿Cómo estás?")
    press(page, page.locator("[name=takes][value='3']"))
    generate(page, press)
    press(page, page.get_by_role("button", name="Escuchar la toma 2"))
    expect(page.locator("#take-list li").nth(1)).to_have_attribute("aria-current", "true")
    press(page, page.get_by_role("button", name="Quedarse con la toma 2"))
    history = page.locator("#history-list li")
    expect(history).to_have_count(1)
    expect(history).to_contain_text("Toma 2")
    expect(page.locator("#takes")).to_be_hidden()
    page.keyboard.press("Control+z")
    expect(history).to_have_count(3)


def subtitles(page: Page, press: Press) -> None:
    text = "La panadería abría a las seis, cuando la calle estaba todavía a oscuras. Solo se oía el camión de la leche."
    paste(page, text)
    generate(page, press)
    srt = download(page, press, page.locator("#captions"), ".srt").decode()
    cues = read_webvtt("WEBVTT\n\n" + re.sub(r"(\d\d),(\d{3})", r"\1.\2", srt))  # they differ in no more
    assert " ".join(line for cue in cues for line in cue.lines) == text


TASKS: list[tuple[Task, int]] = [
    (two_pages_of_spanish, 3),
    (a_voice_from_a_file, 4),
    (six_turns_with_two_voices, 4),
    (the_best_of_three_takes, 4),
    (subtitles, 2),
]


@pytest.fixture(scope="module")
def url(tone_url: str) -> Iterator[str]:
    """A server with one voice and the model's own."""
    http_calls.post(f"{tone_url}/voices", data={"voice_id": "marta"}, files={"file": speechlike()}).raise_for_status()
    yield tone_url
    http_calls.delete(f"{tone_url}/voices/marta").raise_for_status()


@pytest.mark.parametrize("press", [click, press_keys])
@pytest.mark.parametrize(("task", "clicks"), TASKS, ids=[task.__name__ for task, _ in TASKS])
def test_a_task_takes_so_many_clicks_and_can_be_done_without_a_mouse(
    open_page: Open, url: str, task: Task, clicks: int, press: Press
) -> None:
    page = open_page(url, locale="es-MX")
    page.evaluate(_COUNT)
    try:
        task(page, press)
    finally:
        http_calls.delete(f"{url}/voices/Dona-Elvira")
    assert page.evaluate("window.presses") == (clicks if press is click else 0)
