"""What only a real socket shows: audio before the end, clients that disconnect, errors in the middle."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from support.serving import HeldEngine, wait_for

LONG = "A first sentence that is long enough to be a chunk of its own. " * 8


def _inside(url: str) -> int:
    inside: int = httpx2.get(f"{url}/health").json()["requests"]["inside"]
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
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{live_url}/v1/audio/speech", json={"input": LONG, **options}, timeout=0.3)

    wait_for(lambda: bool(engine.takes) and all(take.cancelled.is_set() for take in engine.takes))
    wait_for(lambda: _inside(live_url) == 0)


def test_a_client_that_disconnects_during_the_audio_frees_its_takes(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(1)
    body = {"input": LONG, "response_format": "pcm", "stream_format": "audio"}
    with httpx2.stream("POST", f"{live_url}/v1/audio/speech", json=body) as response:
        next(response.iter_bytes())

    wait_for(lambda: all(take.cancelled.is_set() for take in engine.takes[1:]))
    wait_for(lambda: _inside(live_url) == 0)


def test_a_stream_that_fails_in_the_middle_never_looks_whole(live_url: str) -> None:
    body = {"input": LONG + "And now explode, please. " * 9, "response_format": "pcm"}
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.post(f"{live_url}/v1/audio/speech", json=body | {"stream_format": "audio"})
    events = httpx2.post(f"{live_url}/v1/audio/speech", json=body | {"stream_format": "sse"}).text

    assert (
        events.rstrip().split("\n\n")[-1].startswith('data: {"type": "error", "error": {"message": "the engine failed')
    )
    assert "speech.audio.done" not in events


def test_health_answers_while_every_place_is_taken(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    threads = [
        threading.Thread(
            target=httpx2.post, args=(f"{live_url}/tts",), kwargs={"json": {"text": f"{n} x."}, "timeout": 20}
        )
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: _inside(live_url) == 6)
    started_s = time.perf_counter()
    answer = httpx2.get(f"{live_url}/health")
    took_s = time.perf_counter() - started_s
    engine.release()
    for thread in threads:
        thread.join()

    assert answer.json()["status"] == "ok"
    assert took_s < 1.0  # a blocked one would never answer; test_load measures how fast it is under load
