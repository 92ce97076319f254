"""The loop: a bounded number of rows in flight, each spoken, kept and noted; what may be tried again is."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chatterbox_worker.batch.backends import Failed, RowSynthesizer, SynthesizedRow
from chatterbox_worker.batch.manifest import Manifest, ManifestEntry
from chatterbox_worker.batch.rows import BatchRow

_BACKOFF_S = 1.0  # longest pause after the first failure; it doubles with each
_BACKOFF_MOST_S = 30.0


@dataclass(slots=True)
class RunTotals:
    spoken: int = 0
    failed: int = 0
    audio_s: float = 0.0
    """Of what was spoken in this run."""


OnRow = Callable[[BatchRow, Failed | None], None]
"""Told when a row is over."""


async def run(
    rows: Sequence[BatchRow],
    manifest: Manifest,
    speaker: RowSynthesizer,
    *,
    in_flight: int,
    attempts: int,
    on_row: OnRow,
) -> RunTotals:
    """
    Raises:
        Stopped: no row can be spoken any more; those in flight are given up.
        OSError: the folder cannot be written any more.
    """
    tally = RunTotals()
    left = iter(rows)

    async def work(rows: Iterator[BatchRow]) -> None:
        for row in rows:  # shared by all workers
            failure = await _spoken(row, manifest, speaker, attempts, tally)
            on_row(row, failure)

    workers = [asyncio.create_task(work(left)) for _ in range(min(in_flight, len(rows)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return tally


async def _spoken(
    row: BatchRow, manifest: Manifest, speaker: RowSynthesizer, attempts: int, tally: RunTotals
) -> Failed | None:
    """The reason, if it failed in the end."""
    earlier = manifest.entries.get(row.key)
    job = None if earlier is None else earlier.job
    failure: Failed | None = None
    for attempt in range(1, attempts + 1):
        try:
            entry = _kept(row, manifest, await _speak(row, manifest, speaker, job))
        except Failed as error:
            failure, job = error, error.job
            if not error.again:
                break
            if attempt < attempts:
                await asyncio.sleep(random.random() * min(_BACKOFF_MOST_S, _BACKOFF_S * 2.0 ** (attempt - 1)))
        else:
            tally.spoken += 1
            tally.audio_s += entry.duration_s or 0.0
            return None
    assert failure is not None  # noqa: S101 - there is one attempt at least
    why = {"code": failure.code, "message": failure.message, "field": failure.field}
    manifest.note(ManifestEntry(row.key, row.id, "failed", job=failure.job, error=why))
    tally.failed += 1
    return failure


async def _speak(row: BatchRow, manifest: Manifest, speaker: RowSynthesizer, job: str | None) -> SynthesizedRow:
    def submitted(job: str) -> None:
        manifest.note(ManifestEntry(row.key, row.id, "submitted", job=job))

    try:
        request = row.request()
    except OSError as error:
        raise Failed(
            f"{row.reference} cannot be read: {error.strerror}", "invalid_request", field="reference"
        ) from error
    return await speaker.speak(request, job, submitted)


def _kept(row: BatchRow, manifest: Manifest, spoken: SynthesizedRow) -> ManifestEntry:
    name = f"{row.stem}.{spoken.about['format']}"
    manifest.keep(spoken.audio, name)
    entry = ManifestEntry(
        row.key,
        row.id,
        "done",
        file=name,
        size_bytes=len(spoken.audio),
        sha256=hashlib.sha256(spoken.audio).hexdigest(),
        duration_s=spoken.about["duration_s"],
        seed=spoken.about["seed"],
        model=spoken.about["model"],
    )
    manifest.note(entry)
    return entry
