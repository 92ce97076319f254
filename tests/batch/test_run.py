"""The loop and the backends' failures: what is retried, what is recorded, what ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from chatterbox_worker.batch import backends
from chatterbox_worker.batch import run as loop
from chatterbox_worker.batch.backends import EndpointSynthesizer, LocalSynthesizer, RowFailed, Stopped, SynthesizedRow
from chatterbox_worker.batch.manifest import Manifest
from chatterbox_worker.batch.rows import BatchRow
from chatterbox_worker.batch.run import RunTotals, run
from chatterbox_worker.batch.spending import WorkerTime, busy_s
from chatterbox_worker.client import (
    AnswerLost,
    ClientError,
    Job,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NoAudio,
    NotFound,
    RequestRefused,
    StillRunning,
    Unauthorized,
    Unavailable,
)
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import DeviceFailed
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.webvtt import read_webvtt

ABOUT: dict[str, Any] = {"format": "wav", "duration_s": 1.5, "seed": 7, "model": "preview"}


@pytest.fixture(autouse=True)
def _without_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_BACKOFF_S", 0.0)


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(tmp_path / "out") as manifest:
        yield manifest


def rows(count: int) -> list[BatchRow]:
    return [BatchRow(f"rows:{n}", f"n{n}", f"n{n}", {"text": f"Text {n}."}, None) for n in range(count)]


class Scripted:
    """Fails with the given exceptions, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.jobs: list[str | None] = []
        self.at_once = self.most_at_once = 0

    async def synthesize(
        self, request: dict[str, Any], job: str | None, on_submitted: Callable[[str], None]
    ) -> SynthesizedRow:
        self.jobs.append(job)
        on_submitted(f"job {len(self.jobs)}")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        return SynthesizedRow(request["text"].encode(), ABOUT)


def run_rows(
    rows: list[BatchRow], manifest: Manifest, synthesizer: Any, *, in_flight: int = 4, attempts: int = 3
) -> RunTotals:
    running = run(rows, manifest, synthesizer, in_flight=in_flight, attempts=attempts, on_row=lambda row, failure: None)
    return asyncio.run(asyncio.wait_for(running, 60))


def test_every_row_is_synthesized_once_within_the_limit_of_rows_in_flight(manifest: Manifest, tmp_path: Path) -> None:
    synthesizer = Scripted()

    totals = run_rows(rows(50), manifest, synthesizer, in_flight=6)

    assert (totals.spoken, totals.failed, totals.audio_s) == (50, 0, 75.0)
    assert (len(synthesizer.jobs), synthesizer.most_at_once) == (50, 6)
    assert (tmp_path / "out" / "n31.wav").read_text() == "Text 31."
    assert all(manifest.has(row.key) for row in rows(50))


def test_a_retryable_failure_is_retried_and_then_counts_as_spoken(manifest: Manifest) -> None:
    synthesizer = Scripted(RowFailed("busy", "busy", can_retry=True), RowFailed("busy", "busy", can_retry=True))

    totals = run_rows(rows(1), manifest, synthesizer)

    assert (totals.spoken, totals.failed, len(synthesizer.jobs)) == (1, 0, 3)


CHUNK = {"text": "Text 0.", "start": 0, "end": 7, "start_s": 0.0, "end_s": 1.5}
WORDS = [{"text": "Text", "start": 0, "end": 4, "start_s": 0.25, "end_s": 0.75},
         {"text": "0.", "start": 5, "end": 7, "start_s": 0.75, "end_s": 1.25}]  # fmt: skip


@pytest.mark.parametrize(("words", "times"), [([], (0, 1500)), (WORDS, (250, 1250))])
def test_each_row_has_its_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, times: Any) -> None:
    monkeypatch.setitem(ABOUT, "chunks", [CHUNK])
    monkeypatch.setitem(ABOUT, "words", words)
    with Manifest(tmp_path / "out", "vtt") as manifest:
        (row,) = rows(1)
        totals = run_rows([row], manifest, Scripted())
        (cue,) = read_webvtt((tmp_path / "out" / "n0.vtt").read_text())

        assert totals.spoken == 1
        assert (cue.lines, cue.start_ms, cue.end_ms) == (("Text 0.",), *times)
        assert manifest.entries[row.key].captions == "n0.vtt"
        assert manifest.is_complete(row.key)
        (tmp_path / "out" / "n0.vtt").unlink()
        assert not manifest.is_complete(row.key)
    with Manifest(tmp_path / "out") as manifest:
        assert manifest.is_complete(row.key)


def test_a_row_without_the_times_of_its_parts_fails_if_captions_are_wanted(tmp_path: Path) -> None:
    with Manifest(tmp_path / "out", "srt") as manifest:
        (row,) = rows(1)
        run_rows([row], manifest, Scripted())
        error = manifest.entries[row.key].error

    assert error is not None
    assert error["code"] == "no_captions"
    assert not list((tmp_path / "out").glob("n0.*"))


