"""What each call does, with no network: outcomes in, steps out."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chatterbox_worker.client import (
    AnswerLost,
    AudioOnVolume,
    ClientError,
    Job,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NoAudio,
    NotFound,
    Patience,
    RequestRefused,
    RequestTooLarge,
    SpokenCheck,
    SpokenWord,
    StillRunning,
    StreamChunk,
    Unauthorized,
    Unavailable,
    flows,
)
from chatterbox_worker.client.flows import Deadline, Flow, StreamReader, Wait
from chatterbox_worker.client.wire import HttpCall, Lost, Outcome, Reply, TooLarge, Unreached, submission

T = TypeVar("T")
PATIENT = Patience(random=lambda: 1.0, clock=lambda: 0.0)
NEVER = Deadline(PATIENT, 0.0, 1e9)


def drive(flow: Flow[T], outcomes: Sequence[Outcome]) -> tuple[T, list[HttpCall | Wait]]:
    """The flow's value, given these outcomes one after another, and the steps it took."""
    left, steps, outcome = list(outcomes), list[HttpCall | Wait](), None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as end:
            assert not left, "the flow ended before all outcomes were used"
            value: T = end.value
            return value, steps
        steps.append(step)
        outcome = None if isinstance(step, Wait) else left.pop(0)


def ok(**answer: Any) -> Reply:
    return Reply(200, json.dumps(answer).encode())


def calls(steps: Sequence[HttpCall | Wait]) -> list[str]:
    return [f"{step.method} {step.path}" for step in steps if isinstance(step, HttpCall)]


def base64_of(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def chunk(index: int) -> dict[str, Any]:
    return {"index": index, "start_s": index / 2, "audio_base64": base64_of(b"%d" % index)}


def stream_reply(status: str, *outputs: Any) -> Reply:
    return ok(status=status, stream=[{"output": output} for output in outputs])


GOOD = ok(id="j", status="IN_QUEUE")
REFUSED_FOR_NOW = [Reply(429, b""), Reply(503, b""), Unreached("no route")]
LOST = [Reply(500, b""), Reply(502, b""), Reply(524, b""), Lost("reset")]


@pytest.mark.parametrize("outcome", REFUSED_FOR_NOW, ids=str)
def test_a_submission_that_was_never_accepted_is_sent_again(outcome: Outcome) -> None:
    job, steps = drive(flows.run({"text": "a"}, PATIENT), [outcome, outcome, GOOD])
    assert job.id == "j"
    assert calls(steps) == ["POST /run"] * 3


@pytest.mark.parametrize("outcome", LOST, ids=str)
def test_a_submission_whose_answer_was_lost_is_never_sent_again(outcome: Outcome) -> None:
    with pytest.raises(AnswerLost, match="may be running"):
        drive(flows.run({"text": "a"}, PATIENT), [outcome])


@pytest.mark.parametrize("outcome", [*REFUSED_FOR_NOW, *LOST], ids=str)
def test_a_poll_is_repeated_whatever_went_wrong(outcome: Outcome) -> None:
    job, steps = drive(flows.status("j", PATIENT), [outcome, GOOD])
    assert job.status == "IN_QUEUE"
    assert calls(steps) == ["GET /status/j"] * 2


@pytest.mark.parametrize("outcome", [*REFUSED_FOR_NOW, *LOST], ids=str)
def test_repeating_ends(outcome: Outcome) -> None:
    with pytest.raises(Unavailable) as caught:
        drive(flows.status("j", PATIENT), [outcome] * PATIENT.attempts)
    assert caught.value.status == (outcome.status if isinstance(outcome, Reply) else None)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RequestRefused), (401, Unauthorized), (403, Unauthorized), (404, NotFound)]
)
def test_a_refusal_is_not_sent_twice_and_carries_the_endpoints_reason(status: int, kind: type[ClientError]) -> None:
    with pytest.raises(kind, match="the body is too large"):
        drive(flows.status("j", PATIENT), [Reply(status, b'{"error": "the body is too large"}')])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"id": 1, "status": "COMPLETED"}'])
def test_an_answer_that_is_not_a_job_is_an_error(body: bytes) -> None:
    with pytest.raises(ClientError):
        drive(flows.status("j", PATIENT), [Reply(200, body)])


