"""`python -m chatterbox_worker.batch rows.jsonl -o out/`: many texts into audio files.

The rows are a JSON-lines or CSV file, or a folder of .txt files. They are synthesized on this machine (--local) or by
an endpoint (RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY, or --endpoint and --key). The same command continues a run that was
ended.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatterbox_worker import request as requests
from chatterbox_worker.batch import backends
from chatterbox_worker.batch import rows as sources
from chatterbox_worker.batch.backends import RowFailed, RowSynthesizer, Stopped
from chatterbox_worker.batch.fields import parse_value, refuse_unknown
from chatterbox_worker.batch.manifest import NAME, Manifest
from chatterbox_worker.batch.rows import BadRow, BatchRow
from chatterbox_worker.batch.run import RunTotals, run
from chatterbox_worker.catalogue import FORMATS, MODELS
from chatterbox_worker.client import AsyncRunPodServerlessClient
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.local import local_environment

_FIELDS = ("format", "model", "voice", "reference", "language", "seed")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.batch", description=__doc__)
    parser.add_argument("input", type=Path, help="a .jsonl, .ndjson, .csv or .tsv file, or a folder of .txt files")
    parser.add_argument("-o", "--out", type=Path, required=True, help=f"folder for the audio files and {NAME}")
    backend = parser.add_argument_group("where the speech is synthesized")
    backend.add_argument("--local", action="store_true", help="this machine, with the models that it can serve")
    backend.add_argument("--endpoint", help="endpoint id (RUNPOD_ENDPOINT_ID)")
    backend.add_argument("--key", help="API key (RUNPOD_API_KEY)")
    backend.add_argument("--url", help="URL of the endpoint (RUNPOD_ENDPOINT_BASE_URL, then RunPod's cloud)")
    speech = parser.add_argument_group("defaults for rows")
    speech.add_argument("--format", choices=[*FORMATS, "auto"], help="of the audio (wav)")
    speech.add_argument("--model", choices=list(MODELS), help="default: the first one served")
    speech.add_argument("--voice", help="an id of the voice library")
    speech.add_argument("--reference", metavar="FILE", help="a recording of the voice to clone")
    speech.add_argument("--language", help="such as en, de or pt-BR")
    speech.add_argument("--seed", type=int, help="the same seed gives the same speech")
    speech.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any other field of a request"
    )
    parser.add_argument("--in-flight", type=int, default=16, metavar="N", help="rows at the same time (%(default)s)")
    parser.add_argument(
        "--attempts", type=int, default=3, metavar="N", help="per row, including the first (%(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=1800.0, metavar="S", help="seconds to wait for a job (%(default)g)"
    )
    options = parser.parse_args(arguments)
    if options.local and any((options.endpoint, options.key, options.url)):
        parser.error("--local uses this machine; --endpoint, --key and --url are for an endpoint")
    if options.in_flight < 1 or options.attempts < 1:
        parser.error("--in-flight and --attempts must be 1 or more")
    try:
        options.defaults = _defaults(options)
    except InvalidRequest as error:
        parser.error(error.message)
    return options


def _defaults(options: argparse.Namespace) -> dict[str, Any]:
    """The fields for rows that do not set them. Raises InvalidRequest."""
    defaults = {name: value for name in _FIELDS if (value := getattr(options, name)) is not None}
    for pair in options.set:
        name, is_pair, text = pair.partition("=")
        if not is_pair:
            raise InvalidRequest(f"--set takes FIELD=VALUE, not {pair!r}", field="set")
        refuse_unknown({name: text})
        if name in ("id", "text", "prompt", "turns"):
            raise InvalidRequest(f"{name} must be set in each row", field=name)
        defaults[name] = parse_value(name, text)
    requests.fields_of({name: value for name, value in defaults.items() if name != "reference"}, has_text=False)
    if "reference" in defaults and any(name in defaults for name in (*requests.VOICES, "audio_prompt")):
        raise InvalidRequest("give --reference or another voice, not both", field="reference")
    return defaults


@dataclass(frozen=True, slots=True)
class _Plan:
    rows: list[BatchRow]
    refused: list[BadRow]
    backend: AbstractAsyncContextManager[RowSynthesizer]


def _plan(options: argparse.Namespace) -> _Plan:
    """Raises InvalidRequest, OSError, ValueError: the run cannot start."""
    if options.local:
        settings = Settings.from_env(local_environment(environment(), Path.cwd()))
        backend = backends.local(settings, options.in_flight)
        found = sources.read(options.input, options.defaults, lambda fields: requests.parse(fields, settings))
    else:
        client = AsyncRunPodServerlessClient(
            options.endpoint, options.key, base_url=options.url, timeout_s=options.timeout
        )
        backend = backends.endpoint(client)
        found = sources.read(options.input, options.defaults, requests.fields_of)
    rows = [row for row in found if isinstance(row, BatchRow)]
    return _Plan(rows, [row for row in found if isinstance(row, BadRow)], backend)


async def _run(plan: _Plan, manifest: Manifest, options: argparse.Namespace) -> RunTotals:
    todo = [row for row in plan.rows if not manifest.has(row.key)]
    if not todo:
        return RunTotals()
    done = len(plan.rows) - len(todo)
    with tqdm(total=len(plan.rows), initial=done, unit="text", file=sys.stderr, dynamic_ncols=True) as bar:

        def on_row(row: BatchRow, failure: RowFailed | None) -> None:
            if failure is not None:
                bar.write(f"{row.where}: {failure.message}", file=sys.stderr)
            bar.update()

        async with plan.backend as synthesizer:
            return await run(
                todo, manifest, synthesizer, in_flight=options.in_flight, attempts=options.attempts, on_row=on_row
            )


def _process(options: argparse.Namespace) -> int:
    plan = _plan(options)
    for bad in plan.refused:
        sys.stderr.write(f"{bad}\n")
    with Manifest(options.out) as manifest:
        before = sum(manifest.has(row.key) for row in plan.rows)
        try:
            totals = asyncio.run(_run(plan, manifest, options))
        finally:
            manifest.compact((row.key for row in plan.rows), (_refused_line(bad) for bad in plan.refused))
    parts = [f"{totals.spoken} spoken, {totals.audio_s:.1f} s of audio"]
    parts += [f"{before} already done"] if before else []
    parts += [f"{totals.failed} failed"] if totals.failed else []
    parts += [f"{len(plan.refused)} refused"] if plan.refused else []
    sys.stdout.write(f"{len(plan.rows) + len(plan.refused)} texts: {'; '.join(parts)}: {options.out / NAME}\n")
    return 1 if totals.failed or plan.refused else 0


def _refused_line(bad: BadRow) -> dict[str, Any]:
    error = {"code": InvalidRequest.code, "message": bad.message, "field": bad.field}
    return {"state": "refused", "where": bad.where, "id": bad.id, "error": error}


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return _process(options)
    except WorkerError as error:
        return _fail(error.message)
    except (Stopped, OSError, ValueError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("stopped; run the same command again to continue", 130)


def _fail(message: str, code: int = 1) -> int:
    sys.stderr.write(message + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
