"""The code that the page offers for what is in the form runs as it is copied."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chatterbox_worker.audio.decode import decode
from support.page_steps import Open, choose_file, speechlike, write

pytestmark = pytest.mark.slow


def test_the_copied_code_runs_and_saves_speech(open_page: Open, tone_url: str, tmp_path: Path) -> None:
    page = open_page(tone_url)
    write(page, 'It\'s "quoted" — $HOME, `tick`, \\n and señor 你好.')
    page.get_by_role("slider", name="Expression").fill("0.8")
    page.get_by_role("button", name="Copy as code").click()
    _run_each(page, tmp_path, "curl", "Python", "OpenAI")


def test_the_copied_code_of_a_dialogue_runs(open_page: Open, tone_url: str, tmp_path: Path) -> None:
    page = open_page(tone_url)
    page.get_by_role("radio", name="Dialogue").check()
    page.get_by_label("Text of turn 1").fill("Who's there?")
    page.get_by_label("Text of turn 2").fill("It is I.")
    page.get_by_role("button", name="Copy as code").click()
    expect(page.get_by_label("OpenAI")).to_be_disabled()
    _run_each(page, tmp_path, "curl", "Python")


def test_the_copied_code_sends_a_recording_from_its_folder(open_page: Open, tone_url: str, tmp_path: Path) -> None:
    page = open_page(tone_url)
    choose_file(page, "me.wav", speechlike())
    page.get_by_role("button", name="Use once").click()
    write(page, "In my own voice, it's spoken.")
    page.get_by_role("button", name="Copy as code").click()
    expect(page.locator("#copy-reference")).to_be_visible()
    (tmp_path / "reference.wav").write_bytes(speechlike())
    _run_each(page, tmp_path, "curl", "Python", "OpenAI")


def _run_each(page: Page, folder: Path, *kinds: str) -> None:
    """Runs the code that the dialog shows, in each language."""
    for kind in kinds:
        page.get_by_role("radio", name=kind).check()
        code = page.locator("#snippet").inner_text()
        command: list[Any] = ["bash", "-ec", code] if kind == "curl" else [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr + code
        spoken = folder / "speech.mp3"
        assert decode(spoken.read_bytes(), field="test", max_s=60).duration_s > 0.3
        spoken.unlink()
