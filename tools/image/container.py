"""Images and containers of buildah, for the check of a built image. $BUILDAH is as in `enter`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from chatterbox_worker.config import environment
from tools.image.enter import buildah


def image_bytes(image: str) -> int:
    """Size of the unpacked layers, to the three digits that buildah shows."""
    wanted = "sha256:" + run_buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", image).strip()
    listed = json.loads(run_buildah("images", "--json", "--no-trunc"))
    number, unit = next(entry["size"] for entry in listed if entry["id"] == wanted).split()
    return round(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper()])


def run_buildah(*arguments: str) -> str:
    return subprocess.run([*buildah(environment()), *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S603


def config_of(image: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(run_buildah("inspect", "--type", "image", image))["Docker"]["config"]
    return config


def run_in(container: str, *command: str) -> str:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tools.image.enter", container, *command], check=True, capture_output=True, text=True
    ).stdout


def returns_zero(container: str, *command: str) -> bool:
    enter = [sys.executable, "-m", "tools.image.enter", container, *command]
    return subprocess.run(enter, check=False, capture_output=True).returncode == 0  # noqa: S603


@contextlib.contextmanager
def container_of(image: str) -> Iterator[str]:
    container = run_buildah("from", "--pull-never", image).strip()
    try:
        yield container
    finally:
        run_buildah("rm", container)
