"""Start something in a built image as a platform would: `python -m tools.image.enter CONTAINER COMMAND…`.

CONTAINER is buildah's; RunPod's variables and ours go in with the command, this process's others stay out. buildah is
called as $BUILDAH says, so that its storage may lie anywhere.
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


def entering(env: Mapping[str, str], container: str, command: Sequence[str]) -> list[str]:
    """The buildah command that runs `command` in `container`, without namespaces: neither root's nor the network's."""
    passed = [f"--env={name}={value}" for name, value in sorted(env.items()) if name.startswith(_PASSED)]
    return [*buildah(env), "run", "--isolation", "chroot", "--network", "host", *passed, container, "--", *command]


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    command = entering(environment(), sys.argv[1], sys.argv[2:])
    os.execvp(command[0], command)  # noqa: S606 - a worker's process group must have no leader of ours above it


if __name__ == "__main__":
    main()
