"""Chromium, driven by playwright, against server processes; and a page that must not log errors.

Every page that a test opens must end without an error in its console; violations of the content security policy count.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from chatterbox_worker.config import environment
from support import http_calls
from support.page_record import Record
from support.page_steps import KEY, Open
from support.paths import ROOT, WORKERS
from support.recorded import TINY_PATHS, clone_ann
from support.serving import free_port

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip
_START_S = 240
_MOST_MS = 120_000
"""For what a page does in a moment: only a test that fails waits so long, on however busy a machine."""
expect.set_options(timeout=_MOST_MS)
_RECORDS = pytest.StashKey[list[Record]]()
_SETTLED = """async () => {
    const end = performance.now() + 400;
    const moves = one => one.effect.getComputedTiming().endTime < Infinity;
    for (let still = 0; still < 3 && performance.now() < end; ) {
        await new Promise(requestAnimationFrame);
        still = document.getAnimations().some(moves) ? 0 : still + 1;
    }
}"""
"""What fades in has less contrast until it is fully shown; and a colour passes to what is inside frame by frame."""


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = ROOT / "out" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _serving(folder: Path, models: str, *command: str, **variables: str) -> Iterator[str]:
    with started(folder, models, *command, **variables) as (url, _):
        yield url


@contextmanager
def started(
    folder: Path, models: str, *command: str, **variables: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server's address and its process, which may be killed."""
    port = str(free_port())
    env = environment() | {
        "CHATTERBOX_MODELS": models, "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "CHATTERBOX_HOST": "127.0.0.1",
        "CHATTERBOX_VOICES_DIR": str(folder / "voices"), "PORT": port, "PYTHONPATH": str(ROOT / "src"), **variables,
    }  # fmt: skip
    arguments = [port if word == "PORT" else word for word in command]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, folder / "log")
        yield url, process
    finally:
        process.terminate()
        process.wait(120)  # a model may be loading


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if http_calls.get(f"{url}/ping").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)


@pytest.fixture(scope="session")
def preview_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server as a user starts it, with the one model that needs no weights."""
    with _serving(tmp_path_factory.mktemp("preview"), "preview", "-m", "chatterbox_worker.server") as url:
        yield url


@pytest.fixture(scope="session")
def tone_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose models have Chatterbox's abilities, but generate tones."""
    script = str(WORKERS / "tone_server.py")
    with _serving(tmp_path_factory.mktemp("tone"), "multilingual,turbo,csm", script, "PORT") as url:
        yield url


@pytest.fixture(scope="session")
def locked_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = str(WORKERS / "tone_server.py")
    folder = tmp_path_factory.mktemp("locked")
    with _serving(folder, "multilingual", script, "PORT", CHATTERBOX_API_KEYS=KEY) as url:
        yield url


@pytest.fixture(scope="session")
def cloned_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of tones with a voice "ann" that was cloned from recordings."""
    folder = tmp_path_factory.mktemp("cloned")
    with _serving(folder, "nano", str(WORKERS / "tone_server.py"), "PORT", **clone_ann(folder), **TINY_PATHS) as url:
        yield url


@pytest.fixture(scope="module")  # its event loop must not run during the tests of other files
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get update && apt-get install -y chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails reports what its pages show and asked for."""
    report = yield
    if report.failed and call.when != "teardown":
        report.sections += [("the pages", record.report()) for record in item.stash.get(_RECORDS, [])]
    return report


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """`open_page(url, locale="es", ...)`: the loaded page, in a new browser context."""
    contexts, errors = [], []
    records = request.node.stash.setdefault(_RECORDS, [])

    def note(message: ConsoleMessage) -> None:
        # the page explains an answer of 4xx or 5xx, or none at all; the tests check how
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def load(url: str, *, wait: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options)
        context.set_default_timeout(_MOST_MS)
        contexts.append(context)
        records.append(Record(context))
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        if wait:
            page.wait_for_selector("body[data-loaded]")
        return page

    yield load
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """The serious and critical findings of axe-core on what the page shows now, by some rules or all."""
    source = (files("axe_playwright_python") / "axe.min.js").read_text()
    # without the details of what passes, and without loading style sheets for a rule that only warns
    fast = {"resultTypes": ["violations"], "preload": False}

    def findings(page: Page, within: str = "html", rules: list[str] | None = None) -> list[str]:
        page.evaluate(_SETTLED)
        if not page.evaluate("'axe' in window"):
            page.evaluate(source)
        options = fast | ({"runOnly": rules} if rules else {})
        found = page.evaluate("([within, options]) => axe.run(within, options)", [within, options])
        return [
            f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return findings
