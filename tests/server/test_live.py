"""What only a real socket shows: audio before the end, clients that disconnect, errors in the middle."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from chatterbox_worker.config import Settings
from chatterbox_worker.server import streamed
from support import http_calls
from support.serving import HeldEngine, wait_for

LONG = "A first sentence that is long enough to be a chunk of its own. " * 8


def _inside(url: str) -> int:
    inside: int = http_calls.get(f"{url}/health").json()["requests"]["inside"]
    return inside


@pytest.mark.parametrize("fmt", ["pcm", "wav", "mp3", "opus", "aac", "flac"])
def test_audio_arrives_before_the_rest_is_generated(live_url: str, engine: HeldEngine, fmt: Any) -> None:
    """The first chunk of a stream arrives before the second can even start."""
    client = OpenAI(api_key="none", base_url=f"{live_url}/v1", max_retries=0)
    engine.hold_after(1)
    with client.audio.speech.with_streaming_response.create(
        model="multilingual",
        voice="default",
        input=LONG,
        response_format=fmt,
        stream_format="audio",
    ) as response:
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
        pieces = response.iter_bytes()
        first = next(pieces)
        assert first
        assert not engine.gate.is_set()
        engine.release()
        remaining = b"".join(pieces)
    assert remaining


@pytest.mark.parametrize("options", [{}, {"stream_format": "audio"}, {"stream_format": "sse"}])
def test_a_client_that_disconnects_before_the_audio_frees_its_takes(
    live_url: str, engine: HeldEngine, options: dict[str, str]
) -> None:
    engine.hold_after(0)
    with http_calls.left_post(f"{live_url}/v1/audio/speech", {"input": LONG, **options}):
        wait_for(lambda: bool(engine.takes))

    wait_for(lambda: all(take.cancelled.is_set() for take in engine.takes))
    wait_for(lambda: _inside(live_url) == 0)


@pytest.mark.parametrize("options", [{}, {"stream_format": "audio"}, {"candidates": 2}])
def test_a_client_that_disconnects_before_a_thread_is_free_frees_its_place(
    live_url: str, engine: HeldEngine, settings: Settings, options: dict[str, Any]
) -> None:
    engine.hold_after(0)
    url = f"{live_url}/v1/audio/speech"
    with ExitStack() as busy:
        for number in range(settings.concurrency):
            busy.enter_context(http_calls.left_post(url, {"input": f"Number {number}."}))
        wait_for(lambda: len(engine.takes) == settings.concurrency)
        with http_calls.left_post(url, {"input": "One that waits.", **options}):
            wait_for(lambda: _inside(live_url) > settings.concurrency)
        wait_for(lambda: _inside(live_url) == settings.concurrency)

        assert len(engine.takes) == settings.concurrency


def test_a_client_that_disconnects_during_the_audio_frees_its_takes(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(1)
    body = {"input": LONG, "response_format": "pcm", "stream_format": "audio"}
    with http_calls.stream("POST", f"{live_url}/v1/audio/speech", json=body) as response:
        next(response.iter_bytes())

    wait_for(lambda: all(take.cancelled.is_set() for take in engine.takes[1:]))
    wait_for(lambda: _inside(live_url) == 0)


def test_a_stream_that_fails_in_the_middle_never_looks_whole(
    live_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"input": LONG + "And now explode, please. " * 9, "response_format": "pcm"}
    with pytest.raises(httpx2.RemoteProtocolError):
        http_calls.post(f"{live_url}/v1/audio/speech", json=body | {"stream_format": "audio"})
    monkeypatch.setattr(streamed, "_ERROR_READ_S", 0.0)
    events = http_calls.broken_off_post(f"{live_url}/v1/audio/speech", body | {"stream_format": "sse"})

    assert (
        events.rstrip().split("\n\n")[-1].startswith('data: {"type": "error", "error": {"message": "the engine failed')
    )
    assert "speech.audio.done" not in events
    assert not [record for record in caplog.records if record.exc_info], "a failure that is no bug has no traceback"
    assert [record.getMessage() for record in caplog.records].count(
        "a stream failed after its start: the engine failed on this chunk"
    ) == 2


def test_health_answers_while_every_place_is_taken(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    threads = [
        threading.Thread(
            target=http_calls.post, args=(f"{live_url}/tts",), kwargs={"json": {"text": f"{n} x."}, "timeout": 20}
        )
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: _inside(live_url) == 6)
    answer = http_calls.get(f"{live_url}/health")  # a blocked one would not answer; test_load measures how fast it is
    engine.release()
    for thread in threads:
        thread.join()

    assert answer.json()["status"] == "ok"
