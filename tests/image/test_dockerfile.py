"""Mistakes that a build would show too late, or only on another machine."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import CPU_PROFILES
from support.image_recipe import PIN, PINS, WORKER_LOCK, is_sent, read
from support.paths import ROOT

RECIPE = read()


def test_a_plain_build_builds_the_worker() -> None:
    assert list(RECIPE.stages)[-1] == "worker"
    assert {"deps", "weights", "server"} < set(RECIPE.stages)


@pytest.mark.parametrize("target", ["worker", "server"])
@pytest.mark.parametrize("runtime", ["cuda", "cpu"])
def test_layers_are_dependencies_then_weights_then_code(target: str, runtime: str) -> None:
    names = [stage.name for stage in RECIPE.chain(target, runtime)]
    assert names == ["deps", f"choice-{runtime}", "weights", "code", target]


def test_no_layer_before_the_code_depends_on_code_except_finding_weights() -> None:
    sources = [
        source for name in ("deps", "weights") for sources, _ in RECIPE.stages[name].copies for source in sources
    ]
    assert sources == ["locks/worker.txt", "tools/image/uv.txt"]
    baked = [source for sources, _ in RECIPE.stages["bake"].copies for source in sources]
    assert all(source.endswith(".py") for source in baked)  # single files, not a folder that changes every day


def test_weights_are_prepared_with_only_the_code_that_this_imports() -> None:
    copied = {
        file.relative_to(ROOT)
        for name in ("bake", "prepare")
        for sources, _ in RECIPE.stages[name].copies
        for source in sources
        for file in ((ROOT / source).rglob("*.py") if source.endswith("/") else [ROOT / source])
    }
    missing = imported_modules(ROOT / "src/chatterbox_worker/engines/chatterbox/pack.py") - copied
    assert missing == set(), "the prepare stage of the Dockerfile lacks them"
    assert Path("src/chatterbox_worker/engines/chatterbox/engine.py") not in copied  # it changes more often


def imported_modules(start: Path) -> set[Path]:
    """The package's files that importing `start` needs, relative to the root, with the __init__ files above them."""
    package = ROOT / "src/chatterbox_worker"
    found, open_files = set[Path](), [start]
    while open_files:
        path = open_files.pop()
        if not path.is_file() or path.relative_to(ROOT) in found:
            continue
        found.add(path.relative_to(ROOT))
        open_files += [each / "__init__.py" for each in path.parents if each.is_relative_to(package)]
        tree = ast.parse(path.read_text())
        tree.body = [each for each in tree.body if not _is_for_others(each)]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chatterbox_worker"):
                module = ROOT / "src" / (node.module or "").replace(".", "/")
                open_files += [module.with_suffix(".py"), module / "__init__.py"]
                open_files += [module / f"{alias.name}.py" for alias in node.names]
                open_files += [module / alias.name / "__init__.py" for alias in node.names]
    return found


def _is_for_others(statement: ast.stmt) -> bool:
    """Whether only a type checker runs it, or whoever asks the package for a name that it imports on first use."""
    if isinstance(statement, ast.If):
        return ast.unparse(statement.test) == "TYPE_CHECKING"
    return isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__"


@pytest.mark.parametrize(("runtime", "profiles"), [("cuda", ["fast"]), ("cpu", ["exact", "int8"])])
def test_the_profiles_that_auto_takes_are_prepared(runtime: str, profiles: list[str]) -> None:
    assert RECIPE.env("worker", runtime)["PREPARED_PROFILES"].split() == profiles
    if runtime == "cpu":
        assert {ranked[0] for ranked in CPU_PROFILES.values()} <= set(profiles)


def test_originals_are_left_out_unless_they_are_asked_for_and_a_container_writes_nothing() -> None:
    (command,) = RECIPE.stages["prepare"].all("RUN")
    assert 'if [ -z "${ORIGINALS}" ]; then echo --replace; fi' in command
    assert RECIPE.stages["weights"].all("COPY") == ["--from=prepare /weights /weights"]
    assert Settings.from_env(RECIPE.env("server")).prepared_weights == "off"


def test_the_build_says_what_its_parts_take() -> None:
    assert [name for name, stage in RECIPE.stages.items() if any("du -sh" in line for line in stage.all("RUN"))] == [
        "deps", "prepare",
    ]  # fmt: skip


def test_every_source_of_a_copy_exists_and_is_sent() -> None:
    sources = [source for stage in RECIPE.stages.values() for sources, _ in stage.copies for source in sources]
    assert len(sources) > 10
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(source.rstrip("/")), f".dockerignore keeps out {source}"


@pytest.mark.parametrize(
    "path",
    [
        ".git", ".git/config", ".venv", ".venv/bin/python", "tests", "tests/conftest.py", "out", "out/speech.wav",
        ".local", ".env", "docs", "Dockerfile", "locks/dev.txt", "tools/synthetic_checkpoint.py", "tools/image/hub.py",
        "src/chatterbox_worker/__pycache__", "src/chatterbox_worker/__pycache__/config.cpython-311.pyc",
        "src/chatterbox_worker.egg-info",
    ],
)  # fmt: skip
def test_files_that_the_image_does_not_need_are_not_sent(path: str) -> None:
    assert not is_sent(path)


@pytest.mark.parametrize("path", ["src/chatterbox_worker/server/static/index.html", "src/chatterbox_worker/py.typed"])
def test_all_of_the_package_is_sent(path: str) -> None:
    assert is_sent(path)


