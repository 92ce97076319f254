"""Start both built images and generate speech: `python -m tools.image.prove --worker IMAGE --server IMAGE`.

The worker is started with its own command and the local queue, first as RunPod and then as the Hub's test harness start
it, and answers `/runsync`. It must not write to its weights; with full-size ones (`--full`) it must be ready within
`_READY_RATIO` times the seconds of `import torch` and of reading its weights; on a CPU its models must, because there
the check that they speak takes seconds of arithmetic. The server is started with its own
command and user until its own health check passes, and answers the OpenAI route. Prints a table, then one line of JSON.
It does not judge how good the speech is. An image for CUDA must have all kernels compiled.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import io
import json
import logging
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chatterbox_worker.config import environment
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.localqueue import LocalQueue
from tools.image.container import config_of, container_of, image_bytes, returns_zero, run_in

log = logging.getLogger("prove")

TEXT = "Good morning."
_START_S = 420.0  # RunPod's own limit
_ANSWER_S = 300.0  # without a GPU and with synthetic weights, whose speech never ends by itself
_READY_RATIO = 2.5
_STARTS = 3
_LARGEST_IMAGE = 10e9  # bytes, with multilingual and turbo
_LARGEST_WITHOUT_WEIGHTS = 6.5e9
_FLOOR = """
import time
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import needed
settings = Settings.from_env(environment())
names = (*settings.models, *settings.packs)
paths = [each for name in names for each in needed(find(LAYOUTS[name], weights_dir=settings.weights_dir), settings)]
started_s = time.perf_counter()
import torch
buffer = bytearray(8 * 2**20)
for path in paths:
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
print(time.perf_counter() - started_s)
"""
_KERNELS = """
import torch
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of
from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED, shared_folder
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.pack import load_modules, pack_of
def refuse(kernel, types, aligned, constants, capability):
    raise SystemExit(f"{kernel.function().__name__} is not compiled for {capability}")
Kernel._compile = refuse
settings, device = Settings.from_env(environment()), torch.device("meta")
COMPILED.read_from(shared_folder(settings.weights_dir))
for name in settings.models:
    checkpoint = checkpoint_of(name, settings)
    t3, s3gen = load_modules(checkpoint, "fast", device, pack_of(checkpoint, "fast", device, prepared="off"))
    t3.kernels = chosen = frozenset(Family)
    t3.compile_kernels()
    s3gen.compile_kernels(chosen)
