"""Parses a Dockerfile for the tests: stages, instructions, ARG defaults. No shell, no here-documents."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from support.paths import ROOT

PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
"""A line of a lock: the package's name and version."""
WORKER_LOCK = (ROOT / "locks/worker.txt").read_text()
PINS = dict(PIN.findall(WORKER_LOCK))
"""The packages that the image installs."""


@dataclass(slots=True)
class Stage:
    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Instructions with their arguments; continued lines are joined."""

    def all(self, instruction: str) -> list[str]:
        """The arguments of every `instruction`."""
        return [arguments for word, arguments in self.steps if word == instruction]

    @property
    def env(self) -> dict[str, str]:
        """As written, before expansion."""
        return dict(pair.partition("=")[::2] for arguments in self.all("ENV") for pair in shlex.split(arguments))

    @property
    def copies(self) -> list[tuple[list[str], str]]:
        """Sources in the build context and their destination."""
        words = [arguments.split() for arguments in self.all("COPY") if "--from=" not in arguments]
        return [(each[:-1], each[-1]) for each in words]


@dataclass(slots=True)
class Recipe:
    arguments: dict[str, str]
    """Those before the first stage, with their defaults."""
    stages: dict[str, Stage]

    def chain(self, name: str, runtime: str = "cuda") -> list[Stage]:
        """The stages of an image, from its base on."""
        stages: list[Stage] = []
        while stage := self.stages.get(name):
            stages.insert(0, stage)
            name = stage.base.replace("${RUNTIME}", runtime)
        return stages

    def env(self, name: str, runtime: str = "cuda") -> dict[str, str]:
        """The variables of a container of the image, with the build arguments at their defaults."""
        found: dict[str, str] = {}
        for stage in self.chain(name, runtime):
            arguments = dict(pair.partition("=")[::2] for line in stage.all("ARG") for pair in shlex.split(line))
            for variable, value in stage.env.items():
                found[variable] = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], value)  # noqa: B023 - called here
        return found


def read(path: Path = ROOT / "Dockerfile") -> Recipe:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    recipe = Recipe({}, {})
    stage: Stage | None = None
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, remainder = line.partition(" ")
        if word == "FROM":
            base, name = remainder.split(" AS ")
            stage = recipe.stages[name] = Stage(name, base)
        elif stage is None:
            name, _, default = remainder.partition("=")
            recipe.arguments[name] = default
        else:
            stage.steps.append((word, remainder.strip()))
    return recipe


def is_sent(path: str, ignore: Path = ROOT / ".dockerignore") -> bool:
    """Whether the build context contains `path`: the last pattern that matches it or a parent folder decides."""
    above = [path, *(parent.as_posix() for parent in Path(path).parents if parent != Path())]
    sent = True
    for line in ignore.read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")
        if any(
            fnmatch.fnmatchcase(each if pattern == anywhere else Path(each).name, anywhere)
            and ("/" not in each or pattern != "*")
            for each in above
        ):
            sent = line.startswith("!")
    return sent
