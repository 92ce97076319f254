"""The end of a worker that hangs; tests/serverless/test_lifecycle.py has the others."""

from __future__ import annotations

import subprocess
import sys

_HANGS = """
import asyncio, multiprocessing, time
from chatterbox_worker.serverless import shutdown

shutdown.EXIT_S = 0.1

async def main():
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()  # as the SDK's heartbeat
    shutdown.Shutdown(1, lambda: None).begin()
    time.sleep(60)

asyncio.run(main())
"""


def test_a_worker_that_hangs_ends_itself_and_its_children() -> None:
    run = subprocess.run([sys.executable, "-c", _HANGS], cwd="src", capture_output=True, timeout=20, check=False)

    assert (run.returncode, run.stderr) == (0, b"not done after 0 s: ending\n")
