"""Run a command in a built image as a platform would: `python -m tools.image.enter CONTAINER COMMAND…`.

CONTAINER is buildah's. RunPod's variables and ours are passed to the command, all other variables are not. $BUILDAH is
the buildah command with its options, so that its storage can be in any folder.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from chatterbox_worker.config import environment

_PASSED = ("CHATTERBOX_", "RUNPOD_", "PORT")


def buildah(env: Mapping[str, str]) -> list[str]:
    return shlex.split(env.get("BUILDAH", "buildah"))


def container_command(env: Mapping[str, str], container: str, command: Sequence[str]) -> list[str]:
    """The buildah command that runs `command` in `container`, without user and network namespaces."""
    passed = [f"--env={name}={value}" for name, value in sorted(env.items()) if name.startswith(_PASSED)]
    return [*buildah(env), "run", "--isolation", "chroot", "--network", "host", *passed, container, "--", *command]


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    command = container_command(environment(), sys.argv[1], sys.argv[2:])
    os.execvp(command[0], command)  # noqa: S606 - no process of ours may be above the leader of the worker's process group


if __name__ == "__main__":
    main()
