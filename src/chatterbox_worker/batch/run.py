"""The loop: a limited number of rows in flight; each is synthesized, stored and recorded, with retries."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chatterbox_worker.answer import SpokenWord
from chatterbox_worker.batch.backends import RowFailed, RowSynthesizer, SynthesizedRow
from chatterbox_worker.batch.manifest import Manifest, ManifestEntry
from chatterbox_worker.batch.rows import BatchRow
from chatterbox_worker.batch.spending import WorkerTime
from chatterbox_worker.text import captions

_BACKOFF_S = 1.0  # longest pause after the first failure; it doubles with each
_BACKOFF_MOST_S = 30.0


@dataclass(slots=True)
class RunTotals:
    spoken: int = 0
    failed: int = 0
    audio_s: float = 0.0
    """Duration of the audio from this run."""
    characters: int = 0
    """Of the texts that were spoken."""
    work: list[WorkerTime] = field(default_factory=list)
    """Of every job that ended, also of those that failed."""

    def add_work(self, work: WorkerTime | None) -> None:
        self.work += [] if work is None else [work]


OnRow = Callable[[BatchRow, RowFailed | None], None]
"""Called when a row is finished, with its failure if it failed."""


async def run(
    rows: Sequence[BatchRow],
    manifest: Manifest,
    synthesizer: RowSynthesizer,
    *,
    in_flight: int,
    attempts: int,
    on_row: OnRow,
) -> RunTotals:
    """
    Raises:
        Stopped: no further row can be synthesized; those in flight are abandoned.
        OSError: the folder can no longer be written.
    """
    totals = RunTotals()
    remaining = iter(rows)

    async def work(rows: Iterator[BatchRow]) -> None:
        for row in rows:  # shared by all workers
            failure = await _process_row(row, manifest, synthesizer, attempts, totals)
            on_row(row, failure)

    workers = [asyncio.create_task(work(remaining)) for _ in range(min(in_flight, len(rows)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            if not worker.cancelling():  # a second time would end its wait for a submission in progress
                worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return totals


async def _process_row(
    row: BatchRow, manifest: Manifest, synthesizer: RowSynthesizer, attempts: int, totals: RunTotals
) -> RowFailed | None:
    """Synthesize and store a row; return the last failure if all attempts failed."""
    earlier = manifest.entries.get(row.key)
    job = None if earlier is None else earlier.job
    failure: RowFailed | None = None
    for attempt in range(1, attempts + 1):
        try:
            result = await _synthesize(row, manifest, synthesizer, job)
            written = _write_captions(manifest.captions, result)
        except RowFailed as error:
            failure, job = error, error.job
            totals.add_work(error.work)
            if not error.can_retry:
                break
            if attempt < attempts:
                await asyncio.sleep(random.random() * min(_BACKOFF_MOST_S, _BACKOFF_S * 2.0 ** (attempt - 1)))
        else:
            entry = _store(row, manifest, result, written)
            totals.spoken += 1
            totals.audio_s += entry.duration_s or 0.0
            totals.characters += row.characters
            totals.add_work(result.work)
            return None
    assert failure is not None  # noqa: S101 - there is at least one attempt
    why = {"code": failure.code, "message": failure.message, "field": failure.field}
    manifest.record(replace(_entry(row, "failed"), job=failure.job, error=why))
    totals.failed += 1
    return failure


async def _synthesize(
    row: BatchRow, manifest: Manifest, synthesizer: RowSynthesizer, job: str | None
) -> SynthesizedRow:
    def on_submitted(job: str) -> None:
        manifest.record(replace(_entry(row, "submitted"), job=job))

    try:
        request = row.request()
    except OSError as error:
        raise RowFailed(
            f"{row.reference} cannot be read: {error.strerror}", "invalid_request", field="reference"
        ) from error
    return await synthesizer.synthesize(request, job, on_submitted)


def _write_captions(kind: str | None, result: SynthesizedRow) -> str | None:
    """Raises RowFailed: the answer does not say when its parts are spoken."""
    if kind is None:
        return None
    about = result.about
    try:
        words = [SpokenWord.from_json(word) for word in about.get("words", ())]
        return captions.write(kind, about["chunks"], about["duration_s"], about.get("language"), words)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"there are no captions: the answer lacks the times of its parts ({error!r})"
        raise RowFailed(reason, "no_captions", work=result.work) from error


def _store(row: BatchRow, manifest: Manifest, result: SynthesizedRow, written: str | None) -> ManifestEntry:
    name = f"{row.stem}.{result.about['format']}"
    captions_name = None if written is None else f"{row.stem}.{manifest.captions}"
    if written is not None and captions_name is not None:
        manifest.write_file(written.encode(), captions_name)
    manifest.write_file(result.audio, name)
    entry = replace(
        _entry(row, "done"),
        file=name,
        size_bytes=len(result.audio),
        sha256=hashlib.sha256(result.audio).hexdigest(),
        duration_s=result.about["duration_s"],
        seed=result.about["seed"],
        model=result.about["model"],
        captions=captions_name,
        worker_s=None if result.work is None else result.work.execution_s,
    )
    manifest.record(entry)
    return entry


def _entry(row: BatchRow, state: Literal["submitted", "done", "failed"]) -> ManifestEntry:
    return ManifestEntry(row.key, row.id, state, title=row.title, chapter=row.chapter)
