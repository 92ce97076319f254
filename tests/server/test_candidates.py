"""Several takes of one text over HTTP, to choose from."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from support.serving import Open

BODY = {"input": "Say it well.", "response_format": "wav", "seed": 7}


@pytest.mark.anyio
async def test_takes_of_different_seeds_and_the_chosen_one_is_a_hit(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json=BODY | {"candidates": 3, "captions": "srt"})
        takes = answer.json()["candidates"]
        chosen = await http.post("/v1/audio/speech", json=BODY | {"seed": takes[2]["seed"]})

    assert takes[0]["seed"] == 7
    assert len({take["audio_base64"] for take in takes}) == 3
    assert all(take["captions"].startswith("1\n") for take in takes)
    assert chosen.headers["x-chatterbox-cache"] == "hit"
    assert chosen.content == base64.b64decode(takes[2]["audio_base64"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fields",
    [
        {"candidates": 9},
        {"candidates": "two"},
        {"candidates": True},
        {"candidates": 2, "stream": True},
        {"candidates": 2, "stream_format": "sse"},
    ],
)
async def test_candidates_that_cannot_be_answered_are_refused(open_server: Open, fields: dict[str, Any]) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json=BODY | fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "candidates"


@pytest.mark.anyio
async def test_each_takes_a_place_in_the_queue(open_server: Open) -> None:
    async with open_server(concurrency=1, queue_limit=1) as http:
        full = await http.post("/v1/audio/speech", json=BODY | {"candidates": 3})
        fits = await http.post("/v1/audio/speech", json=BODY | {"candidates": 2})
    assert (full.status_code, fits.status_code) == (429, 200)
