"""`python -m chatterbox_worker.server`: serve speech over HTTP until told to stop.

`--local` is for a developer's machine: the models it has weights for, or the preview, with folders under `./.local`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server.app import create_app

log = logging.getLogger(__name__)

# Seconds a thread may hold the interpreter before another gets it; the default of 5 ms, times a thread for each
# request, is what /health would wait while all of them work in Python.
_SWITCH_S = 0.001
_SHUTDOWN_S = 30  # for answers that are still being spoken when the container is told to stop


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.server", description=__doc__)
    parser.add_argument("--local", action="store_true", help="models and folders of a developer's machine")
    parser.add_argument("--host", help="address to listen on, in place of CHATTERBOX_HOST")
    parser.add_argument("--port", type=int, help="port to listen on, in place of PORT")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s| %(name)s | %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every poll of a gateway
    env = environment()
    if options.local:
        from chatterbox_worker.local import local_environment  # noqa: PLC0415 - knows the model stack

        env = local_environment(env, Path.cwd())
    try:
        settings = Settings.from_env(env)
    except InvalidRequest as error:
        log.error("%s", error.message)  # noqa: TRY400 - the sentence is the whole story
        return 2
    if not settings.api_keys:
        log.warning("CHATTERBOX_API_KEYS is unset: whoever reaches this port may use it")
    sys.setswitchinterval(_SWITCH_S)
    uvicorn.run(
        create_app(settings),
        host=options.host or settings.host,
        port=options.port or settings.port,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
