"""Runs each client of `programs/` against a server, and installs the packages that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from chatterbox_worker.config import environment

PROGRAMS = Path(__file__).parent / "programs"
FOLDER = Path(__file__).parents[2] / ".local" / "clients"
"""Where their packages are installed; it may be deleted."""
_RUN_S, _INSTALL_S = 60, 300
# exact versions: the client is what is tried, and of litellm one release (1.107.0) was not its authors'
_PACKAGES: Mapping[str, Sequence[str]] = {
    "livekit": ("livekit-agents==1.8.9", "livekit-plugins-openai==1.8.9"),
    "pipecat": ("pipecat-ai[openai]==1.14.0",),
    "litellm": ("litellm==1.110.2", "fastapi", "orjson"),  # its health check is part of its proxy
}
_NODE_PACKAGES: Mapping[str, Sequence[str]] = {
    "openai-node": ("openai@6.49.0",),
    "ai-sdk": ("ai@6.0.326", "@ai-sdk/openai@3.0.141"),
}


class NotHere(Exception):
    """What this machine lacks for a client."""


def run(name: str, url: str, recording: Path) -> str:
    """The line that the client prints when everything was right.

    Raises:
        NotHere: the machine lacks something that cannot be installed here.
        AssertionError: what went wrong, in the client's words.
    """
    command = [*CLIENTS[name](), url, str(recording)]
    env = environment() | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # it would look for its prices on the internet
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_RUN_S, check=False)  # noqa: S603
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("ok "):
        raise AssertionError(f"{name}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return lines[-1]


def _program(name: str) -> str:
    return str(PROGRAMS / name)


def _executable(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise NotHere(f"{name} is not installed")
    return path


def _java() -> list[str]:
    return [_executable("java"), _program("JavaClient.java")]


def _node_fetch() -> list[str]:
    return [_executable("node"), _program("fetch.js")]


def _node(name: str, program_name: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        node, npm = _executable("node"), _executable("npm")
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / program_name
        shutil.copy(_program(program_name), program)  # Node looks for packages next to it
        if not (folder / "node_modules" / ".package-lock.json").is_file():  # which npm writes last
            options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder))
            _install([npm, "install", *options, *_NODE_PACKAGES[name]])
        return [node, str(program)]

    return command


def _python(name: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        folder = FOLDER / name
        python = folder / "bin" / "python"
        if not (folder / "ready").is_file():
            venv.create(folder, with_pip=(uv := shutil.which("uv", path=str(Path(sys.executable).parent))) is None)
            installer = [str(python), "-m", "pip"] if uv is None else [uv, "pip"]
            options = [] if uv is None else ["--python", str(python)]
            _install([*installer, "install", "--quiet", *options, *_PACKAGES[name]])
            (folder / "ready").touch()
        return [str(python), next(str(path) for path in PROGRAMS.glob(f"{name}_*.py"))]

    return command


def _install(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise NotHere(f"it cannot be installed here: {error.stderr[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotHere(f"installing it took longer than {_INSTALL_S} s") from error


CLIENTS: Mapping[str, Callable[[], list[str]]] = {
    "openai-python": lambda: [sys.executable, _program("openai_python.py")],
    "openai-node": _node("openai-node", "openai_node.mjs"),
    "ai-sdk": _node("ai-sdk", "ai_sdk.mjs"),
    "fetch-node": _node_fetch,
    "java": _java,
    **{name: _python(name) for name in _PACKAGES},
}
"""For each client a function that installs what it needs and returns its command, which the server's URL and the path
of a recording complete. Raises NotHere."""
