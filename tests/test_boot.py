"""A worker imports only what synthesis needs: the test reads `sys.modules` after one answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkpoints import checkpoint

_HEAVY = (
    "transformers", "diffusers", "librosa", "chatterbox", "perth", "s3tokenizer", "scipy", "sympy", "numba", "sklearn",
    "pandas", "torchaudio", "torch._dynamo", "torch._inductor", "pyloudnorm", "gradio", "runpod", "fastapi", "httpx",
    "requests", "PIL",
)  # fmt: skip
_SPEAK = """
import json
import sys
from pathlib import Path
from chatterbox_worker.config import Settings
from chatterbox_worker.request import parse
from chatterbox_worker.synthesizer import CancelScope
from chatterbox_worker.wiring import build

folder, model = Path(sys.argv[1]), sys.argv[2]
settings = Settings(
    models=(model,),
    weights_dir=Path(sys.argv[3]),
    device="cpu",
    cache_dir=folder / "cache",
    voices_dir=folder / "voices",
)
synthesizer = build(settings)
synthesizer.engines[model].max_tokens = 10  # random weights do not stop by themselves
recording = synthesizer.speak(parse({"text": "Hello there.", "cache": False}, settings), CancelScope())
print(json.dumps({"bytes": len(recording.audio), "modules": sorted(sys.modules)}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["turbo", "multilingual"])
def test_speaking_with_a_preset_voice_imports_none_of_the_heavy_packages(model: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SPEAK, str(tmp_path), model, str(checkpoint(model))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bytes"] > 5000
    assert [name for name in _HEAVY if name in result["modules"]] == []
    assert len(result["modules"]) < 1500  # upstream: 3,800
