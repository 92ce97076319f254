"""`python -m chatterbox_worker.localqueue`: the worker behind a local RunPod queue.

By default it serves until Ctrl-C; with --say or --input it sends one job, saves the audio and ends.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatterbox_worker import command, command_text, config
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.client import ClientError, RunPodServerlessClient
from chatterbox_worker.client.sound import has_audio
from chatterbox_worker.command_text import whole
from chatterbox_worker.errors import WorkerError
from chatterbox_worker.files import check_writable
from chatterbox_worker.local import local_environment
from chatterbox_worker.localqueue.app import ENDPOINT_ID
from chatterbox_worker.localqueue.local_queue import LocalQueue, WorkerStartError

_PREVIEW = "preview"
_OUT = Path("out")
_QUIET = ("INFO", "DEBUG", "--- Starting Serverless Worker")  # the SDK prints the last at any level
_HOW_TO_CALL = """\
The queue is up: {url}

  curl -s {url}/local/runsync -H {authorization} -H 'Content-Type: application/json' \\
       -d '{{"input": {{"text": "Hello there."}}}}'

  export RUNPOD_ENDPOINT_ID=local RUNPOD_API_KEY={key} RUNPOD_ENDPOINT_BASE_URL={url}
  {python} -m chatterbox_worker.client "Hello there." -o hello.mp3

Press Ctrl-C to end it."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.localqueue", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=whole(0, 65_535), help="port to listen on (8000; any free one with --say or --input)"
    )
    parser.add_argument("--workers", type=int, default=1, help="worker processes on the queue (%(default)s)")
    parser.add_argument("--key", default="local", help="API key that callers must send (%(default)s)")
    parser.add_argument("--handler", type=Path, default=Path("handler.py"), help="the worker to run (%(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the worker's whole log")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--say", type=command_text.argument, metavar="TEXT", help="speak this once, save it and end")
    what.add_argument("--input", type=Path, metavar="FILE", help="send this JSON job once, save its audio and end")
    speech = parser.add_argument_group("with --say")
    speech.add_argument("--model", metavar="NAME", help="the worker loads only this model, unless configured")
    speech.add_argument("--voice", help="an id of the voice library")
    speech.add_argument("--format", choices=list(FORMATS), help="of the audio (wav)")
    speech.add_argument("--language", help="such as en, de or pt-BR")
    parser.add_argument("--out", type=Path, help="file to write the audio to (out/speech.<format>)")
    options = parser.parse_args(arguments)
    if options.say is None and any((options.model, options.voice, options.format, options.language)):
        parser.error("--model, --voice, --format and --language go with --say")
    if options.out is not None and options.say is None and options.input is None:
        parser.error("--out goes with --say or --input")
    if options.workers < 1:
        parser.error("--workers must be 1 or more")
    if not options.handler.is_file():
        parser.error(f"{options.handler} is no file; set the worker's with --handler")
    return options


def job_body(options: argparse.Namespace) -> dict[str, Any]:
    """The job's JSON. Raises ValueError, OSError for a bad --input file."""
    if options.input is not None:
        try:
            body = json.loads(options.input.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{options.input} is not JSON: {error}") from None
        job_input = body.get("input", body) if isinstance(body, dict) else None
        if not isinstance(job_input, dict):
            raise ValueError(f'{options.input} must hold a JSON object, or one under "input"')
        return body if "input" in body else {"input": body}
    fields = {"text": options.say} | {name: getattr(options, name) for name in ("model", "voice", "format", "language")}
    return {"input": {name: value for name, value in fields.items() if value is not None}}


def worker_variables(options: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    """What this command adds to the worker's environment: a quiet log, and a local worker's models and folders."""
    models = config.variable("models")
    model = {models: options.model} if options.model is not None and not environment.get(models) else {}
    local = local_environment({**environment, **model}, options.handler.resolve().parent)
    ours = {name: value for name, value in local.items() if name.startswith(config.PREFIX)}
    return ours | {"RUNPOD_LOG_LEVEL": "INFO" if options.verbose else "WARN"}


def send(queue: LocalQueue, options: argparse.Namespace, body: Mapping[str, Any]) -> int:
    """Send the one job and save its audio; returns the exit code. Raises ClientError."""
    job_keys = {name: value for name, value in body.items() if name != "input"}
    with RunPodServerlessClient(ENDPOINT_ID, queue.api_key, base_url=queue.url, timeout_s=math.inf) as client:
        job = client.call(job_keys | body["input"])
        if not has_audio(job.output):
            command.print_line(command_text.to_json(job.output))
            return 0
        path = options.out or _OUT / f"speech.{job.speech.format}"
        client.save_audio(job, path)
    about = job.speech.found.about
    command.print_line(_summary(about, path))
    if about.get("model") == _PREVIEW:
        sys.stderr.write(
            "THIS IS NOT CHATTERBOX: the preview model is espeak-ng, a robot voice for trying things out.\n"
        )
    return 0


def _summary(about: Mapping[str, Any], path: Path) -> str:
    """One line: length, speed, cache, model, device and file."""
    factor = about.get("timings", {}).get("real_time_factor")
    speed = "" if factor is None else f"real-time factor {factor:.3f}, "
    cache = "hit" if about.get("cache_hit") else "miss"
    made = f"{about.get('model')} on {about.get('device')}"
    return f"{about.get('duration_s', 0.0):.2f} s of audio, {speed}cache {cache}, {made}, {path}"


def serve(queue: LocalQueue) -> int:
    key = queue.api_key
    words = {"key": key, "authorization": f"Authorization: Bearer {key}", "python": sys.executable}
    command.print_line(_HOW_TO_CALL.format(url=queue.url, **{name: shlex.quote(word) for name, word in words.items()}))
    threading.Event().wait()
    return 0


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    is_one_job = options.say is not None or options.input is not None
    port = options.port if options.port is not None else (0 if is_one_job else 8000)
    try:
        body = job_body(options) if is_one_job else {}
        if options.say is not None or options.out is not None:
            check_writable(options.out or _OUT / "speech")
        with LocalQueue(
            command=[sys.executable, options.handler.name],
            cwd=options.handler.resolve().parent,
            env=worker_variables(options, config.environment()),
            workers=options.workers,
            host=options.host,
            port=port,
            api_key=options.key,
            log_line=_LogFilter(show_all=options.verbose),
        ) as queue:
            return send(queue, options, body) if is_one_job else serve(queue)
    except KeyboardInterrupt:
        if is_one_job:
            raise
        return 0
    except WorkerStartError:
        return command_text.fail("the worker did not start; its log above has the reason")
    except (WorkerError, ClientError, OSError, ValueError) as error:
        return command_text.fail(error)


class _LogFilter:
    """Writes the worker's lines to stderr; without `show_all` those of level INFO and DEBUG are left out."""

    def __init__(self, *, show_all: bool) -> None:
        self._show_all = show_all

    def __call__(self, line: str) -> None:
        if self._show_all or not line.startswith(_QUIET):
            sys.stderr.write(line + "\n")


if __name__ == "__main__":
    command.run(main)
