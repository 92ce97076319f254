"""build.sh with a `docker` that records its arguments."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from chatterbox_worker import __version__
from support.paths import ROOT

_DOCKER = """#!/bin/sh
if [ "$1 $2" = "buildx version" ]; then exit ${NO_BUILDX:-0}; fi
if [ "$1 $2" = "image inspect" ]; then echo 9876543210; exit 0; fi
{
  for argument in "$@"; do printf '%s\\n' "$argument"; done
  echo "token=$HF_TOKEN buildkit=$DOCKER_BUILDKIT"
  echo --
} >> "$CALLS"
exit ${DOCKER_FAILS:-0}
"""


class Build:
    def __init__(self, tmp_path: Path) -> None:
        self._calls = tmp_path / "calls"
        docker = tmp_path / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(_DOCKER)
        docker.chmod(0o755)
        self._path = f"{docker.parent}:{os.environ['PATH']}"  # noqa: TID251 - a child needs its PATH

    def __call__(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": self._path, "CALLS": str(self._calls), **env}
        command = [str(ROOT / "build.sh"), *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd="/")

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call, then a line with its environment."""
        if not self._calls.exists():
            return []
        return [
            call.splitlines() for call in self._calls.read_text().split("--\n") if call and not call.startswith("\n")
        ]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def option(call: list[str], name: str) -> list[str]:
    return [value for flag, value in pairwise(call) if flag == name]


def test_a_plain_build_builds_the_worker_for_runpods_machines(build: Build) -> None:
    done = build("someone")
    assert done.returncode == 0, done.stderr
    image = f"someone/chatterbox-worker:{__version__}"
    assert f"docker push {image}" in done.stdout
    assert f"{image} has 9.87 GB unpacked" in done.stdout
    (call,) = build.calls
    assert call[:2] == ["buildx", "build"]
    assert option(call, "--platform") == ["linux/amd64"]
    assert option(call, "--target") == ["worker"]
    assert option(call, "--tag") == [image]
    assert "--load" in call
    assert "RUNTIME=cuda" in option(call, "--build-arg")
    assert f"VERSION={__version__}" in option(call, "--build-arg")
    assert not any(
        value.startswith(("MODELS", "PACKS", "CUSTOM", "PROFILES", "ORIGINALS", "BASE_IMAGE"))
        for value in option(call, "--build-arg")
    )
    assert "--secret" not in call


def test_the_options_are_passed_to_docker_unchanged(build: Build) -> None:
    done = build(
        "ghcr.io/someone", "v2", "--target", "server", "--models", "turbo nano", "--packs", "", "--base", "debian:12",
        "--profiles", "fast exact", "--originals", "--custom", "a=me/a:turbo, b=me/b:english:de",
        "--", "--no-cache", "--label", "a=b c",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (call,) = build.calls
    assert option(call, "--tag") == ["ghcr.io/someone/chatterbox-worker:v2"]
    assert option(call, "--target") == ["server"]
    assert {"MODELS=turbo nano", "PACKS=", "BASE_IMAGE=debian:12", "PROFILES=fast exact", "ORIGINALS=1"} <= set(
        option(call, "--build-arg")
    )
    assert "CUSTOM=a=me/a:turbo, b=me/b:english:de" in option(call, "--build-arg")
    assert option(call, "--label") == ["a=b c"]
    assert "--no-cache" in call
    assert "docker run --gpus all -p 8004:8004 ghcr.io/someone/chatterbox-worker:v2" in done.stdout


def test_a_cpu_image_has_its_own_tag_and_base(build: Build) -> None:
    done = build("someone", "--cpu", "--target", "server")
    assert done.returncode == 0, done.stderr
    (call,) = build.calls
    assert option(call, "--tag") == [f"someone/chatterbox-worker:{__version__}-cpu-server"]
    assert {"RUNTIME=cpu", "BASE_IMAGE=ubuntu:24.04"} <= set(option(call, "--build-arg"))
    assert "--gpus" not in done.stdout


def test_a_hub_token_is_passed_as_a_secret_and_never_as_an_argument(build: Build) -> None:
    assert build("someone", HF_TOKEN="hf_secret").returncode == 0
    (call,) = build.calls
    assert option(call, "--secret") == ["id=hf_token,env=HF_TOKEN"]
    assert not any("hf_secret" in argument for argument in call[:-1])
    assert call[-1].startswith("token=hf_secret")


def test_without_buildx_docker_builds_with_buildkit_and_pushes_when_asked(build: Build) -> None:
    done = build("someone", "v1", "--push", NO_BUILDX="1")
    assert done.returncode == 0, done.stderr
    built, pushed = build.calls
    assert built[0] == "build"
    assert built[-1].endswith("buildkit=1")
    assert "--push" not in built
    assert "--load" not in built
    assert pushed[:2] == ["push", "someone/chatterbox-worker:v1"]
    assert "Pushed" in done.stdout


def test_buildx_pushes_by_itself(build: Build) -> None:
    assert build("someone", "--push").returncode == 0
    (call,) = build.calls
    assert "--push" in call
    assert "--load" not in call


def test_a_failed_build_does_not_suggest_a_push(build: Build) -> None:
    done = build("someone", DOCKER_FAILS="3")
    assert done.returncode == 3
    assert "Push" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "./build.sh USER [TAG]"),
        (["someone", "v1", "v2"], 'unexpected argument "v2" after USER and TAG'),
        (["someone", "--targt", "server"], "unknown option --targt"),
        (["someone", "--target"], "--target needs a value"),
        (["someone", "--target", "deps"], "--target must be worker or server"),
    ],
)
def test_unknown_arguments_are_refused(arguments: list[str], message: str, build: Build) -> None:
    done = build(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert build.calls == []


def test_the_scripts_are_valid_bash() -> None:
    for script in ("build.sh", "tools/image/check.sh"):
        assert (ROOT / script).stat().st_mode & 0o111, script
        assert subprocess.run(["bash", "-n", str(ROOT / script)], capture_output=True, check=False).returncode == 0
