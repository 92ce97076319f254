"""A start, timed from outside: from a fresh Python to a model that is ready, compared with the minimum for any start.

The minimum is `import torch`, in a process of its own, and reading the bytes that the model needs. Prints one JSON
line:

    python -m bench.ready ours|upstream MODEL FOLDER PROFILE DEVICE SIZE
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


def measure(side: str, *, model: str, folder: Path, profile: str, device: str, size: str) -> dict[str, Any]:
    """Seconds and bytes of one start; `ready_s` counts from before Python itself is started.

    Raises:
        RuntimeError: the start failed.
    """
    command = [sys.executable, "-m", "bench.ready", side, model, str(folder), profile, device, size]
    started_s = time.time()
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    figures["ready_s"] = figures.pop("ready_at") - started_s
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], cwd=_ROOT, check=True)
    figures["torch_s"] = time.perf_counter() - started_s
    return figures


def _ours(model: str, folder: Path, profile: str, device: str) -> list[Path]:
    import tempfile  # noqa: PLC0415

    from chatterbox_worker.config import Settings  # noqa: PLC0415
    from chatterbox_worker.wiring import build  # noqa: PLC0415

    empty = Path(tempfile.mkdtemp())
    settings = Settings(
        models=(model,), weights_dir=folder, profile=profile, device=device, cache_dir=empty, voices_dir=empty
    )
    build(settings)
    from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.checkpoint.locate import find  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.checkpoint.prepared import needed  # noqa: PLC0415

    return needed(find(LAYOUTS[model], weights_dir=folder, offline=True), settings)


def _upstream(model: str, folder: Path, device: str, size: str) -> list[Path]:
    import torch  # noqa: PLC0415

    from bench.upstream import Upstream  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.checkpoint.locate import find  # noqa: PLC0415

    checkpoint = find(LAYOUTS[model], weights_dir=folder, offline=True)
    Upstream(checkpoint, torch.device(device), size).load_sound()
    return [checkpoint.path(checkpoint.layout.t3), checkpoint.path(checkpoint.layout.s3gen)]


def main(side: str, model: str, folder: str, profile: str, device: str, size: str) -> None:  # noqa: PLR0917  # argv
    files = (
        _ours(model, Path(folder), profile, device) if side == "ours" else _upstream(model, Path(folder), device, size)
    )
    figures: dict[str, Any] = {"ready_at": time.time()}
    import torch  # noqa: PLC0415  # already imported by now

    figures["resident_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures["device_bytes"] = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    started_s = time.perf_counter()
    buffer = bytearray(8 * 2**20)
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    figures |= {"read_s": time.perf_counter() - started_s, "weights_bytes": sum(path.stat().st_size for path in files)}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # the engine's threads still work, and torch aborts a process that ends under them
