"""How the audio of an answer is found, with no network: outcomes in, steps out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chatterbox_worker.client import (
    AudioOnVolume,
    ClientError,
    JobFailed,
    NoAudio,
    NotFound,
    flows,
)
from chatterbox_worker.client.flows import StreamReader
from chatterbox_worker.client.wire import HttpCall, Lost, Outcome, Reply, TooLarge
from support.client_flows import NEVER, PATIENT, base64_of, drive, ok


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