@pytest.mark.parametrize(("can_retry", "tries"), [(True, 3), (False, 1)])
def test_a_permanent_failure_is_recorded_with_its_reason_and_the_others_are_done(
    manifest: Manifest, *, can_retry: bool, tries: int
) -> None:
    synthesizer = Scripted(*[RowFailed("no such voice", "voice_not_found", field="voice", can_retry=can_retry)] * tries)

    totals = run_rows(rows(3), manifest, synthesizer, in_flight=1)

    failed = manifest.entries[rows(1)[0].key]
    assert (totals.spoken, totals.failed, len(synthesizer.jobs)) == (2, 1, 2 + tries)
    assert failed.error == {"code": "voice_not_found", "message": "no such voice", "field": "voice"}
    assert (failed.state, failed.job) == ("failed", None)


def test_a_job_that_may_still_succeed_is_polled_and_not_sent_again(manifest: Manifest) -> None:
    lost = RowFailed("the network is down", "unavailable", can_retry=True, job="j7")
    slow = RowFailed("still running", "still_running", job="j7")

    run_rows(rows(1), manifest, first := Scripted(lost, slow))
    run_rows(rows(1), manifest, second := Scripted())

    assert first.jobs == [None, "j7"]
    assert second.jobs == ["j7"]
    assert manifest.has(rows(1)[0].key)


def test_a_missing_reference_fails_only_its_own_row(manifest: Manifest, tmp_path: Path) -> None:
    gone = BatchRow("rows:1", "gone", "gone", {"text": "One."}, tmp_path / "gone.wav")

    totals = run_rows([gone, *rows(1)], manifest, Scripted())

    assert (totals.spoken, totals.failed) == (1, 1)
    error = manifest.entries[gone.key].error
    assert error is not None
    assert error["field"] == "reference"


def test_the_run_ends_at_once_if_no_further_row_can_be_synthesized(manifest: Manifest) -> None:
    class Endpoint(Scripted):
        """Rejects its second row; the others are never answered."""

        async def synthesize(self, *_: Any) -> SynthesizedRow:
            self.jobs.append(None)
            if len(self.jobs) == 2:
                raise Stopped("the key is wrong")
            return await asyncio.Future()

    synthesizer = Endpoint()

    with pytest.raises(Stopped, match="the key is wrong"):
        run_rows(rows(50), manifest, synthesizer)
    assert len(synthesizer.jobs) == 4


# This machine


@pytest.mark.parametrize(
    ("fields", "code", "field", "can_retry"),
    [
        ({"text": "It will explode."}, "synthesis_failed", None, True),
        ({"text": "Hello.", "voice": "unknown"}, "voice_not_found", "voice", False),
    ],
)
def test_a_failure_of_this_machines_engine_says_whether_another_attempt_may_help(
    settings: Settings, synthesizer: Synthesizer, fields: Any, code: str, field: str | None, *, can_retry: bool
) -> None:
    with ThreadPoolExecutor(1) as threads:
        local = LocalSynthesizer(settings, synthesizer, threads)
        with pytest.raises(RowFailed) as caught:
            asyncio.run(local.synthesize(fields, None, lambda _: None))
    assert (caught.value.code, caught.value.field, caught.value.can_retry) == (code, field, can_retry)


