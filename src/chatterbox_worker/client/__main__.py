"""`python -m chatterbox_worker.client "text" -o out.mp3`: generate speech on an endpoint and save the audio.

The endpoint and the key come from RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY; a key on the command line can be read by
every user of the machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatterbox_worker import command, command_text
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.client.endpoint import FLAGS, Endpoint
from chatterbox_worker.client.errors import ClientError
from chatterbox_worker.client.job_errors import StillRunning
from chatterbox_worker.client.sync import DEFAULT_TIMEOUT_S, RunPodServerlessClient
from chatterbox_worker.client.types import Job
from chatterbox_worker.command_text import number
from chatterbox_worker.files import check_writable


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.client", description=__doc__)
    parser.add_argument("text", type=command_text.argument, help="the text to speak; - reads it from standard input")
    parser.add_argument("-o", "--out", type=Path, required=True, help="file to write the audio to")
    parser.add_argument("--format", choices=list(FORMATS), help="of the audio (default: the ending of --out)")
    parser.add_argument("--model", metavar="NAME", help="default: the endpoint's own")
    parser.add_argument("--voice", help="an id of the endpoint's voice library")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="a recording of the voice to use")
    parser.add_argument("--language", help="such as en, de or pt-BR")
    parser.add_argument("--seed", type=int, help="the same seed gives the same speech")
    parser.add_argument("--endpoint", help="endpoint id (RUNPOD_ENDPOINT_ID)")
    parser.add_argument("--key", help="API key (RUNPOD_API_KEY)")
    parser.add_argument("--url", help="base URL of the endpoint (RUNPOD_ENDPOINT_BASE_URL, then RunPod's cloud)")
    parser.add_argument(
        "--timeout", type=number(0, inf), default=DEFAULT_TIMEOUT_S, help="seconds to wait (%(default)g)"
    )
    options = parser.parse_args(arguments)
    ending = options.out.suffix.lower().lstrip(".")
    if options.format is None and ending not in FORMATS:
        parser.error(f"{options.out} does not end in a format ({', '.join(FORMATS)}); add --format")
    options.format = options.format or ending
    return options


def job_input(options: argparse.Namespace) -> dict[str, Any]:
    text = command_text.or_stdin(options.text)
    fields = ("format", "model", "voice", "language", "seed")
    return {"text": text, "reference_audio": options.reference} | {name: getattr(options, name) for name in fields}


def show(bar: tqdm[Any], job: Job) -> None:
    """Move the bar to the job's progress: chunks done of all chunks, if the worker reports them."""
    progress = job.output if isinstance(job.output, Mapping) and not job.is_final else {}
    done, total = progress.get("chunks_done"), progress.get("chunks")
    if isinstance(done, int) and isinstance(total, int):
        bar.total, bar.n = total, done
    elif job.is_final:
        bar.total = bar.total or 1
        bar.n = bar.total
    bar.set_description_str(job.status.lower().replace("_", " "), refresh=False)
    bar.refresh()


def speak(client: RunPodServerlessClient, options: argparse.Namespace) -> str:
    """Speak and save; returns one line about the file. If the wait ends early, the job is cancelled."""
    job = client.submit(job_input(options))
    try:
        with tqdm(unit="chunk", leave=False, file=sys.stderr) as bar:
            done = client.poll_until_complete(
                job.id, timeout_s=options.timeout, on_update=lambda update: show(bar, update)
            )
    except (KeyboardInterrupt, StillRunning):
        _cancel(client, job)
        raise
    path = client.save_audio(done, options.out)
    speech = done.speech
    hit = ", from the cache" if speech.cache_hit else ""
    return f"{speech.duration_s:.2f} s of audio, {speech.model}, seed {speech.seed}{hit}: {path}"


def _cancel(client: RunPodServerlessClient, job: Job) -> None:
    try:
        client.cancel(job.id)
    except ClientError as error:
        sys.stderr.write(f"job {job.id} may still be running; it could not be cancelled: {error}\n")


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    try:
        check_writable(options.out)
        Endpoint.choose(options.endpoint, options.key, options.url, names=FLAGS)
        with RunPodServerlessClient(options.endpoint, options.key, base_url=options.url) as client:
            command.print_line(speak(client, options))
    except (ClientError, ValueError, OSError) as error:
        return command_text.fail(error)
    return 0


if __name__ == "__main__":
    command.run(main)
