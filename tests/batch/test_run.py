"""The loop and both speakers' failures: what is tried again, what is noted, what ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.batch import run as loop
from chatterbox_worker.batch.backends import EndpointSynthesizer, Failed, Stopped, SynthesizedRow
from chatterbox_worker.batch.manifest import Manifest
from chatterbox_worker.batch.rows import BatchRow
from chatterbox_worker.batch.run import RunTotals, run
from chatterbox_worker.client import (
    AnswerLost,
    ClientError,
    Job,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NotFound,
    RequestRefused,
    StillRunning,
    Unauthorized,
    Unavailable,
)

ABOUT = {"format": "wav", "duration_s": 1.5, "seed": 7, "model": "preview"}


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", 0.0)


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(tmp_path / "out") as manifest:
        yield manifest


def rows(count: int) -> list[BatchRow]:
    return [BatchRow(f"rows:{n}", f"n{n}", f"n{n}", {"text": f"Text {n}."}, None) for n in range(count)]


class Scripted:
    """Fails as often as it is told, then speaks."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.jobs: list[str | None] = []
        self.at_once = self.most_at_once = 0

    async def speak(self, request: dict[str, Any], job: str | None, submitted: Callable[[str], None]) -> SynthesizedRow:
        self.jobs.append(job)
        submitted(f"job {len(self.jobs)}")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        return SynthesizedRow(request["text"].encode(), ABOUT)


def spoken(
    rows: list[BatchRow], manifest: Manifest, speaker: Any, *, in_flight: int = 4, attempts: int = 3
) -> RunTotals:
    return asyncio.run(
        run(rows, manifest, speaker, in_flight=in_flight, attempts=attempts, on_row=lambda row, failure: None)
    )


def test_every_row_is_spoken_once_and_no_more_at_once_than_asked(manifest: Manifest, tmp_path: Path) -> None:
    speaker = Scripted()

    tally = spoken(rows(50), manifest, speaker, in_flight=6)

    assert (tally.spoken, tally.failed, tally.audio_s) == (50, 0, 75.0)
    assert (len(speaker.jobs), speaker.most_at_once) == (50, 6)
    assert (tmp_path / "out" / "n31.wav").read_text() == "Text 31."
    assert all(manifest.has(row.key) for row in rows(50))


def test_what_may_be_tried_again_is_and_then_counts_as_spoken(manifest: Manifest) -> None:
    speaker = Scripted(Failed("busy", "busy", again=True), Failed("busy", "busy", again=True))

    tally = spoken(rows(1), manifest, speaker)

    assert (tally.spoken, tally.failed, len(speaker.jobs)) == (1, 0, 3)


@pytest.mark.parametrize(("again", "tries"), [(True, 3), (False, 1)])
def test_what_fails_for_good_is_noted_with_its_reason_and_the_others_go_on(
    manifest: Manifest, *, again: bool, tries: int
) -> None:
    speaker = Scripted(*[Failed("no such voice", "voice_not_found", field="voice", again=again)] * tries)

    tally = spoken(rows(3), manifest, speaker, in_flight=1)

    failed = manifest.entries[rows(1)[0].key]
    assert (tally.spoken, tally.failed, len(speaker.jobs)) == (2, 1, 2 + tries)
    assert failed.error == {"code": "voice_not_found", "message": "no such voice", "field": "voice"}
    assert (failed.state, failed.job) == ("failed", None)


def test_a_job_that_may_still_end_well_is_looked_at_again_and_not_sent_again(manifest: Manifest) -> None:
    lost = Failed("the network is down", "unavailable", again=True, job="j7")
    slow = Failed("still running", "still_running", job="j7")

    spoken(rows(1), manifest, first := Scripted(lost, slow))
    spoken(rows(1), manifest, second := Scripted())

    assert first.jobs == [None, "j7"]
    assert second.jobs == ["j7"]
    assert manifest.has(rows(1)[0].key)


def test_a_reference_that_is_gone_fails_its_row_alone(manifest: Manifest, tmp_path: Path) -> None:
    gone = BatchRow("rows:1", "gone", "gone", {"text": "One."}, tmp_path / "gone.wav")

    tally = spoken([gone, *rows(1)], manifest, Scripted())

    assert (tally.spoken, tally.failed) == (1, 1)
    error = manifest.entries[gone.key].error
    assert error is not None
    assert error["field"] == "reference"


def test_where_nothing_can_be_spoken_any_more_the_run_ends_at_once(manifest: Manifest) -> None:
    speaker = Scripted(*[Stopped("the key is wrong")] * 4)

    with pytest.raises(Stopped, match="the key is wrong"):
        spoken(rows(50), manifest, speaker)
    assert len(speaker.jobs) == 4


