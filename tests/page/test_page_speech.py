"""Speech on the page: generate, play, download, and open it again from the history."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Download, Page, Route, expect

from chatterbox_worker.audio.decode import decode
from support.page_steps import (
    DURATION_S,
    POSITION_S,
    Open,
    generate,
    pause,
    times,
    wait_for_position,
    wait_while_busy,
    write,
)

pytestmark = pytest.mark.slow

SLOWLY = "Speak this slowly, one word after another. " * 5
_IS_FASTER = f"""async rate => {{
    const [from_s, from_ms] = [{POSITION_S}, performance.now()];
    await new Promise(resolve => setTimeout(resolve, 1000));
    return 1000 * ({POSITION_S} - from_s) / (performance.now() - from_ms) > rate;
}}"""
FORMATS = ("WAV", "MP3", "FLAC", "OGG", "OPUS", "AAC")


def _download(page: Page, menu: str, name: str) -> Path:
    page.locator(f"#{menu} summary").click()
    with page.expect_download() as caught:
        page.locator(f"#{menu}").get_by_role("button", name=re.compile(f"^{name}")).click()
    return Path(caught.value.path())


def test_the_preview_is_generated_and_played_and_clearly_says_that_it_is_not_chatterbox(
    open_page: Open, preview_url: str, screenshots: Path
) -> None:
    page = open_page(preview_url)
    expect(page.locator("#preview-banner")).to_contain_text("espeak-ng")
    expect(page.locator("#voice-refusal")).to_contain_text("its own voice only")
    page.screenshot(path=screenshots / "empty.png", full_page=True)
    page.get_by_role("button", name="A story").click()
    generate(page)
    wait_for_position(page, 1.0)
    page.screenshot(path=screenshots / "preview.png", full_page=True)
    at, whole = times(page)
    assert 1.0 <= at < whole
    assert 5 < whole < 15


def test_the_audio_starts_before_it_is_complete_and_progress_is_real(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    write(page, SLOWLY)
    page.get_by_role("button", name="Generate").click()
    said = "/Speaking .*so far/.test(document.getElementById('progress-text').textContent)"
    wait_while_busy(page, f"{POSITION_S} >= 0.5 && {said}")
    page.screenshot(path=screenshots / "generating.png", full_page=True)
    expect(page.locator("#takeaway")).to_be_visible()
    assert times(page)[1] == pytest.approx(0.06 * len(SLOWLY), rel=0.25)


def test_what_was_generated_until_it_was_cancelled_is_in_the_history(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    write(page, SLOWLY * 4)
    page.get_by_role("button", name="Generate").click()
    wait_for_position(page, 0.3)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#warnings")).to_contain_text("Stopped early")
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    whole = times(page)[1]
    assert 0.3 < whole < 0.06 * len(SLOWLY) * 4
    expect(page.locator("#history-list li .badge")).to_have_text("stopped early")
    page.screenshot(path=screenshots / "partial.png", full_page=True)
    generate(page, "The next one.")
    page.get_by_role("button", name="Play “Speak this").click()
    expect(page.locator("#warnings")).to_contain_text("Stopped early")
    assert times(page)[1] == whole


def test_an_attempt_without_sound_leaves_the_take_in_the_player(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "This one is finished.")
    whole = times(page)[1]
    write(page, "And now I explode.")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("The model failed on this text.")
    expect(page.locator("#takeaway")).to_be_visible()
    assert times(page)[1] == whole
    expect(page.locator("#history-list li.current")).to_contain_text("This one is finished.")
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for_position(page, 0.2)


def test_leaving_in_mid_take_asks(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    write(page, SLOWLY * 4)
    page.get_by_role("button", name="Generate").click()
    wait_for_position(page, 0.1)
    with page.expect_event("dialog"):
        page.evaluate("setTimeout(() => location.reload())")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#history-list li")).to_have_count(1)
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    page.reload()
    assert asked == ["beforeunload"]


def test_the_player_pauses_seeks_by_key_and_pointer_and_changes_speed(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "A tone that lasts long enough to walk about in, back and forth, at any speed. " * 3)
    pause(page)
    wave = page.locator("#wave")
    wave.focus()
    page.keyboard.press("Home")
    assert times(page)[0] == 0
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowLeft")
    assert times(page)[0] == pytest.approx(9.0, abs=0.11)
    box = wave.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at, whole = times(page)
    assert at == pytest.approx(whole / 2, abs=0.3)
    page.locator("#rate").select_option("2")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(_IS_FASTER, arg=1.5)  # than 1.5 seconds in a second, once the machine lets it
    page.locator("#volume").fill("0.35")
    page.reload()
    expect(page.locator("#volume")).to_have_value("0.35")


def test_every_format_contains_the_audio_that_was_played(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "Keep this one. It has two sentences.")
    whole = times(page)[1]
    for name in FORMATS:
        data = _download(page, "download-menu", name).read_bytes()
        assert decode(data, field="test", max_s=60).duration_s == pytest.approx(whole, abs=0.15), name
    assert len(_download(page, "download-menu", "PCM").read_bytes()) / 48_000 == pytest.approx(whole, abs=0.1)


def test_a_long_speech_that_was_stopped_is_converted_in_parts_and_not_spoken_again(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)

    def with_a_small_limit(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("25_000_000", "150_000"))

    page.route("**/joined.js", with_a_small_limit)
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    write(page, SLOWLY * 4)
    page.get_by_role("button", name="Generate").click()
    wait_while_busy(page, f"{DURATION_S} > 5")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("body")).to_have_attribute("data-stage", "idle")
    whole = times(page)[1]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("speech") else None)
    saved: list[Download] = []

    def note(download: Download) -> None:
        saved.append(download)

    page.on("download", note)
    page.locator("#download-menu summary").click()
    expect(page.locator("#download-about")).to_contain_text("saved as several")
    page.locator("#download-list").get_by_role("button", name=re.compile("^MP3")).click()
    expect(page.locator("#announcer")).to_contain_text("MP3 saved")
    page.locator("#download-menu summary").click()
    with page.expect_download(lambda download: download.suggested_filename.endswith(".wav")):  # it comes after them
        page.locator("#download-list").get_by_role("button", name=re.compile("^WAV")).click()
    saved = [download for download in saved if download.suggested_filename.endswith(".mp3")]
    names = [download.suggested_filename for download in saved]
    assert names == [f"speak-this-slowly-one-word-after-{n}.mp3" for n in range(1, len(names) + 1)]
    assert len(names) > 1
    lengths = [decode(Path(download.path()).read_bytes(), field="test", max_s=60).duration_s for download in saved]
    assert sum(lengths) == pytest.approx(whole, abs=0.15 * len(lengths))
    expect(page.locator("#converting")).to_be_hidden()
    assert asked == []


def test_captions_have_the_texts_with_times_inside_the_audio(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "The first sentence of the two is here. " * 9)
    srt = _download(page, "captions-menu", "SRT").read_text()
    assert srt.startswith("1\n00:00:00,000 --> ")
    assert _download(page, "captions-menu", "VTT").read_text().startswith("WEBVTT\n\n1\n")
    captions = json.loads(_download(page, "captions-menu", "JSON").read_text())
    assert len(captions["chunks"]) > 1
    cues = [cue for chunk in captions["chunks"] for cue in chunk["cues"]]
    assert srt.count(" --> ") == len(cues) > len(captions["chunks"])
    assert all(len(line) <= 42 for cue in cues for line in cue["text"].split("\n"))
    assert captions["chunks"][-1]["end_s"] <= captions["duration_s"] == pytest.approx(times(page)[1], abs=0.1)


def test_a_dialogue_is_one_file_with_a_voice_and_a_pause_for_each_turn(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Where were you last night?")
    page.get_by_label("Pause after turn 1, in seconds").fill("2.5")
    page.get_by_label("Text of turn 2").fill("At home. And you?")
    page.get_by_role("button", name="Add a turn").click()
    expect(page.get_by_label("Text of turn 3")).to_be_focused()
    page.keyboard.type("Not far from there.")
    page.get_by_role("button", name="Move turn 3 up").click()
    expect(page.get_by_label("Text of turn 2")).to_have_value("Not far from there.")
    page.screenshot(path=screenshots / "dialogue.png", full_page=True)
    generate(page)
    captions = json.loads(_download(page, "captions-menu", "JSON").read_text())
    assert [chunk["turn"] for chunk in captions["chunks"]] == [0, 1, 2]
    gap_s = captions["chunks"][1]["start_s"] - captions["chunks"][0]["end_s"]
    assert gap_s == pytest.approx(2.5, abs=0.2)
    assert captions["chunks"][1]["cues"][0]["start_s"] == pytest.approx(captions["chunks"][1]["start_s"], abs=0.002)
    expect(page.locator("#history-list")).to_contain_text("3 turns")


def test_history_survives_a_reload_plays_again_and_restores_its_settings(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    page.get_by_role("slider", name="Expression").fill("1.2")
    page.get_by_text("Fine tuning").click()
    page.get_by_label("Seed", exact=True).fill("77")
    generate(page, "The first of two.")
    page.get_by_role("button", name="Reset", exact=True).click()
    generate(page, "The second of two.")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#history-list li")).to_have_count(2)
    page.get_by_role("button", name="Use the text and settings of “The first of two.”").click()
    expect(page.locator("#text")).to_have_value("The first of two.")
    expect(page.get_by_role("slider", name="Expression")).to_have_value("1.2")
    expect(page.locator("#seed")).to_have_value("77")
    page.get_by_role("button", name="Play “The first of two.”").click()
    wait_for_position(page, 0.2)
    page.get_by_role("button", name="Delete “The first of two.”").click()
    expect(page.locator("#history-list li")).to_have_count(1)
    page.locator("#history-clear").click()
    page.get_by_role("button", name="Delete all").click()
    expect(page.locator("#history-empty")).to_be_visible()


def test_the_same_seed_generates_the_same_audio_and_another_does_not(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    generate(page, "Again and again.")
    first = _download(page, "download-menu", "WAV").read_bytes()
    page.get_by_role("button", name="Keep this seed for the next one").click()
    generate(page)
    assert _download(page, "download-menu", "WAV").read_bytes() == first
    page.get_by_role("button", name="Reset", exact=True).click()
    generate(page)
    assert _download(page, "download-menu", "WAV").read_bytes() != first


def test_sliders_are_those_that_the_model_can_use(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    expression = page.get_by_role("slider", name="Expression")
    assert (expression.get_attribute("min"), expression.get_attribute("max")) == ("0", "2")
    page.get_by_label("Model", exact=True).select_option("turbo")
    expect(expression).to_have_count(0)
    expect(page.locator("#unused")).to_contain_text("Expression, Guidance")
    expect(page.locator("#language")).to_be_disabled()
    page.get_by_role("button", name="Insert the sound laugh").click()
    expect(page.locator("#text")).to_have_value("[laugh] ")


def test_an_error_stands_at_its_field_where_the_one_at_the_button_is_out_of_sight(
    open_page: Open, tone_url: str
) -> None:
    page = open_page(tone_url)
    page.locator("#fine summary").click()
    page.locator("#seed").fill("-5")
    write(page, "A seed that no server takes.")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error-at-field")).to_have_text("Seed: it must be a whole number from 0 to 4294967295.")
    expect(page.locator("#error-at-field")).to_be_in_viewport()
    page.locator("#seed").fill("5")
    generate(page)
    expect(page.locator("#error-at-field")).to_have_count(0)
    error = {"code": "invalid_request", "message": "too loud", "param": "loudness_lufs"}
    page.route("**/v1/audio/speech", lambda route: route.fulfill(status=400, json={"error": error}))
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#loudness")).to_be_focused()


def test_the_language_of_each_paragraph_can_be_found_in_the_text(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    language = page.get_by_label("Language", exact=True)
    expect(language).to_have_value("en")  # as before: a sentence that two languages share is read in the page's
    language.select_option(label="Automatic, by paragraph")
    write(page, "The rain had stopped at last.\n\nLa lluvia por fin había parado en la ciudad.")
    assert page.locator("#text").get_attribute("lang") == ""
    with page.expect_request("**/v1/audio/speech") as request:
        generate(page)
    assert (request.value.post_data_json or {})["language"] == "auto"
    expect(page.locator("#result-facts")).to_have_text(re.compile(r"^Read in Spanish and English · Seed \d+$"))
    page.locator("#parts summary").click()
    expect(page.locator(".part-time").first).to_have_text("English · 0:00")
    page.locator("[name=page-language][value=es]").check()
    expect(page.locator("#result-facts")).to_contain_text("Leído en español e inglés")
    page.locator("[name=page-language][value=en]").check()
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#history-list li").first).to_contain_text("Read in Spanish and English")
    expect(language).to_have_value("auto")
    page.get_by_label("Model", exact=True).select_option("turbo")
    expect(language).to_have_value("en")
    expect(language.locator("option")).to_have_count(1)