"""
_LOADED = re.compile(r"wiring: .+ is ready on (?P<device>\w+)")
_STOP_S = 20.0  # within which a worker must end


class ProofFailedError(Exception):
    """The image does not work as it should."""


def prove_contents(image: str, *, originals: bool) -> dict[str, float]:
    """Bytes of the image and of the weights in it, which have their `originals` or not.

    Raises:
        ProofFailedError: it is too large, or has not the weights files that it should have.
    """
    env = dict(pair.partition("=")[::2] for pair in config_of(image)["Env"])
    models = f"{env['CHATTERBOX_MODELS']} {env['CHATTERBOX_PACKS']}".replace(",", " ").split()
    with container_of(image) as container:
        files = set(run_in(container, "find", "/weights", "-type", "f", "-o", "-type", "l").split())
        weights_bytes = int(run_in(container, "du", "-sb", "/weights").split()[0])
    packs = {path for path in files if Path(path).name.startswith("chatterbox-worker-")}
    replaced = {f"/weights/{name}/{file}" for name in models for file in LAYOUTS[name].replaced}
    for name in models:
        if not any(path.startswith(f"/weights/{name}/") for path in packs):
            raise ProofFailedError(f"{image} has no prepared weights of {name}")
    if originals != (replaced <= files) or (not originals and replaced & files):
        raise ProofFailedError(f"{image} has {sorted(replaced & files)} of the original files {sorted(replaced)}")
    figures: dict[str, float] = {"image_bytes": image_bytes(image), "weights_bytes": weights_bytes}
    without = figures["image_bytes"] - weights_bytes
    if without > _LARGEST_WITHOUT_WEIGHTS or (not originals and figures["image_bytes"] > _LARGEST_IMAGE):
        raise ProofFailedError(f"{image} has {without / 1e9:.2f} GB and {weights_bytes / 1e9:.2f} GB of weights")
    return figures


def prove_kernels(image: str) -> None:
    """Ask an image for CUDA for the kernels of its models, as its worker does on each kind of GPU.

    Raises:
        ProofFailedError: one of them would be compiled at the start.
    """
    if {"CHATTERBOX_DEVICE=cpu", "PREPARED_PROFILES=fast"} & set(config_of(image)["Env"]) != {"PREPARED_PROFILES=fast"}:
        return
    with container_of(image) as container:
        enter = [sys.executable, "-m", "tools.image.enter", container, "python3", "-c", _KERNELS]
        done = subprocess.run(enter, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise ProofFailedError(f"{image}: {done.stderr.strip()[-2000:]}")


def prove_start(image: str) -> dict[str, float]:
    """Seconds of importing torch and reading the weights that the worker loads, until they are loaded, and until it
    asks for jobs: medians.

    Raises:
        ProofFailedError: it takes too long.
    """
    floors: list[float] = []
    starts: list[_Start] = []
    with container_of(image) as container:
        for _ in range(_STARTS):
            floors.append(float(run_in(container, "python3", "-c", _FLOOR)))
            with _worker(image, container, hub=False) as (_, start):
                starts.append(start)
    floor_s = statistics.median(floors)
    loaded_s = statistics.median(start.loaded_s for start in starts)
    ready_s = statistics.median(start.ready_s for start in starts)
    what, judged_s = ("ready", ready_s) if starts[0].device != "cpu" else ("loaded", loaded_s)
    if judged_s > _READY_RATIO * floor_s:
        raise ProofFailedError(f"{what} after {judged_s:.1f} s, {judged_s / floor_s:.1f} times {floor_s:.1f} s")
    return {"floor_s": floor_s, "loaded_s": loaded_s, "ready_s": ready_s}


def prove_worker(image: str, *, hub: bool) -> dict[str, float]:
    """Seconds until the worker asked for jobs, from then until its first answer, and for its second answer."""
    with container_of(image) as container, _worker(image, container, hub=hub) as (queue, start):
        # Random weights speak to their limit, which a check would have spoken again
        job = {"text": TEXT, "seed": 1, "format": "wav", "check": "off"}
        started_s = time.monotonic()
        first = _runsync(queue, job)
        first_s = time.monotonic() - started_s
        second = _runsync(queue, {**job, "cache": False})
        second_s = time.monotonic() - started_s - first_s
        if first["audio_base64"] != second["audio_base64"]:
            raise ProofFailedError("the same seed gave different audio")
        log.info("%s", json.dumps(_runsync(queue, {"action": "info"})))
        audio_s = _seconds(base64.b64decode(first["audio_base64"]))
        return {"ready_s": start.ready_s, "first_answer_s": first_s, "next_answer_s": second_s, "audio_s": audio_s}


@dataclasses.dataclass
class _Start:
    """Seconds from a worker's start until its last model was loaded, and until it asked for jobs."""

    device: str = ""
    loaded_s: float = 0.0
    ready_s: float = 0.0


@contextlib.contextmanager
def _worker(image: str, container: str, *, hub: bool) -> Iterator[tuple[LocalQueue, _Start]]:
    """The running worker's queue, and its start.

    Raises:
        ProofFailedError: it wrote to its weights, or its log has no line of a loaded model.
    """
    # Neither inodes nor blocks, which a file system may change by itself
    listing = ("find", "/weights", "-printf", r"%p %s %m %T@\n")
    weights, started_s = set(run_in(container, *listing).splitlines()), time.monotonic()
    start = _Start()

    def log_line(line: str) -> None:
        log.info("%s", line)
        if loaded := _LOADED.search(line):
            start.device, start.loaded_s = loaded["device"], time.monotonic() - started_s

    with LocalQueue(
        command=(sys.executable, "-m", "tools.image.enter", container, *config_of(image)["Cmd"]), hub=hub,
        start_timeout_s=_START_S, log_line=log_line,
    ) as queue:  # fmt: skip
        start.ready_s = time.monotonic() - started_s
        if not start.device:
            raise ProofFailedError("the worker's log has no line of a loaded model")
        yield queue, start
    if written := weights.symmetric_difference(run_in(container, *listing).splitlines()):
        raise ProofFailedError(f"the worker wrote to its weights: {sorted(written)}")


