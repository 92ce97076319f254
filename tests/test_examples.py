"""Every example, run against the real worker on a local queue, as far as possible without third parties' servers."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
import soundfile

from chatterbox_worker import config
from chatterbox_worker.client import AsyncRunPodServerlessClient
from chatterbox_worker.localqueue import LocalQueue
from support.paths import ROOT

pytestmark = pytest.mark.slow  # each test starts a program

EXAMPLES = ROOT / "examples"
LONGEST_LINES = 60
WITHOUT_A_QUEUE = ("voice_cloner.py",)  # tested in test_voice_cloner.py


@pytest.fixture
def endpoint(queue: LocalQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three variables that every example reads."""
    for name, value in _variables(queue).items():
        monkeypatch.setenv(name, value)


def _variables(queue: LocalQueue) -> dict[str, str]:
    return {
        "RUNPOD_ENDPOINT_ID": "local", "RUNPOD_API_KEY": queue.api_key, "RUNPOD_ENDPOINT_BASE_URL": queue.url,
    }  # fmt: skip


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # frameworks warn about each other's versions
        spec.loader.exec_module(module)
    return module


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = config.environment() | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def _program_for(script: str) -> str:
    """Return the script's interpreter; skip the test if a program that the script needs is missing."""
    needed = ["node"] if script.endswith(".mjs") else ["bash", "curl", "jq"]
    for program in needed:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    return needed[0]


def _mp3_s(data: bytes) -> float:
    file = soundfile.info(io.BytesIO(data))
    assert file.format == "MP3"
    return float(file.duration)


def test_every_example_is_short_and_tested_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) == 13
    for path in files:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_LINES, path
        assert path.stem in here or path.parent.name in here, path