# The endpoint


def job_of(status: str) -> Job:
    return Job({"id": "j", "status": status})


class FakeClient:
    """The calls that a speaker makes, with one scripted outcome each."""

    def __init__(self, submit: Exception | None = None, *polls: Exception | None) -> None:
        self._submit, self._polls = submit, list(polls)
        self.submissions = 0

    async def submit(self, job_input: dict[str, Any]) -> Job:
        self.submissions += 1
        await asyncio.sleep(0.05)
        if self._submit is not None:
            raise self._submit
        return Job({"id": f"new {self.submissions}", "status": "IN_QUEUE"})

    async def poll_until_complete(self, job_id: str) -> Job:
        if self._polls and (failure := self._polls.pop(0)) is not None:
            raise failure
        return Job({"id": job_id, "status": "COMPLETED", "output": {"audio_base64": "YXVkaW8=", **ABOUT}})

    async def audio(self, job: Job) -> bytes:
        return b"audio"


def speak(client: FakeClient, job: str | None = None) -> tuple[SynthesizedRow, list[str]]:
    told: list[str] = []
    speaker = EndpointSynthesizer(client)  # type: ignore[arg-type]
    return asyncio.run(speaker.speak({"text": "One."}, job, told.append)), told


FAILURES: list[tuple[ClientError, str, bool, str | None]] = [
    (JobFailed("text is empty", job=job_of("FAILED"), code="invalid_request", field="text"), "invalid_request", False, None),
    (JobFailed("busy", job=job_of("FAILED"), code="busy"), "busy", True, None),
    (JobFailed("failed", job=job_of("FAILED"), code="synthesis_failed"), "synthesis_failed", True, None),
    (JobFailed("the worker was lost", job=job_of("FAILED")), "job_failed", True, None),
    (JobTimedOut("timed out", job=job_of("TIMED_OUT")), "timed_out", False, None),
    (JobCancelled("cancelled", job=job_of("CANCELLED")), "cancelled", False, None),
    (StillRunning(job_of("IN_PROGRESS"), 9.0), "still_running", False, "new 1"),
    (Unavailable("no network"), "unavailable", True, "new 1"),
    (RequestRefused("HTTP 400"), "request_refused", False, None),
    (ClientError("no id"), "bad_answer", False, "new 1"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "again", "job"), FAILURES, ids=[row[1] for row in FAILURES])
def test_each_failure_of_a_job_says_what_it_is_good_for(
    error: ClientError, code: str, *, again: bool, job: str | None
) -> None:
    with pytest.raises(Failed) as caught:
        speak(FakeClient(None, error))
    assert (caught.value.code, caught.value.again, caught.value.job) == (code, again, job)
    assert caught.value.field == getattr(error, "field", None)


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [(Unavailable("429"), "unavailable", True), (AnswerLost("reset"), "answer_lost", False),
     (RequestRefused("too large"), "request_refused", False)],
)  # fmt: skip
def test_each_failure_of_a_submission_too(error: ClientError, code: str, *, again: bool) -> None:
    with pytest.raises(Failed) as caught:
        speak(FakeClient(error))
    assert (caught.value.code, caught.value.again, caught.value.job) == (code, again, None)


@pytest.mark.parametrize("error", [Unauthorized("401"), NotFound("404")])
def test_an_endpoint_that_takes_nobody_ends_the_run(error: ClientError) -> None:
    with pytest.raises(Stopped):
        speak(FakeClient(error))


def test_a_job_of_an_earlier_run_is_waited_for_and_nothing_is_sent() -> None:
    client = FakeClient()

    done, told = speak(client, "old")

    assert (done.audio, client.submissions, told) == (b"audio", 0, [])


@pytest.mark.parametrize("error", [NotFound("expired"), JobCancelled("cancelled", job=job_of("CANCELLED"))])
def test_a_job_that_is_no_more_is_sent_again(error: ClientError) -> None:
    client = FakeClient(None, error)

    done, told = speak(client, "old")

    assert (done.audio, client.submissions, told) == (b"audio", 1, ["new 1"])


def test_a_submission_that_is_on_its_way_is_noted_even_if_the_run_is_stopped() -> None:
    client, told = FakeClient(), list[str]()

    async def stop_midway() -> None:
        task = asyncio.create_task(EndpointSynthesizer(client).speak({}, None, told.append))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_midway())

    assert told == ["new 1"]