def prove_server(image: str) -> dict[str, float]:
    """Seconds until the health check passed and until the first audio."""
    config = config_of(image)
    with container_of(image) as container, _free_port() as port:
        if run_in(container, "id", "-u").strip() == "0":
            raise ProofFailedError("the server's user is root")
        if returns_zero(container, "touch", "/app/handler.py"):
            raise ProofFailedError("the server's user can change the code")
        if not returns_zero(container, "sh", "-c", "cat $(find /weights -type f) > /dev/null"):
            raise ProofFailedError("the server's user cannot read the weights")
        env = {**environment(), "PORT": str(port)}
        started_s = time.monotonic()
        enter = [sys.executable, "-m", "tools.image.enter", container]
        with _running([*enter, *config["Cmd"]], env) as process:
            check = [*enter, *config["Healthcheck"]["Test"][1:]]  # after "CMD"
            while subprocess.run(check, env=env, check=False, capture_output=True).returncode:  # noqa: S603
                if process.poll() is not None or time.monotonic() - started_s > _START_S:
                    raise ProofFailedError("the server never passed its health check")
                time.sleep(0.2)
            healthy_s = time.monotonic() - started_s
            url = f"http://127.0.0.1:{port}"
            while _status(f"{url}/ping") != 200:  # 204: the models are still loading
                if process.poll() is not None or time.monotonic() - started_s > _START_S:
                    raise ProofFailedError("the server was never ready")
                time.sleep(0.2)
            ready_s = time.monotonic() - started_s
            models = dict(pair.partition("=")[::2] for pair in config["Env"])["CHATTERBOX_MODELS"]
            body = {
                "model": models.split()[0],
                "voice": "default",
                "input": TEXT,
                "response_format": "wav",
                "check": "off",
            }
            audio = _post(f"{url}/v1/audio/speech", body, {})
            return {
                "healthy_s": healthy_s,
                "ready_s": ready_s,
                "first_answer_s": time.monotonic() - started_s,
                "audio_s": _seconds(audio),
            }


def _runsync(queue: LocalQueue, job_input: Mapping[str, object]) -> dict[str, Any]:
    """The output of a job sent over the wire."""
    body = _post(
        f"{queue.endpoint_url}/runsync?wait=300000", {"input": job_input}, {"Authorization": f"Bearer {queue.api_key}"}
    )
    answer = json.loads(body)
    if answer.get("status") != "COMPLETED":
        raise ProofFailedError(f"the job did not complete: {body[:2000].decode(errors='replace')}")
    output: dict[str, Any] = answer["output"]
    return output


def _post(url: str, body: object, headers: Mapping[str, str]) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - our own http URL
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        with error:
            raise ProofFailedError(f"{url}: {error.code} {error.read()[:2000]!r}") from error


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http URL
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _seconds(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as sound:
        seconds: float = sound.getnframes() / sound.getframerate()
        if seconds < 0.1 or not any(sound.readframes(sound.getnframes())):
            raise ProofFailedError(f"{seconds:.2f} s of audio, and no speech in it")
        return seconds


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    yield port


@contextlib.contextmanager
def _running(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process group; it gets SIGTERM at the end, and SIGKILL if it does not stop."""
    process = subprocess.Popen(command, env=dict(env), start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main(arguments: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="python -m tools.image.prove", description=__doc__)
    parser.add_argument("--worker", metavar="IMAGE")
    parser.add_argument("--server", metavar="IMAGE")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the line of JSON to FILE")
    parser.add_argument("--originals", action="store_true", help="the images were built with ORIGINALS=1")
    parser.add_argument("--contents", action="store_true", help="start nothing: check what the images contain")
    parser.add_argument("--full", action="store_true", help="the weights are full-size: judge the start")
    chosen = parser.parse_args(arguments)
    figures: dict[str, dict[str, float]] = {}
    if chosen.worker:
        figures["worker"] = prove_contents(chosen.worker, originals=chosen.originals)
    if chosen.server:
        figures["server"] = prove_contents(chosen.server, originals=chosen.originals)
    for image in filter(None, (chosen.worker, chosen.server)):
        prove_kernels(image)
    if chosen.full and not chosen.contents:
        figures["worker"] |= prove_start(chosen.worker)
    elif not chosen.contents:
        if chosen.worker:
            figures["worker"] |= prove_worker(chosen.worker, hub=False)
            figures["worker, Hub's harness"] = prove_worker(chosen.worker, hub=True)
        if chosen.server:
            figures["server"] |= prove_server(chosen.server)
    for name, values in figures.items():
        shown = ", ".join(
            f"{what.removesuffix('_s')} {value:.1f} s"
            if what.endswith("_s")
            else f"{what.removesuffix('_bytes')} {value / 1e9:.2f} GB"
            for what, value in values.items()
        )
        print(f"{name}: {shown}")
    line = json.dumps(figures)
    if chosen.report:
        chosen.report.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
