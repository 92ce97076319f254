"""A worker or a server under mixed requests for a long time: what it holds after each round of them.

    python -m bench.soak worker                      preview engine, 60 rounds of 33 jobs on the local queue
    python -m bench.soak server --rounds 100         the same over HTTP and WebSocket
    python -m bench.soak worker --model nano         tiny random weights: voices, adapters, conversions
    python -m bench.soak wyoming                     Home Assistant's protocol (`bench.soak_wyoming`)
    python -m bench.soak idle --model nano           the server, whose models are unloaded after each round
    python -m bench.soak gateway                     the server in front of a local queue, and its requests
    python -m bench.soak csm                         the server with CSM (`bench.soak_csm`)
    python -m bench.soak streams                     long WebSocket and SSE streams, cut and slow (`bench.soak_streams`)
    python -m bench.soak queue                       the local queue itself, hundreds of jobs (`bench.soak_queue`)

Every text, voice and adapter is a new one; some requests are wrong, cancelled, or broken off by a reset connection
(`bench.soak_requests`). After a round the process is left alone for two seconds and measured from outside. It ends
after `--rounds` or `--minutes`, whichever comes first; everything is in a temporary folder and on 127.0.0.1. Prints a
table and one JSON line. A wrong answer ends it, and so do a place or a job that no client has any more, and an error
in the log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.soak_csm import SHORT, CsmVoices, csm_round
from bench.soak_queue import jobs_round
from bench.soak_requests import Voices, http_round, queue_round
from bench.soak_streams import streams_round
from bench.soak_wyoming import wyoming_round
from chatterbox_worker.config import environment
from chatterbox_worker.localqueue import LocalQueue

_Opened = contextlib.AbstractContextManager[tuple[Callable[[int], int], Callable[[], int]]]
_ROOT = Path(__file__).parents[1]
_EMPTY_S = 20.0
_REST_S = 2.0  # the worker gives memory back after a second without jobs
_CACHE_BYTES = 20_000_000  # small, so that it is swept many times
_SHORT_TAKES = """
import sys
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
ChatterboxEngine.__init__.__kwdefaults__["max_tokens"] = 20  # random weights do not stop by themselves
"""
_WORKER = "import handler\nhandler.main()"
_QUEUE = "from chatterbox_worker.localqueue.__main__ import main\nsys.exit(main(sys.argv[1:]))"
_WYOMING = "from chatterbox_worker.wyoming import main\nsys.exit(main(sys.argv[1:]))"
_SERVER = "from chatterbox_worker.server.__main__ import main\nsys.exit(main(sys.argv[1:]))"


def measure(pid: int, folder: Path) -> dict[str, float]:
    """Of a process: megabytes (RSS, PSS, private), descriptors and threads; files and megabytes in its folders."""
    process = Path(f"/proc/{pid}")
    rollup = dict(line.split()[:2] for line in (process / "smaps_rollup").read_text().splitlines()[1:])
    figures = {
        "rss": int(rollup["Rss:"]) / 1e3,
        "pss": int(rollup["Pss:"]) / 1e3,
        "private": (int(rollup["Private_Dirty:"]) + int(rollup["Private_Clean:"])) / 1e3,
        "open": float(len(list((process / "fd").iterdir()))),
        "threads": float(len(list((process / "task").iterdir()))),
    }
    for name in ("tmp", "cache", "voices", "outputs"):
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        figures[name] = float(len(files))
        figures[f"{name}_mb"] = sum(path.stat().st_size for path in files) / 1e6
    return figures


def soak(
    run_round: Callable[[int], int], pid: Callable[[], int], folder: Path, *, rounds: int, ends_s: float
) -> list[dict[str, float]]:
    """The figures after each round, which makes as many requests as it returns."""
    found: list[dict[str, float]] = []
    done, first = 0, pid()
    for number in range(rounds):
        if time.monotonic() > ends_s:
            break
        done += run_round(number)
        time.sleep(_REST_S)
        if pid() != first:
            raise RuntimeError("the process has ended and another was started")
        found.append({"requests": float(done), **measure(first, folder)})
        if number % max(1, rounds // 20) == 0 or number == rounds - 1:
            print("  ".join(f"{name} {value:.5g}" for name, value in found[-1].items()), flush=True)
    return found


def _settings(folder: Path, model: str) -> dict[str, str]:
    tmp = folder / "tmp"
    tmp.mkdir(exist_ok=True)
    settings = {
        "CHATTERBOX_MODELS": model, "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "TMPDIR": str(tmp),
        "CHATTERBOX_VOICES_DIR": str(folder / "voices"), "CHATTERBOX_OUTPUTS_DIR": str(folder / "outputs"),
        "CHATTERBOX_LEXICON": str(folder / "lexicon.json"), "CHATTERBOX_CACHE_MAX_BYTES": str(_CACHE_BYTES),
        "RUNPOD_LOG_LEVEL": "ERROR", "PYTHONPATH": os.pathsep.join((str(_ROOT / "src"), str(_ROOT))),
        "CHATTERBOX_WEIGHTS_DIR": str(folder / "weights"), "CHATTERBOX_DEVICE": "cpu", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    return settings if model == "preview" else settings | {"CHATTERBOX_CHECK": "off"}  # noise passes no check


def _command(model: str, program: str, *arguments: str) -> list[str]:
    start = {"preview": "import sys\n", "csm": SHORT}.get(model, _SHORT_TAKES)
    return [sys.executable, "-c", start + program, *arguments]


@contextlib.contextmanager
def _worker(folder: Path, model: str, voices: Voices) -> Iterator[tuple[Callable[[int], int], Callable[[], int]]]:
    with LocalQueue(command=_command(model, _WORKER), cwd=_ROOT, env=_settings(folder, model)) as queue:
        yield lambda number: queue_round(queue, number, voices), lambda: next(iter(queue.pids.values()))


def _server(folder: Path, model: str, run_round: Callable[[str, int], int], **settings: str) -> _Opened:
    port = _free_port()
    command = _command(model, _SERVER, "--host", "127.0.0.1", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    return _process(
        command,
        _settings(folder, model) | settings,
        folder / "log",
        port,
        lambda number: run_round(url, number),
    )


def _mixed(folder: Path, model: str, voices: Voices, **settings: str) -> _Opened:
    is_gateway = "CHATTERBOX_BACKEND" in settings
    return _server(
        folder, model, lambda url, number: http_round(url, number, voices, is_gateway=is_gateway), **settings
    )


def _idle(folder: Path, model: str, voices: Voices) -> _Opened:
    return _mixed(folder, model, voices, CHATTERBOX_IDLE_UNLOAD_S="1")


def _csm(folder: Path, _: str, __: Voices) -> _Opened:
    voices = CsmVoices(folder / "weights")
    return _server(folder, "csm", lambda url, number: csm_round(url, number, voices))


def _streams(folder: Path, model: str, _: Voices) -> _Opened:
    return _server(folder, model, streams_round)


@contextlib.contextmanager
def _gateway(folder: Path, model: str, voices: Voices) -> Iterator[tuple[Callable[[int], int], Callable[[], int]]]:
    settings = _settings(folder, model) | {"CHATTERBOX_STREAM": "1"}
    with LocalQueue(command=_command(model, _WORKER), cwd=_ROOT, env=settings) as queue:
        endpoint = {"CHATTERBOX_BACKEND": "runpod:local", "RUNPOD_API_KEY": queue.api_key}
        endpoint["RUNPOD_ENDPOINT_BASE_URL"] = queue.url
        with _mixed(folder, model, voices, **endpoint) as (run_round, pid):
            yield lambda number: _check_jobs(queue, run_round(number)), pid


def _check_jobs(queue: LocalQueue, count: int) -> int:
    """Returns the count. Raises RuntimeError: jobs of clients that have gone still wait or run."""
    ends_s = time.monotonic() + _EMPTY_S
    while any((jobs := queue.health()["jobs"])[state] for state in ("inQueue", "inProgress")):
        if time.monotonic() > ends_s:
            raise RuntimeError(f"{jobs} {_EMPTY_S:g} s after the clients have gone")
        time.sleep(0.1)
    return count


def _queue(folder: Path, model: str, _: Voices) -> _Opened:
    port = _free_port()
    command = _command(model, _QUEUE, "--port", str(port))
    url = f"http://127.0.0.1:{port}/v2/local"
    return _process(command, _settings(folder, model), folder / "log", port, lambda number: jobs_round(url, number))


def _wyoming(folder: Path, model: str, _: Voices) -> _Opened:
    port = _free_port()
    command = _command(model, _WYOMING, "--uri", f"tcp://127.0.0.1:{port}")
    return _process(command, _settings(folder, model), folder / "log", port, lambda number: wyoming_round(port, number))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def _process(
    command: list[str], env: dict[str, str], log_file: Path, port: int, run_round: Callable[[int], int]
) -> Iterator[tuple[Callable[[int], int], Callable[[], int]]]:
    """A process that listens on a port, until the end. Raises RuntimeError: there are errors in its log."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=_ROOT, env=environment() | env, stdout=log, stderr=log)
        try:
            while not _answers(port):
                if process.poll() is not None:
                    raise RuntimeError(log_file.read_text())
                time.sleep(0.1)
            yield run_round, lambda: process.pid
        finally:
            process.terminate()
            process.wait(30)
    errors = [line for line in log_file.read_text().splitlines() if line.startswith(("ERROR", "Traceback"))]
    if errors:
        raise RuntimeError(f"its log has {len(errors)} errors, the first: {errors[0]}")


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


_SIDES: dict[str, Callable[[Path, str, Voices], _Opened]] = {
    "worker": _worker,
    "server": _mixed,
    "wyoming": _wyoming,
    "idle": _idle,
    "gateway": _gateway,
    "csm": _csm,
    "streams": _streams,
    "queue": _queue,
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("side", choices=tuple(_SIDES))
    parser.add_argument("--model", default="preview", choices=("preview", "nano", "turbo", "multilingual"))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=8.0)
    options = parser.parse_args(arguments)
    ends_s = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        voices = Voices(options.model, folder / "weights")
        with _SIDES[options.side](folder, options.model, voices) as (run_round, pid):
            found = soak(run_round, pid, folder, rounds=options.rounds, ends_s=ends_s)
    warm, last = found[len(found) // 4], found[-1]
    result: dict[str, Any] = {
        "bench": "soak", "side": options.side, "model": options.model, "rounds": len(found),
        "after_a_quarter": warm, "at_the_end": last, "load": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
