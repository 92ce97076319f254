"""A user's own voice: uploaded or recorded, judged, saved or used once, played, deleted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support import http_calls
from support.page_steps import GENERATE, Open, choose_file, generate, speechlike, write

pytestmark = pytest.mark.slow


def _sent_body(page: Page) -> dict[str, Any]:
    """The request that generating sends."""
    with page.expect_request(re.compile("/v1/audio/speech")) as caught:
        generate(page)
    body: dict[str, Any] = json.loads(caught.value.post_data or "")
    return body


def test_a_voice_is_uploaded_used_played_and_deleted(open_page: Open, tone_url: str, screenshots: Path) -> None:
    page = open_page(tone_url)
    choose_file(page, "Ana María (2).wav", speechlike())
    expect(page.locator("#advice")).to_contain_text("Good: clear and long enough.")
    expect(page.get_by_label("Name of the voice")).to_have_value("Ana-Maria-2")
    page.screenshot(path=screenshots / "upload.png")
    page.get_by_role("button", name="Save voice").click()
    voice = page.get_by_role("radio", name="Ana-Maria-2")
    expect(voice).to_be_checked()
    in_turns = page.locator("#turns select option[value=Ana-Maria-2]")
    expect(in_turns).to_have_count(page.locator("#turns select").count())  # at once
    write(page, "Spoken with her voice.")
    assert _sent_body(page)["voice"] == "Ana-Maria-2"
    with page.expect_response(re.compile("/voices/Ana-Maria-2/audio")) as played:
        page.get_by_role("button", name="Listen to Ana-Maria-2").click()
    assert played.value.ok
    page.get_by_role("button", name="Delete Ana-Maria-2").click()
    expect(page.locator("#confirm-text")).to_contain_text("Ana-Maria-2")
    page.get_by_role("button", name="Delete voice").click()
    expect(voice).to_have_count(0)
    expect(page.get_by_role("radio", name="Default")).to_be_checked()


def test_a_recording_is_used_once_and_restored_from_history(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    choose_file(page, "once.wav", speechlike())
    page.get_by_role("button", name="Use once").click()
    write(page, "Only this once.")
    body = _sent_body(page)
    assert "voice" not in body
    assert len(body["reference_audio"]) > 100_000
    expect(page.get_by_role("button", name=re.compile("^Use the text and settings of"))).to_be_visible()  # it is saved
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.get_by_role("radio", name="Default")).to_be_checked()
    page.get_by_role("button", name=re.compile("^Use the text and settings of")).click()
    expect(page.get_by_role("radio", name="This recording")).to_be_checked()
    assert _sent_body(page)["reference_audio"] == body["reference_audio"]
    assert http_calls.get(f"{tone_url}/voices").json() == ["default"]


def test_a_recording_that_was_deleted_is_reported_and_the_page_goes_on(
    open_page: Open, tone_url: str, tmp_path: Path
) -> None:
    page = open_page(tone_url)
    recording = tmp_path / "once.wav"
    recording.write_bytes(speechlike())
    page.get_by_role("button", name="New voice").click()
    page.locator("#reference-file").set_input_files(recording)
    page.get_by_role("button", name="Use once").click()
    recording.unlink()
    write(page, "In a voice that is gone.")
    page.get_by_role("button", name=GENERATE).click()
    expect(page.get_by_role("alert")).to_contain_text("The browser cannot read that file.")
    page.get_by_role("radio", name="Default").check()
    generate(page)


def test_a_voice_is_recorded_in_the_browser(open_page: Open, tone_url: str, screenshots: Path) -> None:
    page = open_page(tone_url)
    page.get_by_role("button", name="New voice").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function(
        "() => Number(document.getElementById('meter-fill').style.getPropertyValue('--level')) > 0.2"
    )
    page.screenshot(path=screenshots / "recording.png")
    expect(page.locator("#reference .record-time")).to_have_text(re.compile("^0:0[2-9]|^0:[1-9]"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#reference-facts")).to_contain_text(re.compile(r"[\d.]+ s"))  # once it is decoded
    facts = page.locator("#reference-facts").inner_text()
    recorded_s = float(re.findall(r"([\d.]+) s", facts)[0])
    assert 2 <= recorded_s <= 60
    page.screenshot(path=screenshots / "recorded.png")
    page.get_by_label("Name of the voice").fill("recorded")
    page.get_by_role("button", name="Save voice").click()
    expect(page.get_by_role("radio", name="recorded")).to_be_checked()
    saved = http_calls.get(f"{tone_url}/voices/recorded").json()
    assert saved["duration_s"] == pytest.approx(recorded_s, abs=0.1)
    http_calls.delete(f"{tone_url}/voices/recorded").raise_for_status()


def test_a_file_that_is_not_audio_is_refused_in_plain_words(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    choose_file(page, "letter.wav", b"Dear Sir or Madam")
    expect(page.locator("#advice")).to_contain_text("This browser cannot read the file")
    page.get_by_role("button", name="Save voice").click()
    expect(page.locator("#reference-error")).to_contain_text("Recording: the server cannot read this file as audio.")


def test_a_model_with_one_voice_says_so_and_offers_no_other(open_page: Open, preview_url: str) -> None:
    page = open_page(preview_url)
    choose_file(page, "guest.wav", speechlike())
    expect(page.locator("#reference-deaf")).to_be_visible()
    expect(page.get_by_role("button", name="Use once")).to_be_disabled()
    page.get_by_role("button", name="Save voice").click()
    expect(page.get_by_role("radio", name="guest")).to_be_disabled()
    expect(page.locator("#voice-refusal")).to_contain_text("This model speaks with its own voice only.")
    http_calls.delete(f"{preview_url}/voices/guest").raise_for_status()


_SYNTHETIC = """async ([kind, seconds, min_s]) => {
  const { advise } = await import("/advice.js");
  const rate = 24000;
  let seed = 1;
  const noise = () => ((seed = (seed * 16807) % 2147483647) / 1073741823.5 - 1);
  const levels = { good: [0.4, 0], quiet: [0.02, 0], clipped: [2, 0], noisy: [0.4, 0.1], silent: [0.0001, 0] };
  const [voice, hiss] = levels[kind];
  const samples = Float32Array.from({ length: rate * seconds }, (_, i) => {
    const spoken = Math.sin((2 * Math.PI * 1.5 * i) / rate) > 0 ? voice * Math.sin((2 * Math.PI * 180 * i) / rate) : 0;
    return Math.max(-1, Math.min(1, spoken + hiss * noise()));
  });
  return advise(samples, rate, { min_s }).notes.map(({ grade, key }) => [grade, key.replace("advice.", "")]);
}"""


_ADVICE: list[tuple[tuple[str, int, int], list[list[str]]]] = [
    (("good", 8, 0), [["good", "good"]]),
    (("good", 1, 0), [["bad", "short"]]),
    (("good", 4, 0), [["warn", "shortish"]]),
    (("good", 4, 5), [["bad", "short_for_model"]]),
    (("good", 20, 0), [["warn", "long"]]),
    (("quiet", 8, 0), [["warn", "quiet"]]),
    (("clipped", 8, 0), [["bad", "clipped"]]),
    (("noisy", 8, 0), [["warn", "noisy"]]),
    (("silent", 8, 0), [["bad", "silent"]]),
]


def test_advice_is_computed_from_the_samples(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    assert [page.evaluate(_SYNTHETIC, list(sound)) for sound, _ in _ADVICE] == [notes for _, notes in _ADVICE]


def test_a_turn_whose_voice_is_gone_says_so_and_is_not_spoken_with_another(open_page: Open, tone_url: str) -> None:
    http_calls.post(f"{tone_url}/voices", files={"file": ("a.wav", speechlike())}, data={"voice_id": "leaving"})
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Here I am.")
    page.get_by_label("Text of turn 2").fill("So am I.")
    page.get_by_label("Voice of turn 2").select_option("leaving")
    http_calls.delete(f"{tone_url}/voices/leaving")
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    second = page.get_by_label("Voice of turn 2")
    expect(second.locator("option:checked")).to_have_text("leaving (not available)")
    page.get_by_role("button", name=GENERATE).click()
    expect(page.locator("#error-title")).to_contain_text("Turn 2. Voice: it is no longer on the server")
    expect(page.locator("#takeaway")).to_be_hidden()

    second.select_option("default")
    generate(page)

    http_calls.post(f"{tone_url}/voices", files={"file": ("a.wav", speechlike())}, data={"voice_id": "coming"})
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    expect(page.get_by_label("Voice of turn 1").locator("option[value=coming]")).to_have_count(1)
    http_calls.delete(f"{tone_url}/voices/coming")


def test_the_models_own_voice_speaks_while_the_servers_disk_does_not_answer(open_page: Open, tone_url: str) -> None:
    failed = {"message": "the voices folder cannot be read", "code": "volume_failed", "param": None}
    page = open_page("about:blank", wait=False)
    page.route("**/v1/voices", lambda route: route.fulfill(status=507, json={"error": failed}))
    page.goto(tone_url)
    expect(page.locator("#error-title")).to_contain_text("does not answer")
    expect(page.locator("input[name=voice][value=default]")).to_be_checked()
    write(page, "Spoken all the same.")
    assert _sent_body(page)["voice"] == "default"


def test_a_voice_in_another_language_than_the_text_has_no_guidance_by_default(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    page.get_by_label("Language", exact=True).select_option("es")
    choose_file(page, "abroad.wav", speechlike())
    language = page.get_by_label("Language of the recording")
    expect(language).to_have_value("")
    language.select_option("en")
    page.screenshot(path=screenshots / "voice-language.png")
    page.get_by_role("button", name="Save voice").click()
    expect(page.locator("label.voice", has_text="abroad")).to_contain_text("English")

    guidance = page.get_by_label("Guidance", exact=True)
    expect(guidance).to_have_value("0")
    expect(page.locator("#about-cfg_weight")).to_contain_text("in another language than the text")
    expect(page.locator("[data-preset=foreign]")).to_have_count(0)
    write(page, "Hola a todos.")
    assert "cfg_weight" not in _sent_body(page)
    expect(page.locator("main")).to_contain_text("voice 'abroad' is in en and the text in es: cfg_weight is 0 there")
    page.screenshot(path=screenshots / "voice-language-spoken.png")
    guidance.fill("0.5")
    assert _sent_body(page)["cfg_weight"] == 0.5
    page.get_by_label("Language", exact=True).select_option("en")
    expect(guidance).to_have_value("0.5")
    expect(page.locator("[data-preset=neutral]")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name="Default").click()
    expect(page.locator("[data-preset=foreign]")).to_have_count(1)
    assert page.request.delete(f"{tone_url}/voices/abroad").ok  # other tests count the server's voices
