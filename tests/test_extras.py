"""What the package's dependencies and its extra `batch` install is enough for the client and for that command."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.paths import ROOT


def _distributions(requirements: Iterable[Requirement], found: dict[str, metadata.Distribution]) -> None:
    """Adds the installed distributions that these requirements need, with all that those need."""
    for requirement in requirements:
        if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[requirement.name] = metadata.distribution(requirement.name)
        _distributions(map(Requirement, found[requirement.name].requires or ()), found)


def _own(*extras: str) -> list[Requirement]:
    """The package's dependencies, and those of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines]


def _packages(folder: Path, *extras: str) -> str:
    """A path for Python that has only the package and what its installation with the extras brings."""
    folder.mkdir()
    found: dict[str, metadata.Distribution] = {}
    _distributions(_own(*extras), found)
    for distribution in found.values():
        for top in {file.parts[0] for file in distribution.files or () if ".." not in file.parts}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return f"{ROOT / 'src'}:{folder}"


def _run(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, "-S", *arguments], {"PYTHONPATH": path}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


class _Refuses(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        pass


def test_the_client_needs_the_two_dependencies_alone(tmp_path: Path) -> None:
    assert [each.name for each in _own()] == ["httpx", "tqdm"]
    path = _packages(tmp_path / "packages")
    with HTTPServer(("127.0.0.1", 0), _Refuses) as endpoint:
        threading.Thread(target=endpoint.handle_request, daemon=True).start()
        client = ("-m", "chatterbox_worker.client", "Hi.", "-o", str(tmp_path / "hi.wav"), "--endpoint", "e")
        ended = _run(path, *client, "--key", "k", "--url", f"http://127.0.0.1:{endpoint.server_port}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "401" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_batch_needs_the_extra_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text("# One\n\nHello **there**.\n\n# Two\n\nMore.\n", encoding="utf-8")
    batch = ("-m", "chatterbox_worker.batch", str(tmp_path / "book.md"), "--list")
    ended = _run(_packages(tmp_path / "packages", "batch"), *batch)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "One" in ended.stdout
    missing = _run(str(ROOT / "src"), *batch)
    assert missing.returncode == 1
    assert missing.stderr.startswith("the package tqdm is not installed; README.md")
    assert missing.stderr.count("\n") == 1


@pytest.mark.parametrize("line", ["pip install .", "pip install '.[batch]'"])
def test_what_pip_installs_is_in_the_readme(line: str) -> None:
    assert line in (ROOT / "README.md").read_text(encoding="utf-8")
