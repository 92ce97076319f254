"""How a stream is read, with no network: outcomes in, steps out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from chatterbox_worker.client import (
    ClientError,
    Job,
    JobFailed,
    NotFound,
    SpokenCheck,
    SpokenWord,
    StillRunning,
    StreamChunk,
    flows,
)
from chatterbox_worker.client.flows import Deadline, Flow, StreamReader, Wait
from chatterbox_worker.client.wire import Lost, Outcome, Reply
from support.client_flows import NEVER, PATIENT, base64_of, chunk, drive, ok, stream_reply


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
