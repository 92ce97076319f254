"""A worker imports only what its requests need: the test reads `sys.modules` after some answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatterbox_worker.config import environment
from support.checkpoints import linked
from support.paths import ROOT, WORKERS

_NOWHERE = (  # seconds of imports each, and no request of any model needs them
    "transformers", "diffusers", "librosa", "chatterbox", "perth", "s3tokenizer", "scipy", "sympy", "numba", "sklearn",
    "pandas", "torchaudio", "onnx", "torch._dynamo", "torch._inductor", "pyloudnorm", "gradio",
)  # fmt: skip
_AT_EDGES = ("runpod", "fastapi", "httpx", "requests", "PIL")
_OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


@pytest.mark.slow
def test_speaking_and_cloning_import_none_of_the_heavy_packages(tmp_path: Path) -> None:
    for model in ("multilingual", "english", "turbo", "nano"):
        linked(model, tmp_path)
    variables = _OFFLINE | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), str(ROOT)]),
        "PKUSEG_HOME": str(tmp_path / "pkuseg"),  # no word model is downloaded for Chinese
    }
    done = subprocess.run(
        [sys.executable, WORKERS / "clones.py", tmp_path],
        cwd=ROOT, env=environment() | variables, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout.splitlines()[-1])
    assert {part: sorted({*_NOWHERE} & {*modules}) for part, modules in imported.items()} == {
        "own voice": [], "cloned voice": [], "edges": [],
    }  # fmt: skip
    assert not {*_AT_EDGES} & {*imported["own voice"]}
    others = [name for name in imported["own voice"] if name.partition(".")[0] != "chatterbox_worker"]
    assert len(others) < 1500  # upstream: 3,800


_START = """
import sys
from chatterbox_worker.engines.deferred import defer_imports
defer_imports()
import runpod.serverless
assert not {"paramiko.transport", "tomlkit.api"} & sys.modules.keys()
print(sys.modules["paramiko"].SSHClient.__name__, sys.modules["tomlkit"].dumps({"a": 1}).strip())
"""


def test_the_sdk_loads_its_command_lines_packages_only_when_they_are_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _START], cwd=ROOT, env=environment() | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("SSHClient a = 1", "")