@pytest.mark.parametrize("script", ["speak.sh", "speak.mjs"])
def test_the_shell_and_the_javascript_example_speak(endpoint: None, tmp_path: Path, script: str) -> None:
    run = _run(_program_for(script), EXAMPLES / script, "Hello “there”.", "hello.mp3", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "s of audio, seed" in run.stdout
    assert _mp3_s((tmp_path / "hello.mp3").read_bytes()) > 0.2


@pytest.mark.parametrize("script", ["speak.sh", "speak.mjs"])
def test_they_report_why_a_job_failed(endpoint: None, tmp_path: Path, script: str) -> None:
    run = _run(_program_for(script), EXAMPLES / script, " ", cwd=tmp_path)
    assert run.returncode == 1
    assert "text is empty" in run.stderr


def test_the_python_client_speaks_now_later_and_piece_by_piece(endpoint: None, tmp_path: Path) -> None:
    run = _run(sys.executable, EXAMPLES / "python_client.py", tmp_path, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert _mp3_s((tmp_path / "now.mp3").read_bytes()) > 0.2
    assert (tmp_path / "later.opus").read_bytes()[:4] == b"OggS"
    assert "piece 0 starts at 0.0 s" in run.stdout
    assert "invalid_request, voice: " in run.stdout


def test_the_async_batch_speaks_every_line_and_counts_what_failed(endpoint: None, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("One.\n\nTwo.\nThree.\n", encoding="utf-8")
    run = _run(sys.executable, EXAMPLES / "async_batch.py", "lines.txt", "out", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "3 of 3 spoken\n"
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["0001.mp3", "0002.mp3", "0003.mp3"]
    (tmp_path / "lines.txt").write_text("One.\n" + "x" * 50_001, encoding="utf-8")
    run = _run(sys.executable, EXAMPLES / "async_batch.py", "lines.txt", "out", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (1, "1 of 2 spoken\n")
    assert run.stderr.startswith("0002: text has 50001 characters")


def test_many_texts_are_spoken_and_only_one_fails(endpoint: None, tmp_path: Path) -> None:
    run = _run(sys.executable, EXAMPLES / "many_texts.py", "out", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("unknown: invalid_request, voice: ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "bienvenida.mp3", "closing.mp3", "welcome.mp3",
    ]  # fmt: skip
    assert _mp3_s((tmp_path / "out" / "welcome.mp3").read_bytes()) > 0.5


def test_the_fastapi_app_speaks_and_refuses(endpoint: None) -> None:
    from fastapi.testclient import TestClient

    with TestClient(_load("fastapi_app").app) as client:
        answer = client.get("/speak", params={"text": "Hello."})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
        assert _mp3_s(answer.content) > 0.2
        assert client.get("/speak", params={"text": " "}).json() == {"detail": "text is empty"}
        assert client.get("/speak").status_code == 422


def test_the_flask_app_speaks_and_refuses(endpoint: None) -> None:
    flask_app = _load("flask_app")
    client = flask_app.app.test_client()
    answer = client.post("/speak", json={"text": "Hello."})
    assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")
    assert _mp3_s(answer.data) > 0.2
    assert client.post("/speak", json={"text": " "}).get_json() == {"error": "text is empty"}
    assert client.post("/speak", data="nonsense").status_code == 400
    flask_app.client.close()


def test_the_django_view_speaks_and_refuses(endpoint: None) -> None:
    settings = importlib.import_module("django.conf").settings  # Django has no types
    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")
    factory = importlib.import_module("django.test").RequestFactory()

    view = _load("django_view")
    answer = view.speak(factory.post("/speak/", {"text": "Hello."}))
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/mpeg")
    assert _mp3_s(answer.content) > 0.2
    refusal = view.speak(factory.post("/speak/", {}))
    assert (refusal.status_code, json.loads(refusal.content)) == (400, {"error": "text is empty", "field": "text"})
    assert view.speak(factory.get("/speak/")).status_code == 405
    view.speech_client().close()


def test_the_streamlit_page_speaks(endpoint: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from streamlit.testing.v1 import AppTest

        page = AppTest.from_file(str(EXAMPLES / "streamlit_app.py"), default_timeout=300).run()
        assert not page.exception
        page.button[0].click().run()
        assert not page.exception
        assert not page.error
        assert "seed" in page.caption[0].value
        page.text_area[0].set_value(" ").run()
        assert page.button[0].disabled


def test_the_telegram_bot_answers_with_a_voice_message(endpoint: None) -> None:
    bot = _load("telegram_bot")

    async def say(text: str) -> Any:
        message = AsyncMock(text=text)
        async with AsyncRunPodServerlessClient() as client:
            context = SimpleNamespace(bot_data={bot.CLIENT: client})
            await bot.speak(SimpleNamespace(effective_message=message), context)
        return message

    message = asyncio.run(say("Hello."))
    (voice,) = message.reply_voice.await_args.args
    assert voice[:4] == b"OggS"
    assert soundfile.info(io.BytesIO(voice)).samplerate == 48_000
    assert "characters, please" in asyncio.run(say("x" * 1001)).reply_text.await_args.args[0]
    assert "text is empty" in asyncio.run(say(" ")).reply_text.await_args.args[0]


def test_the_discord_bot_answers_with_a_file(endpoint: None) -> None:
    bot = _load("discord_bot")

    async def say(text: str) -> Any:
        interaction = AsyncMock()
        async with AsyncRunPodServerlessClient() as client:
            await bot.answer(interaction, client, text)
        interaction.response.defer.assert_awaited_once()
        return interaction.followup.send.await_args

    assert _mp3_s(asyncio.run(say("Hello.")).kwargs["file"].fp.read()) > 0.2
    assert "text is empty" in asyncio.run(say(" ")).args[0]


@pytest.mark.skipif(
    shutil.which("tsc") is None, reason="needs TypeScript's compiler on the PATH: npm install typescript"
)
def test_the_supabase_function_type_checks_and_speaks(endpoint: None, tmp_path: Path) -> None:
    source = EXAMPLES / "supabase" / "index.ts"
    options = ["--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "es2022"]
    run = _run("tsc", *options, "--types", "", "--outDir", tmp_path, source, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    (tmp_path / "run.mjs").write_text(
        """
        let handler;
        globalThis.Deno = { env: { get: (name) => process.env[name] }, serve: (given) => { handler = given; } };
        await import("./index.mjs");
        const ask = (body) => handler(new Request("http://localhost/", { method: "POST", body }));
        const good = await ask(JSON.stringify({ text: "Hello." }));
        const sound = new Uint8Array(await good.arrayBuffer());
        const bad = [await ask("nonsense"), await ask(JSON.stringify({ text: " " }))];
        console.log(JSON.stringify({
          type: good.headers.get("content-type"), head: [...sound.slice(0, 3)], size: sound.length,
          bad: await Promise.all(bad.map(async (answer) => [answer.status, await answer.json()])),
        }));
        """,
        encoding="utf-8",
    )
    (tmp_path / "index.js").rename(tmp_path / "index.mjs")
    run = _run("node", "run.mjs", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen["type"] == "audio/mpeg"
    assert seen["size"] > 1000
    assert seen["bad"] == [
        [400, {"error": "text is required"}], [400, {"error": "text is empty", "field": "text"}],
    ]  # fmt: skip
