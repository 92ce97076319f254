"""The cases of one part, in one process: `python -m bench.gpu.child PART MODULE OUT DEVICE SIZE WEIGHTS`.

A case that raises has failed, and the next one runs, unless the device itself has failed: then the process ends with
code 3, and the next process continues.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from pathlib import Path

from bench.gpu.cases import Cases, Skipped
from bench.gpu.results import Results
from bench.gpu.run import Options

_DEVICE_FAILED = 3


def run_cases(part: str, cases: Cases, results: Results) -> int:
    """Run those that have no result yet. Returns the process's exit code."""
    over = {name for (owner, name), case in results.cases().items() if owner == part and case.is_over}
    for name, work in cases:
        if name in over:
            continue
        results.add(part, name, "start")
        started_s = time.perf_counter()
        try:
            figures = work()
        except Skipped as reason:
            results.add(part, name, "skipped", {"reason": str(reason)})
        except Exception as error:  # noqa: BLE001 - a failed case is a result
            traceback.print_exc()
            results.add(part, name, "failed", {"reason": _sentence(error)})
            if _has_failed_device(error):
                return _DEVICE_FAILED
        else:
            seconds = round(time.perf_counter() - started_s, 2)
            results.add(part, name, "done", figures | {"case_s": seconds})
    return 0


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _has_failed_device(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return False
    from chatterbox_worker.engines.chatterbox.device.failures import is_device_failure  # noqa: PLC0415  # torch
    from chatterbox_worker.errors import DeviceFailed  # noqa: PLC0415

    return isinstance(error, DeviceFailed) or is_device_failure(error)


def main(part: str, module: str, out: str, device: str, size: str, weights: str) -> int:  # noqa: PLR0917 - argv
    options = Options(Path(out), device, size, Path(weights))
    cases: Cases = importlib.import_module(module).cases(options)
    return run_cases(part, cases, Results(options.out / "results.jsonl"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
