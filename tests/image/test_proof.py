"""The parts of the image check that need no image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support.paths import ROOT
from tools.image.enter import container_command


def test_a_container_gets_runpods_variables_and_ours_but_no_others() -> None:
    env = {
        "RUNPOD_POD_ID": "w1", "CHATTERBOX_DEVICE": "cpu", "PORT": "80", "HOME": "/root", "PIP_INDEX_URL": "https://me:secret@x",
        "BUILDAH": "buildah --root '/a folder'",
    }  # fmt: skip
    command = container_command(env, "box", ["python3", "-u", "/app/handler.py"])
    assert command[:4] == ["buildah", "--root", "/a folder", "run"]
    assert [each for each in command if each.startswith("--env=")] == [
        "--env=CHATTERBOX_DEVICE=cpu", "--env=PORT=80", "--env=RUNPOD_POD_ID=w1",
    ]  # fmt: skip
    assert command[-5:] == ["box", "--", "python3", "-u", "/app/handler.py"]


def test_the_check_is_skipped_with_the_reason_if_it_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}  # noqa: TID251 - a child needs its PATH
    done = subprocess.run([ROOT / "tools/image/check.sh"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("skipped: this is not root")
