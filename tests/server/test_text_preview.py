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

    assert [chunk["spoken"] for chunk in read.json()["chunks"]] == ["A five kilometer run."]
    assert [chunk["spoken"] for chunk in left.json()["chunks"]] == ["A five km run."]


@pytest.mark.anyio
async def test_the_routes_of_the_lexicon_need_a_key_and_change_what_is_read(open_server: Open) -> None:
    key = {"Authorization": "Bearer 0123456789abcdef"}
    async with open_server(api_keys=("0123456789abcdef",)) as http:
        for answer in (await http.get("/lexicon"), await http.put("/lexicon/a", json={"spoken": "b"})):
            assert answer.status_code == 401
        http.headers.update(key)
        assert (await http.put("/lexicon/and%2For", json={"spoken": "and or"})).json()["count"] == 1
        saved = await http.post("/lexicon", json={"entries": {"GIF": "yif", "Nguyen": "Nwin"}, "language": "es"})
        assert saved.json() == {"saved": 2, "count": 3, "warnings": []}
        listed = (await http.get("/lexicon", params={"language": "es", "offset": 1})).json()
        assert listed == {
            "entries": [{"word": "Nguyen", "spoken": "Nwin", "language": "es"}], "count": 2, "next_offset": None,
        }  # fmt: skip
        shown = await http.post("/text", json={"text": "Un GIF and/or dos.", "language": "es"})
        assert shown.json()["chunks"][0]["spoken"] == "Un yif and or dos."
        gone = await http.delete("/lexicon/GIF", params={"language": "es"})
        assert gone.json() == {"word": "GIF", "language": "es", "deleted": True}
        missing = await http.delete("/lexicon/GIF")
        assert (missing.status_code, missing.json()["code"]) == (404, "entry_not_found")
        for bad, field in (
            (await http.get("/lexicon", params={"lang": "es"}), "lang"),
            (await http.get("/lexicon", params={"offset": "x"}), "offset"),
            (await http.get("/lexicon", params={"offset": "9" * 5000}), "offset"),
            (await http.put("/lexicon/a", json={}), "spoken"),
            (await http.put("/lexicon/a", json={"spoken": "b", "entries": {}}), "entries"),
            (await http.post("/lexicon", json={"entries": {"a": 1}}), "entries"),
            (await http.post("/lexicon", json={"entries": {"a": "b"}, "action": "info"}), "action"),
        ):
            assert (bad.status_code, bad.json()["field"]) == (400, field)