def test_pauses_grow_and_are_spread_and_respect_retry_after() -> None:
    assert [PATIENT.pause_s(failures) for failures in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 20.0]
    assert replace(PATIENT, random=lambda: 0.25).pause_s(2) == 0.25
    _, steps = drive(flows.status("j", PATIENT), [Reply(429, b"", retry_after="7"), GOOD])
    assert steps[1] == Wait(7.0)


def test_runsync_that_comes_back_unfinished_is_polled_on() -> None:
    done = ok(id="j", status="COMPLETED", output={"x": 1})
    outcomes = [ok(id="j", status="IN_PROGRESS"), ok(id="j", status="IN_PROGRESS"), done]
    job, steps = drive(flows.runsync({"text": "a"}, 600.0, PATIENT), outcomes)
    assert job["output"] == {"x": 1}
    assert calls(steps) == ["POST /runsync", "GET /status/j", "GET /status/j"]
    assert isinstance(steps[0], HttpCall)
    assert steps[0].params == {"wait": "90000"}  # under the edge's 100 s
    assert steps[0].timeout_s > 90


def test_polling_ends_with_its_deadline_and_names_the_next_call() -> None:
    times = iter(range(0, 1000, 4))
    patience = replace(PATIENT, clock=lambda: float(next(times)))
    with pytest.raises(StillRunning, match=r"poll_until_complete\('j'\)") as caught:
        drive(flows.poll("j", Deadline.after(10.0, patience), None), [GOOD] * 3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.job.id == "j"


@pytest.mark.parametrize(
    ("answer", "kind", "message", "code", "field"),
    [
        ({"status": "FAILED", "error": "no such voice", "output": {"code": "voice_not_found", "field": "voice"}},
         JobFailed, "no such voice", "voice_not_found", "voice"),
        ({"status": "FAILED", "output": {"error": "no such voice", "code": "voice_not_found"}},
         JobFailed, "no such voice", "voice_not_found", None),
        ({"status": "FAILED", "error": "no such voice", "code": "voice_not_found", "field": "voice"},
         JobFailed, "no such voice", "voice_not_found", "voice"),
        ({"status": "FAILED", "error": '{"error_type": "x", "error_message": "a bug", "error_traceback": "..."}'},
         JobFailed, "a bug", None, None),
        ({"status": "FAILED", "error": {"reason": 1}}, JobFailed, '{"reason": 1}', None, None),
        ({"status": "FAILED", "error": "1.5"}, JobFailed, "1.5", None, None),
        ({"status": "CANCELLED"}, JobCancelled, "job j is CANCELLED", None, None),
        ({"status": "TIMED_OUT", "error": "job timed out"}, JobTimedOut, "job timed out", None, None),
    ],
)  # fmt: skip
def test_a_failed_job_raises_the_workers_reason(
    answer: dict[str, Any], kind: type[JobFailed], message: str, code: str | None, field: str | None
) -> None:
    with pytest.raises(JobFailed) as caught:
        drive(flows.poll("j", NEVER, None), [ok(id="j", **answer)])
    error = caught.value
    assert type(error) is kind
    assert (str(error), error.code, error.field, error.job.id) == (message, code, field, "j")


@pytest.mark.parametrize("job_id", ["", "../health", "a/b", "a?b"])
def test_only_a_job_id_gets_into_a_url(job_id: str) -> None:
    with pytest.raises(ValueError, match="not a job id"):
        drive(flows.status(job_id, PATIENT), [])


def test_runpods_own_keys_go_next_to_the_input_and_recordings_into_it_as_base64(tmp_path: Path) -> None:
    path = tmp_path / "alice.wav"
    path.write_bytes(b"RIFF")
    call = submission("/run", {"text": "é", "reference_audio": path, "seed": None, "webhook": "https://x.org/"})
    assert json.loads(call.content or b"") == {
        "input": {"text": "é", "reference_audio": base64_of(b"RIFF")}, "webhook": "https://x.org/",
    }  # fmt: skip


def test_a_request_over_the_routes_limit_is_refused_before_it_is_sent() -> None:
    job_input = {"text": "a", "reference_audio": b"\0" * 9_000_000}
    with pytest.raises(RequestTooLarge, match=r"12\.0 MB .* at most 10 MB on /run"):
        submission("/run", job_input)
    assert submission("/runsync", job_input)


def test_every_poll_reaches_the_caller() -> None:
    seen: list[Any] = []
    outcomes: list[Outcome] = [
        ok(id="j", status="IN_PROGRESS", output={"chunks_done": 1}),
        ok(id="j", status="COMPLETED", output=2),
    ]
    drive(flows.poll("j", NEVER, lambda job: seen.append(job.output)), outcomes)
    assert seen == [{"chunks_done": 1}, 2]


# Audio


@pytest.mark.parametrize(
    "response",
    [
        {"id": "j", "status": "COMPLETED", "output": {"audio_base64": base64_of(b"sound")}},
        {"audio_base64": base64_of(b"sound")},
        {"audio_url": f"data:audio/mpeg;base64,{base64_of(b'sound')}"},
    ],
)
def test_audio_inside_an_answer_is_found(response: dict[str, Any]) -> None:
    assert drive(flows.audio_of(response, PATIENT), [])[0] == b"sound"


def test_audio_behind_a_url_is_downloaded_without_the_key_and_again_if_need_be() -> None:
    url = "https://bucket.example/a.mp3?X-Amz-Signature=1"
    outcomes: list[Outcome] = [Lost("reset"), Reply(503, b""), Reply(200, b"sound")]
    audio, steps = drive(flows.audio_of({"audio_url": url}, PATIENT), outcomes)
    assert audio == b"sound"
    assert all(step.is_absolute and step.path == url for step in steps if isinstance(step, HttpCall))


@pytest.mark.parametrize(
    "response",
    [None, {}, {"output": None}, {"voices": []}, {"audio_base64": "a"},
     {"audio_url": "file:///etc/passwd"}, [], "text"],
)  # fmt: skip
def test_an_answer_without_audio_is_an_error(response: Any) -> None:
    with pytest.raises(NoAudio):
        drive(flows.audio_of(response, PATIENT), [])


ON_VOLUME = {"audio_path": "/runpod-volume/outputs/a.wav", "format": "wav"}


def piece(data: bytes, next_offset: int | None, *, in_list: bool = False) -> Reply:
    output = {"data_base64": base64.b64encode(data).decode(), "next_offset": next_offset}
    return ok(id="1", status="COMPLETED", output=[output] if in_list else output)


@pytest.mark.parametrize("in_list", [False, True])
def test_audio_on_the_volume_is_fetched_in_pieces(in_list: bool) -> None:
    outcomes = [piece(b"sou", 3, in_list=in_list), Reply(503, b""), piece(b"nd", None, in_list=in_list)]

    audio, steps = drive(flows.audio_of(ON_VOLUME, PATIENT), outcomes)

    asked = [json.loads(step.content)["input"] for step in steps if isinstance(step, HttpCall) and step.content]
    assert audio == b"sound"
    assert asked[0] == {"action": "outputs.get", "path": ON_VOLUME["audio_path"], "offset": 0}
    assert [step["offset"] for step in asked] == [0, 3, 3]


@pytest.mark.parametrize(
    "outcome",
    [
        ok(id="1", status="FAILED", error="no such action", output={"code": "invalid_request"}),
        ok(id="1", status="FAILED", error="it was deleted", output={"code": "output_not_found"}),
        ok(id="1", status="COMPLETED", output={"audio_path": "x"}), ok(id="1", status="COMPLETED"),
        piece(b"", 0), piece(b"sound", 3), piece(b"sound", 9),
    ],
)  # fmt: skip
def test_audio_that_the_endpoint_does_not_hand_out_is_an_error_with_its_path_and_the_answer(outcome: Reply) -> None:
    with pytest.raises(AudioOnVolume, match=r"network volume at /runpod-volume/outputs/a\.wav") as caught:
        drive(flows.audio_of(ON_VOLUME, PATIENT), [outcome])
    assert (caught.value.path, caught.value.about["format"]) == ("/runpod-volume/outputs/a.wav", "wav")


def test_an_item_that_says_why_a_stream_failed_is_no_chunk_and_no_summary() -> None:
    reader = StreamReader("1", NEVER)
    why = {"message": "no", "code": "x"}
    stream = ok(status="FAILED", stream=[{"output": why}])
    assert drive(flows.read_stream(reader), [stream])[0] == []
    assert reader.summary is None
    with pytest.raises(JobFailed, match="no") as caught:
        drive(flows.read_stream(reader), [ok(id="1", status="FAILED", error="no", output=why)])
    assert caught.value.code == "x"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_link_that_is_not_valid_any_more_is_not_blamed_on_the_key(status: int) -> None:
    with pytest.raises(NotFound, match="the link to the audio is not valid any more") as caught:
        drive(flows.audio_of({"audio_url": "https://bucket.example/a.mp3"}, PATIENT), [Reply(status, b"<Error>")])
    assert caught.value.status == status


def test_an_answer_over_the_limit_is_an_error() -> None:
    with pytest.raises(NoAudio, match="the bucket's answer has more than 1000 MB"):
        drive(flows.audio_of({"audio_url": "https://bucket.example/a.mp3"}, PATIENT), [TooLarge()])
    with pytest.raises(ClientError, match="the endpoint's answer has more than 100 MB"):
        drive(flows.status("j", PATIENT), [TooLarge()])


# Streams


def read_all(outcomes: Sequence[Outcome]) -> tuple[list[int], StreamReader]:
    reader, left, seen = StreamReader("j", NEVER), list(outcomes), list[int]()

    def whole() -> Flow[None]:
        while not reader.is_over:
            chunks = yield from flows.read_stream(reader)
            seen.extend(int(chunk.audio) for chunk in chunks)

    drive(whole(), left)
    return seen, reader


SUMMARY = {"format": "pcm", "duration_s": 2.0}
WHOLE = [chunk(0), chunk(1), chunk(2), SUMMARY]


def test_a_stream_is_read_in_order_to_its_summary() -> None:
    seen, reader = read_all(
        [
            stream_reply("IN_QUEUE"),
            stream_reply("IN_PROGRESS", chunk(0)),
            stream_reply("IN_PROGRESS", chunk(1), chunk(2)),
            stream_reply("COMPLETED", SUMMARY),
        ]
    )
    assert seen == [0, 1, 2]
    assert reader.summary == SUMMARY


def test_a_piece_that_was_lost_on_the_way_comes_from_the_whole() -> None:
    in_progress, done = ok(id="j", status="IN_PROGRESS"), ok(id="j", status="COMPLETED", output=WHOLE)
    seen, reader = read_all([
        stream_reply("IN_PROGRESS", chunk(0)), Lost("reset"), stream_reply("IN_PROGRESS", chunk(2)), in_progress, done,
    ])  # fmt: skip
    assert seen == [0, 1, 2]
    assert reader.summary == SUMMARY


def test_a_lost_end_comes_from_the_whole() -> None:
    outcomes = [
        stream_reply("IN_PROGRESS", chunk(0)),
        stream_reply("COMPLETED"),
        ok(id="j", status="COMPLETED", output=WHOLE),
    ]
    assert read_all(outcomes)[0] == [0, 1, 2]


WORD: dict[str, Any] = {"text": "Hola.", "start": 0, "end": 5, "start_s": 0.05, "end_s": 0.4}


def test_words_come_typed_with_the_pieces_and_with_the_result() -> None:
    def first(*outcomes: Outcome, needs_result: bool = False) -> StreamChunk:
        return drive(flows.read_stream(StreamReader("j", NEVER, needs_result=needs_result)), outcomes)[0][0]

    answer = {"audio_base64": base64_of(b"7"), "format": "mp3", "words": [WORD]}
    streamed = first(stream_reply("IN_PROGRESS", chunk(0) | {"words": [WORD]}))
    whole = first(ok(id="j", status="COMPLETED", output=answer), needs_result=True)

    assert streamed.words == whole.words == Job({"output": answer}).speech.words == (SpokenWord(**WORD),)
    assert first(stream_reply("IN_PROGRESS", chunk(0))).words == ()
    assert Job({"output": {"audio_base64": "", "format": "mp3"}}).speech.words is None
    with pytest.raises(ClientError, match="'end'"):
        first(stream_reply("IN_PROGRESS", chunk(0) | {"words": [{"text": "Hola.", "start": 0}]}))


def test_checks_come_typed() -> None:
    output = {"audio_base64": base64_of(b"7"), "format": "mp3"}
    check = {"attempts": 2, "reasons": ["too_long"], "score": 0.5, "heard": "hola"}
    checks = Job({"output": output | {"checks": [check]}}).speech.checks
    assert checks == (SpokenCheck(2, ("too_long",), 0.5, "hola"),)
    assert Job({"output": output}).speech.checks is None
    with pytest.raises(ClientError, match="'score'"):
        _ = Job({"output": output | {"checks": [{"attempts": 1, "reasons": []}]}}).speech.checks


def test_an_endpoint_that_does_not_stream_sends_one_piece() -> None:
    output = {"audio_base64": base64_of(b"7"), "format": "mp3"}
    seen, reader = read_all([stream_reply("COMPLETED"), ok(id="j", status="COMPLETED", output=output)])
    assert seen == [7]
    assert read_all([stream_reply("COMPLETED", output), ok(id="j", status="COMPLETED", output=[output])])[0] == [7]
    assert reader.summary == {"format": "mp3"}


@pytest.mark.parametrize("status", [400, 404])
def test_a_stream_that_is_refused_is_read_from_the_result(status: int) -> None:
    refused, done = Reply(status, b""), ok(id="j", status="COMPLETED", output=WHOLE)
    assert read_all([refused, done])[0] == [0, 1, 2]
    assert read_all([stream_reply("IN_PROGRESS", chunk(0)), refused, done])[0] == [0, 1, 2]
    with pytest.raises(NotFound):
        read_all([refused, Reply(404, b"")])


def test_a_stream_that_fails_raises_the_workers_reason() -> None:
    failed = ok(id="j", status="FAILED", error="the model made no sound")
    with pytest.raises(JobFailed, match="the model made no sound"):
        read_all([stream_reply("IN_PROGRESS", chunk(0)), stream_reply("FAILED"), failed])


def test_a_stream_whose_job_failed_is_over() -> None:
    reader = StreamReader("j", NEVER, needs_result=True)
    with pytest.raises(JobFailed):
        drive(flows.read_stream(reader), [ok(id="j", status="FAILED")])
    assert reader.is_over  # leaving the stream does not cancel a finished job


def test_a_stream_is_polled_less_often_while_its_job_is_in_the_queue() -> None:
    reader, states = StreamReader("j", NEVER), ["IN_QUEUE"] * 3 + ["IN_PROGRESS"] * 2

    def whole() -> Flow[None]:
        for _ in states:
            yield from flows.read_stream(reader)

    steps = drive(whole(), [stream_reply(state) for state in states])[1]
    pauses = [step.duration_s for step in steps if isinstance(step, Wait)]
    assert pauses == pytest.approx([0.36, 0.54, 0.81, 0.36, 0.36])


def test_a_stream_is_polled_again_at_once_if_the_server_waited_itself() -> None:
    times = iter(range(0, 1000, 10))
    deadline = Deadline(replace(PATIENT, clock=lambda: float(next(times))), 0.0, 1e9)
    steps = drive(flows.read_stream(StreamReader("j", deadline)), [stream_reply("IN_PROGRESS")])[1]
    assert not any(isinstance(step, Wait) for step in steps)


@pytest.mark.parametrize(
    "output",
    [
        [chunk(0), chunk(2), SUMMARY],
        [{"index": index, "start_s": 0.0} for index in range(3)] + [SUMMARY | {"audio_url": "https://x.org/"}],
    ],
)
def test_a_stream_with_a_gap_that_cannot_be_filled_is_an_error(output: list[Any]) -> None:
    done = ok(id="j", status="COMPLETED", output=output)
    with pytest.raises(ClientError, match="chunk 1 was lost"):
        read_all([stream_reply("COMPLETED", chunk(0), chunk(2)), done])


def test_a_stream_without_chunks_ends_with_its_deadline() -> None:
    times = iter(range(0, 1000, 4))
    reader = StreamReader("j", Deadline(replace(PATIENT, clock=lambda: float(next(times))), 0.0, 10.0))

    def whole() -> Flow[None]:
        while True:
            yield from flows.read_stream(reader)

    with pytest.raises(StillRunning):
        drive(whole(), [stream_reply("IN_QUEUE")] * 9)
