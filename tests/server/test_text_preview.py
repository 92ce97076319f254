"""`POST /text`, and what a speech's answer says about how its text was read."""

from __future__ import annotations

import pytest

from support.serving import Open


@pytest.mark.anyio
async def test_the_route_shows_the_text_as_it_will_be_read(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post("/text", json={"text": "It costs $1,200.", "language": "en"})
        plain = await http.post("/text", json={"text": "It costs $1,200.", "normalize": False})
        refused = await http.post("/text", json={"text": "Hello.", "normalize": {"numbr": True}})

    [chunk] = answer.json()["chunks"]
    assert chunk["spoken"] == "It costs one thousand two hundred dollars."
    assert (chunk["text"], chunk["start"], chunk["end"]) == ("It costs $1,200.", 0, 16)
    assert plain.json()["chunks"][0]["spoken"] == "It costs $1,200."
    assert (refused.status_code, refused.json()["field"]) == (400, "normalize.numbr")


@pytest.mark.anyio
async def test_kokoros_options_reach_the_reading_of_a_speech(open_server: Open) -> None:
    body = {"input": "A 5 km run.", "captions": "json"}
    async with open_server() as http:
        read = await http.post("/v1/audio/speech", json=body)
        options = {"unit_normalization": False}
        left = await http.post("/v1/audio/speech", json={**body, "normalization_options": options})

    assert [chunk["spoken"] for chunk in read.json()["chunks"]] == ["A five kilometers run."]
    assert [chunk["spoken"] for chunk in left.json()["chunks"]] == ["A five km run."]
