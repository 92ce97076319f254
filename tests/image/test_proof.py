"""The parts of the image check that need no image."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paths import ROOT
from tools.image import prove
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


PACK = "/weights/turbo/chatterbox-worker-turbo-fast-cuda.safetensors"
ORIGINALS = ("/weights/turbo/t3_turbo_v1.safetensors", "/weights/turbo/s3gen_meanflow.safetensors")


@pytest.mark.parametrize(
    ("files", "originals", "image_gb", "fault"),
    [
        ((PACK,), False, 8.0, None),
        ((PACK, *ORIGINALS), True, 11.0, None),
        ((PACK, *ORIGINALS), False, 8.0, "of the original files"),
        ((PACK, ORIGINALS[0]), False, 8.0, "of the original files"),
        ((PACK,), True, 8.0, "of the original files"),
        (ORIGINALS, True, 8.0, "has no prepared weights of turbo"),
        ((PACK,), False, 10.1, "has 6.10 GB and 4.00 GB of weights"),
        ((PACK,), False, 10.6, "has 6.60 GB and 4.00 GB of weights"),
    ],
)
def test_an_image_has_the_weights_files_and_the_size_that_it_should_have(
    files: tuple[str, ...], originals: bool, image_gb: float, fault: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_in(container: str, *command: str) -> str:
        weights_gb = 5.0 if originals else 4.0
        return "\n".join(files) if command[0] == "find" else f"{weights_gb * 1e9:.0f}\t/weights\n"

    @contextlib.contextmanager
    def container(image: str) -> Iterator[str]:
        yield image

    monkeypatch.setattr(prove, "config_of", lambda image: {"Env": ["CHATTERBOX_MODELS=turbo", "CHATTERBOX_PACKS="]})
    monkeypatch.setattr(prove, "container_of", container)
    monkeypatch.setattr(prove, "run_in", run_in)
    monkeypatch.setattr(prove, "image_bytes", lambda image: image_gb * 1e9)
    with contextlib.nullcontext() if fault is None else pytest.raises(prove.ProofFailedError, match=fault):
        prove.prove_contents("localhost/chatterbox-worker", originals=originals)
