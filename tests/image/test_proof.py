"""The parts of the image check that need no image."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("device", "floor_s", "fault"),
    [
        ("cpu", 2.0, None),
        ("cpu", 1.5, "loaded after 4.0 s, 2.7 times 1.5 s"),
        ("cuda:0", 4.0, None),
        ("cuda:0", 3.0, "ready after 9.0 s, 3.0 times 3.0 s"),
    ],
)
def test_a_start_is_judged_until_jobs_are_taken_or_on_a_cpu_until_the_models_are_loaded(
    device: str, floor_s: float, fault: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    class Queue:
        """Its worker loads two models within four seconds, and asks for a job after nine."""

        def __init__(self, *, log_line: Callable[[str], None], **options: object) -> None:
            self._log_line = log_line

        def __enter__(self) -> None:
            started_s = clock[0]
            for after_s, name in ((3.0, "multilingual"), (4.0, "turbo")):
                clock[0] = started_s + after_s
                self._log_line(f"INFO   | chatterbox_worker.wiring: {name} is ready on {device} after 1.0 s")
            clock[0] = started_s + 9.0

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(prove, "container_of", lambda image: contextlib.nullcontext("box"))
    monkeypatch.setattr(prove, "config_of", lambda image: {"Cmd": ["python3"]})
    monkeypatch.setattr(prove, "run_in", lambda container, *command: f"{floor_s}")
    monkeypatch.setattr(prove, "LocalQueue", Queue)
    monkeypatch.setattr(prove, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with contextlib.nullcontext() if fault is None else pytest.raises(prove.ProofFailedError, match=fault):
        assert prove.prove_start("localhost/chatterbox-worker") == {"floor_s": floor_s, "loaded_s": 4.0, "ready_s": 9.0}
