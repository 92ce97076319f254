"""`python -m chatterbox_worker.batch rows.jsonl -o out/`: many texts, or a book, into audio files.

The rows are a JSON-lines or CSV file, or a folder of .txt files; of an EPUB, a markdown or a text file each chapter is
a row. They are synthesized on this machine (--local), by an HTTP server (--server) or by an endpoint
(RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY, or --endpoint and --key). The same command continues a run that was ended.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from chatterbox_worker import command, command_text
from chatterbox_worker import request as requests
from chatterbox_worker.batch import backends, books, http_server
from chatterbox_worker.batch import rows as sources
from chatterbox_worker.batch.audiobook import AudiobookPlan, plan_audiobook, write_audiobook
from chatterbox_worker.batch.backends import RowFailed, RowSynthesizer, Stopped
from chatterbox_worker.batch.book import Book, numbers_of
from chatterbox_worker.batch.manifest import NAME, Manifest
from chatterbox_worker.batch.options import parse_arguments
from chatterbox_worker.batch.rows import BadRow, BatchRow
from chatterbox_worker.batch.run import RunTotals, run
from chatterbox_worker.batch.spending import busy_s
from chatterbox_worker.client import AsyncRunPodServerlessClient
from chatterbox_worker.client.endpoint import FLAGS, Endpoint
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.local import local_environment


@dataclass(frozen=True, slots=True)
class _Plan:
    rows: list[BatchRow]
    refused: list[BadRow]
    backend: AbstractAsyncContextManager[RowSynthesizer]
    audiobook: AudiobookPlan | None


def _plan(options: argparse.Namespace) -> _Plan:
    """Raises InvalidRequest, OSError, ValueError: the run cannot start."""
    book = _read_book(options)
    if options.local:
        settings = Settings.from_env(local_environment(environment()))
        backend = backends.local(settings, options.in_flight)
        longest = min(options.part_chars, settings.max_text_chars)
        found = _read_rows(options, book, longest, lambda fields: requests.parse_speech(fields, settings))
    elif options.server:
        backend = http_server.server(
            options.server, options.key, options.timeout, with_chunks=options.captions is not None
        )
        found = _read_rows(options, book, options.part_chars, requests.fields_of)
    else:
        Endpoint.choose(options.endpoint, options.key, options.url, names=("--local, --server, --endpoint", *FLAGS[1:]))
        client = AsyncRunPodServerlessClient(
            options.endpoint, options.key, base_url=options.url, timeout_s=options.timeout
        )
        backend = backends.endpoint(client)
        found = _read_rows(options, book, options.part_chars, requests.fields_of)
    rows = [row for row in found if isinstance(row, BatchRow)]
    audiobook = None
    if options.m4b:
        audiobook = plan_audiobook(
            rows, book, options.input, title=options.title, author=options.author, cover=options.cover
        )
    return _Plan(rows, [row for row in found if isinstance(row, BadRow)], backend, audiobook)


def _read_book(options: argparse.Namespace) -> Book | None:
    is_book = options.input.suffix.lower() in books.SUFFIXES and not options.input.is_dir()
    if not is_book and options.skip:
        raise InvalidRequest("--skip takes the number of a chapter: the input must be a book", field="skip")
    return books.read_book(options.input) if is_book else None


def _read_rows(
    options: argparse.Namespace, book: Book | None, longest: int, check: sources.Check
) -> list[BatchRow | BadRow]:
    if book is None:
        return sources.read(options.input, options.defaults, check)
    skipped = numbers_of(options.skip, len(book.chapters))
    defaults = options.defaults | books.defaults_of(book, options.defaults)
    rows = sources.check_rows(
        books.rows_of_book(book, options.input, longest, skipped), options.input.parent, defaults, check
    )
    if not rows:
        raise InvalidRequest(f"{options.input}: every chapter is skipped", field="skip")
    return rows


def _list(options: argparse.Namespace) -> int:
    """Shows the rows without synthesizing any."""
    book = _read_book(options)
    found = _read_rows(options, book, options.part_chars, requests.fields_of)
    for row in found:
        line = str(row) if isinstance(row, BadRow) else f"{row.characters:>9}  {row.id}"
        command.print_line(line)
    for page in () if book is None else book.skipped:
        command.print_line(f"not read: {page.name}, {page.reason}")
    characters = sum(row.characters for row in found if isinstance(row, BatchRow))
    command.print_line(f"{len(found)} texts, {characters} characters")
    return 1 if any(isinstance(row, BadRow) for row in found) else 0


async def _run(plan: _Plan, manifest: Manifest, options: argparse.Namespace) -> RunTotals:
    todo = [row for row in plan.rows if not manifest.is_complete(row.key)]
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
    if options.list:
        return _list(options)
    plan = _plan(options)
    for bad in plan.refused:
        sys.stderr.write(f"{bad}\n")
    with Manifest(options.out, options.captions) as manifest:
        before = sum(manifest.is_complete(row.key) for row in plan.rows)
        started_s = time.monotonic()
        audiobook = ""
        keys = [row.key for row in plan.rows]
        try:
            totals = asyncio.run(_run(plan, manifest, options))
            if plan.audiobook is not None:
                audiobook = _bind(plan, plan.audiobook, manifest, keys)
        finally:
            manifest.compact(keys, (_refused_line(bad) for bad in plan.refused))
    parts = [f"{totals.spoken} spoken, {totals.audio_s:.1f} s of audio"]
    parts += [f"{before} already done"] if before else []
    parts += [f"{totals.failed} failed"] if totals.failed else []
    parts += [f"{len(plan.refused)} refused"] if plan.refused else []
    command.print_line(f"{len(plan.rows) + len(plan.refused)} texts: {'; '.join(parts)}: {options.out / NAME}")
    if totals.spoken or totals.failed:
        command.print_line(_describe_spending(totals, time.monotonic() - started_s, options.price_per_second))
    if audiobook:
        command.print_line(audiobook)
    return 1 if totals.failed or plan.refused else 0


def _bind(plan: _Plan, audiobook: AudiobookPlan, manifest: Manifest, keys: list[str]) -> str:
    """Writes the audiobook if every row has its file; returns what to say about it. Its key is added to the rows'."""
    if plan.refused or not all(map(manifest.has, keys)):
        return "no audiobook: it is written when every text has its file"
    count = len(audiobook.chapters(manifest))
    with tqdm(total=count, unit="chapter", file=sys.stderr, dynamic_ncols=True, leave=False, delay=0.5) as bar:
        entry = write_audiobook(audiobook, manifest, bar.update)
    keys.append(entry.key)
    cover = "with a cover" if audiobook.tags.cover is not None else "without a cover"
    return f"{manifest.folder / audiobook.name}: {count} chapters, {entry.duration_s:.1f} s, {cover}"


def _describe_spending(totals: RunTotals, elapsed_s: float, price_per_second: float | None) -> str:
    parts = [f"{totals.characters} characters in {elapsed_s:.1f} s"]
    if totals.work:
        worker_s = busy_s(totals.work)
        parts.append(f"{worker_s:.1f} s of workers' time")
        if price_per_second is not None:
            parts.append(
                f"at {price_per_second:g} a second {worker_s * price_per_second:.4f}, without start and idle time"
            )
    return "; ".join(parts)


def _refused_line(bad: BadRow) -> dict[str, Any]:
    error = {"code": InvalidRequest.code, "message": bad.message, "field": bad.field}
    return {"state": "refused", "where": bad.where, "id": bad.id, "error": error}


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments, __doc__)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return _process(options)
    except (WorkerError, Stopped, OSError, ValueError) as error:
        return command_text.fail(error)


if __name__ == "__main__":
    command.run(main, "stopped; run the same command again to continue")
