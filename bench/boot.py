"""A worker's start, from its process's first instruction to its first request for a job, as a bar for each part.

    python -m bench.boot                       tiny turbo, half a minute on two cores
    python -m bench.boot --models multilingual,turbo --repeat 5

The real worker runs on the local queue, on the CPU, from prepared weights. Starts alternate with `import torch` in a
process of its own, the least that any start takes; the median of each counts. Bars on different threads overlap.
Prints the bars of the median start, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.localqueue import LocalQueue

_ROOT = Path(__file__).parents[1]
_WIDTH = 60  # characters of the longest bar
_SHORTEST_S = 0.02  # a part that is shorter has no bar


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.boot", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", default="turbo", help="separated by commas")
    parser.add_argument("--size", default="tiny", choices=["tiny", "full"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", default="auto")
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "chatterbox-worker-bench")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        weights = _prepare(options.weights, options.models.split(","), options.size, Path(folder))
        env = {
            "CHATTERBOX_MODELS": options.models, "CHATTERBOX_WEIGHTS_DIR": str(weights), "CHATTERBOX_DEVICE": "cpu",
            "CHATTERBOX_PROFILE": options.profile, "CHATTERBOX_CACHE_DIR": folder, "CHATTERBOX_VOICES_DIR": folder,
            "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}",
        }  # fmt: skip
        _start(env, Path(folder))  # writes the packs and warms the page cache
        turns = [(_torch_s(), _start(env, Path(folder))) for _ in range(options.repeat)]
    torch_s = statistics.median_low(turn[0] for turn in turns)
    median = sorted((turn[1] for turn in turns), key=_length_s)[(len(turns) - 1) // 2]
    ready_s = _length_s(median)
    _print(median)
    print(f"\nfirst take after {ready_s:.2f} s, {ready_s / torch_s:.2f} times import torch ({torch_s:.2f} s)")
    parts = [[label, thread, start - median["started_at"], end - median["started_at"]]
             for label, thread, start, end in median["spans"]]  # fmt: skip
    print(json.dumps({
        "bench": "boot", "models": options.models, "size": options.size, "profile": options.profile,
        "cpus": os.cpu_count(), "load_before": load, "starts_s": [_length_s(turn[1]) for turn in turns],
        "torch_s": [turn[0] for turn in turns],
        "ratio": ready_s / torch_s, "parts": parts,
    }))  # fmt: skip
    return 0


def _prepare(parent: Path, models: Sequence[str], size: str, folder: Path) -> Path:
    """A folder with a link to each model's synthetic checkpoint, written if it is missing."""
    for model in models:
        source = parent / f"{model}-{size}"
        if not source.is_dir():
            from tools.synthetic_checkpoint import write_checkpoint  # noqa: PLC0415 - imports the model stack

            write_checkpoint(source, LAYOUTS[model], size=size)
        (folder / "weights").mkdir(exist_ok=True)
        (folder / "weights" / model).symlink_to(source)
    return folder / "weights"


def _start(env: dict[str, str], folder: Path) -> dict[str, Any]:
    """One start of the worker (`bench.spans`), ended as soon as it has asked for a job."""
    file = folder / "spans.json"
    file.unlink(missing_ok=True)
    with LocalQueue(command=[sys.executable, "-m", "bench.spans", str(file)], cwd=_ROOT, env=env):
        start: dict[str, Any] = json.loads(file.read_text())
        return start


def _length_s(start: dict[str, Any]) -> float:
    """Seconds from the process's first instruction to its first request for a job."""
    return float(start["took_at"] - start["started_at"])


def _torch_s() -> float:
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started_s


def _print(start: dict[str, Any]) -> None:
    first_s, scale = start["started_at"], _WIDTH / _length_s(start)
    for label, thread, begin, end in sorted(start["spans"], key=lambda span: span[2]):
        if end - begin >= _SHORTEST_S:
            left, length = round((begin - first_s) * scale), max(1, round((end - begin) * scale))
            bar = (" " * left + "#" * length).ljust(_WIDTH)
            print(f"{label:24.24} |{bar}| {begin - first_s:5.2f} to {end - first_s:5.2f} s  {thread}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