def test_a_run_ends_if_this_machines_device_fails_or_its_engine_cannot_start(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def speak() -> None:
        async with backends.local(settings, 1) as local:
            await local.synthesize({"text": "Hello."}, None, lambda _: None)

    def fail(*_: object) -> NoReturn:
        raise DeviceFailed("the GPU is lost")

    monkeypatch.setattr(backends, "build", lambda _: synthesizer)
    monkeypatch.setattr(synthesizer, "speak", fail)
    with pytest.raises(Stopped, match="the GPU is lost"):
        asyncio.run(speak())
    monkeypatch.setattr(backends, "build", fail)
    with pytest.raises(Stopped, match="the GPU is lost"):
        asyncio.run(speak())


# The endpoint


def job_of(status: str) -> Job:
    return Job({"id": "j", "status": status})


class FakeClient:
    """The client's methods that the backend uses, each with a scripted outcome."""

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


def synthesize(client: FakeClient, job: str | None = None) -> tuple[SynthesizedRow, list[str]]:
    submitted: list[str] = []
    synthesizer = EndpointSynthesizer(client)  # type: ignore[arg-type]
    return asyncio.run(synthesizer.synthesize({"text": "One."}, job, submitted.append)), submitted


FAILURES: list[tuple[ClientError, str, bool, str | None]] = [
    (
        JobFailed("text is empty", job=job_of("FAILED"), code="invalid_request", field="text"),
        "invalid_request", False, None,
    ),
    (JobFailed("busy", job=job_of("FAILED"), code="busy"), "busy", True, None),
    (JobFailed("failed", job=job_of("FAILED"), code="synthesis_failed"), "synthesis_failed", True, None),
    (JobFailed("the worker was lost", job=job_of("FAILED")), "job_failed", True, None),
    (JobTimedOut("timed out", job=job_of("TIMED_OUT")), "timed_out", False, None),
    (JobCancelled("cancelled", job=job_of("CANCELLED")), "cancelled", False, None),
    (StillRunning(job_of("IN_PROGRESS"), 9.0), "still_running", False, "new 1"),
    (Unavailable("no network"), "unavailable", True, "new 1"),
    (AnswerLost("of a piece of its file"), "answer_lost", False, "new 1"),
    (NoAudio("no audio"), "no_audio", False, None),
    (RequestRefused("HTTP 400"), "request_refused", False, None),
    (ClientError("no id"), "bad_answer", False, "new 1"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "can_retry", "job"), FAILURES, ids=[row[1] for row in FAILURES])
def test_each_failure_of_a_job_is_classified(
    error: ClientError, code: str, *, can_retry: bool, job: str | None
) -> None:
    with pytest.raises(RowFailed) as caught:
        synthesize(FakeClient(None, error))
    assert (caught.value.code, caught.value.can_retry, caught.value.job) == (code, can_retry, job)
    assert caught.value.field == getattr(error, "field", None)


@pytest.mark.parametrize(
    ("error", "code", "can_retry"),
    [(Unavailable("429"), "unavailable", True), (AnswerLost("reset"), "answer_lost", False),
     (RequestRefused("too large"), "request_refused", False)],
)  # fmt: skip
def test_each_failure_of_a_submission_is_classified(error: ClientError, code: str, *, can_retry: bool) -> None:
    with pytest.raises(RowFailed) as caught:
        synthesize(FakeClient(error))
    assert (caught.value.code, caught.value.can_retry, caught.value.job) == (code, can_retry, None)


@pytest.mark.parametrize("error", [Unauthorized("401"), NotFound("404")])
def test_an_endpoint_that_rejects_the_client_ends_the_run(error: ClientError) -> None:
    with pytest.raises(Stopped):
        synthesize(FakeClient(error))


def test_a_job_of_an_earlier_run_is_polled_and_nothing_is_sent() -> None:
    client = FakeClient()

    done, submitted = synthesize(client, "old")

    assert (done.audio, client.submissions, submitted) == (b"audio", 0, [])


@pytest.mark.parametrize("error", [NotFound("expired"), JobCancelled("cancelled", job=job_of("CANCELLED"))])
def test_a_job_that_no_longer_exists_is_sent_again(error: ClientError) -> None:
    client = FakeClient(None, error)

    done, submitted = synthesize(client, "old")

    assert (done.audio, client.submissions, submitted) == (b"audio", 1, ["new 1"])


def test_submissions_in_progress_are_recorded_even_if_the_run_is_stopped(manifest: Manifest) -> None:
    class Endpoint(FakeClient):
        """Has the first job when the run is stopped, and not yet answered the others."""

        async def submit(self, job_input: dict[str, Any]) -> Job:
            if not self.submissions:
                self.submissions = 1
                return Job({"id": "new 1", "status": "IN_QUEUE"})
            return await super().submit(job_input)

        async def poll_until_complete(self, job_id: str) -> Job:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # it never ends

    async def stop_midway() -> None:
        backend = EndpointSynthesizer(Endpoint())  # type: ignore[arg-type]
        running = run(rows(3), manifest, backend, in_flight=3, attempts=1, on_row=lambda row, failure: None)
        task = asyncio.create_task(running)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_midway())

    assert all(manifest.entries[row.key].job for row in rows(3))


def test_a_worker_is_paid_once_for_the_jobs_that_it_has_at_the_same_time() -> None:
    times = [
        WorkerTime("a", 10.0, 20.0),
        WorkerTime("a", 3.0, 15.0),
        WorkerTime("a", 8.0, 25.0),
        WorkerTime("a", 1.0, 40.0),
    ]

    assert busy_s(times) == pytest.approx(15.0 + 1.0)  # 10 to 25, and 39 to 40
    assert busy_s([*times, WorkerTime("b", 10.0, 20.0)]) == pytest.approx(26.0)
    assert busy_s([]) == 0.0


def test_the_workers_time_of_failed_and_of_finished_jobs_is_counted(manifest: Manifest) -> None:
    class Endpoint:
        """Its first job fails after 2 s, every other one takes 4 s."""

        answers = 0

        async def poll_until_complete(self, job: str) -> Job:
            self.answers += 1
            answer = {"id": job, "status": "COMPLETED", "executionTime": 4000, "workerId": f"w{self.answers}",
                      "output": ABOUT | {"audio_base64": "QQ=="}}  # fmt: skip
            if self.answers == 1:
                answer |= {"status": "FAILED", "executionTime": 2000, "output": {}}
                raise JobFailed("lost", job=Job(answer))
            return Job(answer)

        async def submit(self, request: dict[str, Any]) -> Job:
            return Job({"id": "j", "status": "IN_QUEUE"})

        async def audio(self, job: Job) -> bytes:
            return b"A"

    totals = run_rows(rows(2), manifest, EndpointSynthesizer(Endpoint()), in_flight=1)  # type: ignore[arg-type]

    assert totals.spoken == 2
    assert busy_s(totals.work) == pytest.approx(10.0)
    assert totals.characters == len("Text 0.") * 2
    assert BatchRow("rows:1", "a", "a", {"turns": [{"text": "One."}, {"text": "Two."}]}, None).characters == 8
    assert {entry.worker_s for entry in manifest.entries.values()} == {4.0}
