"""What the queue costs: a cache hit inside the handler and through RunPod's loop, compared with a one-job worker.

    python -m bench.queue

Starts the real worker on the local queue (preview engine, no weights), then a worker that differs only in the SDK's
default concurrency of 1. It prints a table, then one JSON line.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chatterbox_worker.localqueue import LocalQueue

_ROOT = Path(__file__).parents[1]
_JOBS = 12
_REQUEST = {"text": "The same short sentence every time, so that all but the first are hits.", "seed": 1}
_PLAIN = """
import runpod
from chatterbox_worker.config import environment
from chatterbox_worker.serverless.loop import start
worker = start(environment())[0]
runpod.serverless.start({"handler": worker.__call__})
"""


def measure(command: list[str], folder: Path) -> dict[str, float]:
    """Milliseconds for a hit: inside the handler, and from submission to answer; medians over `_JOBS` in a row."""
    env = {
        "CHATTERBOX_MODELS": "preview",
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"),
        "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "RUNPOD_LOG_LEVEL": "WARN",
        "PYTHONPATH": str(_ROOT),
    }
    with LocalQueue(command=command, cwd=_ROOT, env=env) as queue:
        miss = queue.run(_REQUEST, sync=True)["output"]
        inside, through = [], []
        for _ in range(_JOBS):
            started_s = time.perf_counter()
            output: dict[str, Any] = queue.run(_REQUEST, sync=True)["output"]
            through.append((time.perf_counter() - started_s) * 1000)
            inside.append(output["generation_time_ms"])
            if not output["cache_hit"]:
                raise RuntimeError("a repeated request was not served from the cache")
    return {
        "miss_inside_ms": miss["generation_time_ms"],
        "hit_inside_ms": statistics.median(inside),
        "hit_through_queue_ms": round(statistics.median(through), 1),
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        ours = measure([sys.executable, "handler.py"], Path(folder))
        plain = measure([sys.executable, "-c", _PLAIN], Path(folder) / "plain")
    print(f"{'':24}{'this worker':>14}{'one at a time':>16}")
    for name in ours:
        print(f"{name:24}{ours[name]:>14.1f}{plain[name]:>16.1f}")
    print(json.dumps({"bench": "queue", "jobs": _JOBS, "worker": ours, "one_at_a_time": plain}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