@pytest.mark.parametrize("target", ["worker", "server"])
@pytest.mark.parametrize(("runtime", "models"), [("cuda", ("multilingual", "turbo")), ("cpu", ("nano",))])
def test_the_settings_in_the_image_are_valid(target: str, runtime: str, models: tuple[str, ...]) -> None:
    settings = Settings.from_env(RECIPE.env(target, runtime))
    assert settings.models == models
    assert str(settings.weights_dir) == "/weights"


@pytest.mark.parametrize("target", ["worker", "server"])
def test_a_container_starts_fast_without_debug_logs_and_offline(target: str) -> None:
    env = RECIPE.env(target)
    assert env["HF_HUB_OFFLINE"] == "1"
    assert env["RUNPOD_LOG_LEVEL"] == "INFO"  # the SDK's own DEBUG logs every answer
    assert env["PYTHONUNBUFFERED"] == "1"
    everything = str(RECIPE.stages)
    assert "PYTHONDONTWRITEBYTECODE" not in everything  # a worker that compiles what it imports starts 14 s later
    assert "--compile-bytecode" in everything
    assert "compileall" in everything


def test_no_token_is_an_argument_or_a_variable() -> None:
    for stage in RECIPE.stages.values():
        assert not any("TOKEN" in line for line in [*stage.all("ARG"), *stage.all("ENV")])
    assert any("--mount=type=secret,id=hf_token" in line for line in RECIPE.stages["bake"].all("RUN"))


def test_the_workers_command_can_be_joined_with_spaces_in_a_shell() -> None:
    command = json.loads(RECIPE.stages["worker"].all("CMD")[0])
    assert shlex.join(command) == " ".join(command)
    assert RECIPE.stages["code"].all("ENTRYPOINT") == ["[]"]


def test_the_worker_is_root_for_the_hubs_harness_and_the_server_is_not() -> None:
    users = {
        name: [user for stage in RECIPE.chain(name) for user in stage.all("USER")] for name in ("worker", "server")
    }
    assert users == {"worker": [], "server": ["chatterbox"]}
    assert not any(stage.all("EXPOSE") for stage in RECIPE.chain("worker"))  # port 80 is the harness's


def test_the_health_check_uses_the_servers_port() -> None:
    server = RECIPE.stages["server"]
    assert server.all("EXPOSE") == [str(Settings().port)]
    options, _, command = server.all("HEALTHCHECK")[0].partition(" CMD ")
    assert "--start-period=" in options
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python3", "-c")
    assert f"'{Settings().port}'" in code
    assert "/health" in code
    compile(code, "HEALTHCHECK", "exec")


def test_the_base_image_has_the_cuda_that_torch_was_built_for() -> None:
    base = re.fullmatch(r"nvidia/cuda:(\d+\.\d+)\.\d+-base-ubuntu24\.04", RECIPE.arguments["BASE_IMAGE"])
    assert base is not None
    assert PINS["cuda-toolkit"].startswith(f"{base[1]}.")


def test_packages_that_the_cpu_image_leaves_out_are_in_the_lock() -> None:
    dropped = re.search(r"\^\(([a-z|-]+)\)==", RECIPE.stages["deps"].all("RUN")[1])
    assert dropped is not None
    assert set(dropped[1].split("|")) <= set(PINS)


def test_no_library_that_torch_and_triton_load_is_left_out() -> None:
    import torch
    import triton.compiler  # noqa: F401

    command = re.search(r"site-packages && rm -rf (.+?)\)", RECIPE.stages["deps"].all("RUN")[1])
    assert command is not None
    packages = Path(torch.__file__).parents[1]
    left_out = [path for pattern in command[1].split() for path in packages.glob(pattern)]
    assert len(left_out) >= len(command[1].split())
    assert packages / "torch/bin/torch_shm_manager" not in left_out  # torch starts it
    loaded = {Path(line.split()[-1]) for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    assert not [path for path in loaded if {path, *path.parents} & {*left_out}]


def test_every_pin_has_a_hash_and_no_address() -> None:
    blocks = re.split(r"^(?=[a-z])", WORKER_LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PIN.findall(WORKER_LOCK)) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in WORKER_LOCK
    assert "://" not in (ROOT / "tools/image/uv.txt").read_text()


def test_the_image_has_the_dependencies_and_none_of_the_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["batch"], *extras["worker"]]
    wanted = {re.split(r"[<>=~\[; ]", line)[0].lower() for line in needed} - {project["name"]}
    assert len(wanted) > 30
    assert wanted <= set(PINS)
    assert not {"pytest", "ruff", "mypy", "hypothesis", "espeakng-loader", "gradio"} & set(PINS)


def test_the_image_has_the_versions_that_the_tests_use() -> None:
    developers = set(PIN.findall((ROOT / "locks/dev.txt").read_text()))
    assert set(PIN.findall(WORKER_LOCK)) - developers == set()


@pytest.mark.parametrize("lock", ["worker", "dev"])
def test_python_3_11_and_3_12_get_the_same_versions(lock: str) -> None:
    names = [name for name, _ in PIN.findall((ROOT / f"locks/{lock}.txt").read_text())]
    assert [name for name in names if names.count(name) > 1] == []


def test_uv_is_the_one_that_the_makefile_pins() -> None:
    pinned = re.search(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned is not None
    assert (ROOT / "tools/image/uv.txt").read_text().startswith(f"uv=={pinned[1]} ")
