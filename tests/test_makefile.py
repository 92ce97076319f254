"""What `make` does before anything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT


def _setup(folder: Path, python: str, **environment: str) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "pyproject.toml", "locks/dev.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return subprocess.run(
        ["make", "setup", f"PYTHON={python}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", **environment},  # noqa: TID251 - a child needs its PATH
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unsupported_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 13, 0, 'final', 0)\n")

    made = _setup(tmp_path, sys.executable, PYTHONPATH=str(tmp_path))

    assert made.returncode != 0
    assert f"Python 3.11 or 3.12 is needed. {sys.executable} --version: Python 3." in made.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    made = _setup(tmp_path, "python3.99")

    assert made.returncode != 0
    assert "Python 3.11 or 3.12 is needed. python3.99 --version:" in made.stderr
    assert "not found" in made.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
def test_an_unfinished_environment_is_replaced(tmp_path: Path) -> None:
    """As an unsupported Python's, or one that was made without the package python3-venv of Debian."""
    python = tmp_path / ".venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0

    made = _setup(tmp_path, sys.executable)

    assert "uv" in made.stderr  # what pip is asked for next, and here cannot reach
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
