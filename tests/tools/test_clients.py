"""Clients that nobody here wrote, against the real server process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from chatterbox_worker.config import environment
from support import http_calls
from support.paths import ROOT
from support.serving import free_port
from tools.clients.__main__ import write_recording
from tools.clients.run import CLIENTS, PROGRAMS, NotHere, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, page_port: int) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    env = environment() | {
        "CHATTERBOX_MODELS": "preview", "CHATTERBOX_ALIASES": "openai", "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT / "src"),
        "CHATTERBOX_CORS_ORIGINS": f"http://127.0.0.1:{page_port}", "CHATTERBOX_API_KEYS": "",
    }  # fmt: skip
    command = [sys.executable, "-m", "chatterbox_worker.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(6000):
            try:
                if http_calls.get(f"{url}/ping").status_code == 200:
                    break
            except httpx2.ConnectError:
                assert process.poll() is None
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        assert process.wait(120) in (0, -15)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_what_it_asks_for(server: str, client: str, tmp_path: Path) -> None:
    try:
        assert run(client, server, write_recording(tmp_path / "recording.wav")).startswith("ok ")
    except NotHere as lacking:
        pytest.skip(str(lacking))


def test_fetch_in_a_page_of_another_site_that_is_allowed(server: str, page_port: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    script = (PROGRAMS / "fetch.js").read_text()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<script>{script}</script>".encode())

        def log_message(self, *_: object) -> None:
            pass

    pages = ThreadingHTTPServer(("127.0.0.1", page_port), Page)
    Thread(target=pages.serve_forever, daemon=True).start()
    try:
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{page_port}/")
            read = page.evaluate("url => speak(url)", server)
            page.goto(f"http://localhost:{page_port}/")  # another origin, which is not allowed
            refused = page.evaluate("url => speak(url).catch((error) => error.message)", server)
            browser.close()
    finally:
        pages.shutdown()
        pages.server_close()

    assert read["wholeBytes"] > 20_000
    assert read["streamBytes"] > 20_000
    assert read["param"] == "input"
    assert read["requestId"]
    assert "Failed to fetch" in refused


def _chromium() -> str:
    import shutil

    if (path := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed")
    return path
