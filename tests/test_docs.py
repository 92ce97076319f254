"""The guides: their tables match the code, and the commands in them run."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatterbox_worker import config, errors, request
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import READABLE
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.request.actions import ACTIONS
from chatterbox_worker.server import refusals
from chatterbox_worker.serverless import texts
from chatterbox_worker.serverless.job import JobBody
from chatterbox_worker.train.rows import COLUMNS
from support.paths import ROOT

DOCS = ROOT / "docs"
API = (DOCS / "API.md").read_text(encoding="utf-8")
DEPLOYMENT = (DOCS / "DEPLOYMENT.md").read_text(encoding="utf-8")
HTTP = (DOCS / "HTTP.md").read_text(encoding="utf-8")
GUIDES = sorted({*DOCS.glob("*.md"), *ROOT.glob("README*.md")} - {DOCS / "decisions.md"})
PREAMBLES = {"bash": "set -euo pipefail\n", "python": ""}
IN_WORDS = {  # patterns, as the table describes them
    request.VOICE_ID: "1 to 64 of `A-Z a-z 0-9 . _ -`",
    r"(?i)^https?://\S+$": "an http(s) URL, at most 2048 characters",
}


def _table(text: str, name: str) -> list[list[str]]:
    """The rows between two comments, without the header."""
    between = text.partition(f"<!-- {name}")[2].partition(f"<!-- /{name} -->")[0]
    rows = [line for line in between.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def _errors_of(*modules: str) -> list[type[errors.WorkerError]]:
    """Every kind of error that the modules define, in the order of the tree."""

    def kinds(root: type[errors.WorkerError]) -> Iterator[type[errors.WorkerError]]:
        yield root
        for kind in root.__subclasses__():
            yield from kinds(kind)

    return [kind for kind in kinds(errors.WorkerError) if kind.__module__ in modules]


def _runnable_blocks() -> list[Any]:
    """Every fenced block that is marked to run."""
    blocks = []
    for name in ("API", "BATCH", "DEPLOYMENT"):
        text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        for block in re.finditer(r"^```(bash|python) run\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: block.start()].count("\n") + 1
            marks = () if name == "API" else pytest.mark.slow  # which has them of every kind
            blocks.append(pytest.param(block[1], block[2], marks=marks, id=f"{name}.md:{line}"))
    return blocks


def _field_rows() -> list[list[str]]:
    """Name, type, range and default of every field of the parser."""
    schema = JobBody.model_json_schema()
    rows = []
    for name, description in schema["properties"].items():
        value = next((kind for kind in description.get("anyOf", ()) if kind["type"] != "null"), description)
        default = description.get("default")
        shown = str(default).lower() if isinstance(default, bool) else default
        required = schema.get("required", ())
        rows.append([
            f"`{name}`", value["type"], _range(value),
            "required" if name in required else "none" if default is None else f"`{shown}`",
        ])  # fmt: skip
    return rows


def _range(schema: dict[str, Any]) -> str:
    if "pattern" in schema:
        return IN_WORDS[schema["pattern"]]
    if "maxLength" in schema:
        return f"{schema['minLength']} to {schema['maxLength']} characters"
    if "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return ", ".join(f"`{value}`" for value in schema.get("enum", [schema["const"]] if "const" in schema else []))


def test_the_table_of_fields_matches_the_parser() -> None:
    assert [row[:4] for row in _table(API, "fields")] == _field_rows()


def test_the_limits_of_many_texts_match_the_parser() -> None:
    prose = API.replace("\n", " ")
    assert f"up to {texts.MOST_TEXTS} texts" in prose
    assert f"| texts of a job | {texts.MOST_TEXTS} |" in API
    assert f"1 to {texts.request.LONGEST_ID_CHARS} printable characters" in prose


def test_every_alias_is_named() -> None:
    for alias, name in request.ALIASES.items():
        assert f"`{alias}` for `{name}`" in API.replace("\n", " ")


def test_every_action_is_named() -> None:
    entry_point = (ROOT / "handler.py").read_text(encoding="utf-8")
    for action in ACTIONS:
        for text in (entry_point, API):
            assert re.search(rf"""[`"]{re.escape(action)}[`"]""", text), action


def test_the_table_of_models_matches_the_catalogue() -> None:
    assert _table(API, "models") == [
        [f"`{card.name}`", str(len(card.languages)),
         *(str(card.sampling.get(name, "refused")) for name in request.SAMPLING),
         f"{card.reference_min_s:g} s" if card.clones_voices else "never"]
        for card in MODELS.values()
    ]  # fmt: skip


def test_every_sound_is_named() -> None:
    for sound in MODELS["turbo"].tags:
        assert f"`[{sound}]`" in API


def test_the_table_of_errors_matches_the_tree() -> None:
    expected = dict.fromkeys((f"`{kind.code}`", str(kind.status)) for kind in _errors_of(errors.__name__))
    assert [tuple(row[:2]) for row in _table(API, "errors")] == list(expected)  # kinds may share a code


def test_the_table_of_statuses_has_all_that_the_server_answers() -> None:
    table = HTTP.partition("\n| status | when |\n")[2].partition("\n\n")[0]
    sent = {kind.status for kind in _errors_of(errors.__name__, refusals.__name__)} - {errors.Cancelled.status}
    of_the_router = {405}
    assert [int(status) for status in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == sorted(sent | of_the_router)


def test_the_size_of_a_minute_is_that_of_a_file() -> None:
    rate, seconds = 24_000, 6
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, seconds * rate).astype(np.float32)
    in_base64 = 60 / seconds * 4 / 3 / 1e6
    wav, mp3 = (len(encode(Audio(noise, rate), name, rate)) * in_base64 for name in ("wav", "mp3"))
    assert f"A minute at 24 kHz is {wav:.1f} MB as wav in base64, and {mp3:.1f} MB as mp3" in API
    assert f"The limit is 10 MB of JSON, which is {10 / wav:.1f} minutes of wav at 24 kHz" in HTTP


