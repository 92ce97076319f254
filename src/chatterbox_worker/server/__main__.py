"""`python -m chatterbox_worker.server`: serve speech over HTTP until the process is stopped.

`--local` is for a developer's machine: it serves the models whose weights are there, or the preview, with folders
under `./.local`, and also under OpenAI's names of models and voices.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from fastapi import FastAPI

from chatterbox_worker import command
from chatterbox_worker.config import Settings, environment, variable
from chatterbox_worker.errors import WorkerError
from chatterbox_worker.local import local_environment
from chatterbox_worker.memory import SERVER_HEAPS, memory_released
from chatterbox_worker.server import connection
from chatterbox_worker.server.app import backend_of, create_app
from chatterbox_worker.server.backend import Backend

log = logging.getLogger(__name__)

# Seconds a thread may hold the interpreter before another gets it. With the default of 5 ms, /health would wait 5 ms
# for every request whose thread is running Python code.
_SWITCH_S = 0.001
SHUTDOWN_S = 30  # for answers that are still being sent when the container is stopped


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.server", description=__doc__)
    parser.add_argument("--local", action="store_true", help="models and folders of a developer's machine")
    parser.add_argument("--host", help="address to listen on, in place of CHATTERBOX_HOST")
    parser.add_argument("--port", help="port to listen on, in place of PORT")
    parser.add_argument("--root-path", help="path under which a proxy shows it, in place of CHATTERBOX_ROOT_PATH")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s| %(name)s | %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every poll of a gateway
    try:
        return _run(Settings.from_env(_variables(options)))
    except (WorkerError, OSError) as error:  # a bad setting, or an address that is in use
        log.error("%s", error)  # noqa: TRY400 - a traceback would add nothing
        return 2
    except KeyboardInterrupt:  # Ctrl-C: uvicorn raises it again after its shutdown
        return 0


def _variables(options: argparse.Namespace) -> dict[str, str]:
    """Raises NotReady."""
    env = environment()
    if options.local:
        env = {variable("aliases"): "openai", **local_environment(env)}
    for setting in ("host", "port", "root_path"):
        if (value := getattr(options, setting)) is not None:
            env[variable(setting)] = str(value)
    return env


def _run(settings: Settings) -> int:
    asyncio.run(connection.check_address(settings.host, settings.port))
    if not settings.api_keys:
        log.warning("CHATTERBOX_API_KEYS is unset: anyone who can reach this port may use it")
    sys.setswitchinterval(_SWITCH_S)
    return _serve(settings)


class _Server(connection.Server):
    def __init__(self, app: FastAPI, backend: Backend, *, host: str, port: int, shutdown_s: float) -> None:
        super().__init__(app, host=host, port=port, shutdown_s=shutdown_s)
        self._backend = backend

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The second Ctrl-C ends the process: uvicorn waits for threads that speak, and logs what it cancels. The first
        signal does so before the models are loaded, which takes up to minutes and cannot be cancelled.
        """
        if self._backend.condition.state == "starting":
            log.info("stopped before the models were loaded")
            command.end(sig)
        if self.should_exit and sig == signal.SIGINT:
            command.end(sig)
        super().handle_exit(sig, frame)


def _serve(settings: Settings) -> int:
    server: connection.Server

    def device_failed() -> None:
        log.error("the device failed; stopping, so that the container starts a new process")
        server.should_exit = True

    backend = backend_of(settings, on_device_failed=device_failed)
    app = create_app(settings, backend)
    server = _Server(app, backend, host=settings.host, port=settings.port, shutdown_s=SHUTDOWN_S)
    with memory_released(lambda: app.state.state.admission.inside == 0, SERVER_HEAPS):
        server.run()
    return 1 if backend.condition.state == "failed" or not server.started else 0


if __name__ == "__main__":
    command.run(main)
