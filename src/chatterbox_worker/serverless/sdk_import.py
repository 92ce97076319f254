"""RunPod's SDK, imported on a thread while the models load.

Its import takes 2 s on two cores, and for half of that it waits for a child process that reads the CPU's name
(py-cpuinfo). Imports no SDK by itself.

What is relied on beyond the documented surface: `rp_fitness._ensure_gpu_check_registered` and
`_ensure_system_checks_registered`, which each run nvidia-smi, and which the SDK otherwise calls in `start`.
tests/serverless holds the SDK to it; pyproject pins the minor version.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType

from chatterbox_worker.config import ensure_variable


def import_sdk() -> Future[ModuleType]:
    """The module `runpod`, as soon as it is imported; raises there what the import raises."""
    ensure_variable("RUNPOD_LOG_LEVEL", "INFO")  # the SDK's own default logs answers, and "" ends it
    threads = ThreadPoolExecutor(1, "sdk")
    try:
        return threads.submit(_import)
    finally:
        threads.shutdown(wait=False)


def _import() -> ModuleType:
    import runpod  # noqa: PLC0415
    from runpod.serverless.modules import rp_fitness  # noqa: PLC0415

    rp_fitness._ensure_gpu_check_registered()
    rp_fitness._ensure_system_checks_registered()
    sdk: ModuleType = runpod
    return sdk