@pytest.mark.parametrize("name", ["API", "VOICES"])
def test_the_formats_of_a_recording_are_those_that_can_be_read(name: str) -> None:
    assert READABLE in " ".join((DOCS / f"{name}.md").read_text(encoding="utf-8").split())


def test_every_field_of_an_answer_is_explained(queue: LocalQueue) -> None:
    answer = queue.run({"turns": [{"text": "Hello."}], "timestamps": "word"})["output"]
    explained = {name for row in _table(API, "answer") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(answer) == explained


def test_prices_by_the_hour_are_those_by_the_second() -> None:
    rows = _table(DEPLOYMENT, "prices")
    assert len(rows) == 8
    for *_, second, hour in rows:
        assert float(hour) == pytest.approx(float(second) * 3600)


def test_every_symptom_occurs_once_with_a_cause_and_a_remedy() -> None:
    rows = _table(DEPLOYMENT, "symptoms")
    assert len(rows) >= 15
    assert len({row[0] for row in rows}) == len(rows)
    assert all(len(row) == 3 and all(row) for row in rows)


@pytest.mark.parametrize("column", ["audio", "text"])
def test_the_names_of_a_tables_columns_are_those_that_training_reads(column: str) -> None:
    *others, last = (f"`{name}`" for name in COLUMNS[column])
    guide = " ".join((DOCS / "TRAINING.md").read_text(encoding="utf-8").split())
    assert f"{', '.join(others)} or {last}" in guide


def test_every_flag_in_a_guide_exists() -> None:
    programs = [path for folder in ("src", "tools", "bench") for path in (ROOT / folder).rglob("*.py")]
    known = set(
        re.findall(
            r"(?<![\w-])--[a-z][a-z0-9_-]+",
            "\n".join(path.read_text("utf-8") for path in (*programs, ROOT / "build.sh")),
        )
    )
    known |= {flag.replace("--", "--no-", 1) for flag in known} | {"--logdir"}  # BooleanOptionalAction, tensorboard
    for path in GUIDES:
        text = path.read_text(encoding="utf-8")
        code = re.findall(r"^ *```.*?^ *```$|`[^`\n]+`", text, re.MULTILINE | re.DOTALL)
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", "\n".join(code))) <= known, path


@pytest.mark.parametrize("name", ["clone", "batch"])
def test_every_flag_of_a_command_is_in_its_guide(name: str) -> None:
    guide = (DOCS / f"{ {'clone': 'VOICES', 'batch': 'BATCH'}[name] }.md").read_text(encoding="utf-8")
    folder = ROOT / "src" / "chatterbox_worker" / name
    flags = re.findall(r'"(--[a-z-]+)"', "\n".join(path.read_text("utf-8") for path in folder.glob("*.py")))
    assert len(flags) > 10
    assert [flag for flag in flags if flag not in guide and flag != "--out"] == []  # which is -o, too


def test_packages_that_pip_cannot_install_are_left_to_uv() -> None:
    """chatterbox-tts, of the extra worker, pins another torch; only uv reads the overrides of pyproject.toml."""
    for path in (*GUIDES, *(ROOT / "src").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<!uv )pip install\s+(-e|[\"']?(chatterbox-worker|\.)\[(?!batch\]))", text), path


def test_every_variable_in_a_guide_exists() -> None:
    known = {config.variable(field.name) for field in dataclasses.fields(config.Settings)}
    for path in GUIDES:
        assert set(re.findall(r"CHATTERBOX_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))) <= known, path


@pytest.mark.parametrize("name", sorted(path.stem for path in DOCS.glob("*.md")))
def test_every_link_inside_the_repository_leads_somewhere(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert anchor in anchors if not path else (DOCS / path).is_file(), target


@pytest.mark.parametrize(("language", "code"), _runnable_blocks())
def test_every_block_marked_run_runs(queue: LocalQueue, tmp_path: Path, language: str, code: str) -> None:
    if missing := [
        tool
        for tool in ("curl", "jq")
        if re.search(rf"^{tool} |\| {tool} ", code, re.MULTILINE) and not shutil.which(tool)
    ]:
        pytest.skip(f"needs {missing[0]}")
    environment = config.environment()
    env = environment | {
        "RUNPOD_ENDPOINT_ID": "local", "RUNPOD_API_KEY": queue.api_key, "RUNPOD_ENDPOINT_BASE_URL": queue.url,
        "PYTHONPATH": str(ROOT / "src"), "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
    }  # fmt: skip
    program = "bash" if language == "bash" else sys.executable
    command = [program, "-c", PREAMBLES[language] + code]
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    for sound in tmp_path.glob("*.mp3"):
        assert sound.stat().st_size > 1000, sound.name


def test_commands_reach_the_http_server_and_the_local_queue_at_their_own_ports() -> None:
    port, found = config.Settings().port, 0
    for path in (*DOCS.glob("*.md"), *ROOT.glob("README*.md")):
        for address, rest in re.findall(
            r"(?:curl|--server)[^\n`]*?(?:localhost|127\.0\.0\.1):(\d+)(\S*)", path.read_text(encoding="utf-8")
        ):
            found += 1
            assert int(address) == (8000 if rest.startswith("/v2") else port), (path.name, address, rest)
    assert found > 5
