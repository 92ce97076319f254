"""Several voices in one file."""

from __future__ import annotations

from typing import Any

import pytest

from support.audio_clips import wav_bytes
from support.serving import Open, decoded_s

TURNS: list[dict[str, Any]] = [
    {"voice": "alice", "text": "Are you ready for this?"},
    {"voice": "bob", "text": "I am ready for everything.", "pause_s": 1.0, "speed": 1.0},
    {"voice": "alice", "text": "Then let us begin."},
]
SPOKEN_S = 0.01 * sum(len(turn["text"]) for turn in TURNS)  # ToneEngine's speed


async def _save_voices(http: Any) -> None:
    for pitch, voice in ((200, "alice"), (120, "bob")):
        await http.post("/voices", files={"file": (f"{voice}.wav", wav_bytes(pitch=pitch))})


@pytest.mark.anyio
@pytest.mark.parametrize("fmt", ["wav", "mp3", "opus"])
async def test_the_turns_come_in_order_with_their_pauses(open_server: Open, fmt: str) -> None:
    body: dict[str, Any] = {"turns": TURNS, "format": fmt, "pause_s": 0.5, "captions": "srt"}
    async with open_server() as http:
        await _save_voices(http)
        answer = (await http.post("/dialogue", json=body)).json()
        file = await http.post("/dialogue", json={name: body[name] for name in ("turns", "format", "pause_s")})

    assert [chunk["voice"] for chunk in answer["chunks"]] == ["alice", "bob", "alice"]
    assert [chunk["turn"] for chunk in answer["chunks"]] == [0, 1, 2]
    gaps = [b["start_s"] - a["end_s"] for a, b in zip(answer["chunks"], answer["chunks"][1:], strict=False)]
    assert gaps == pytest.approx([0.5, 1.0], abs=1e-3)
    assert answer["duration_s"] == pytest.approx(SPOKEN_S + 1.5, abs=0.01)
    assert len(answer["seeds"]) == answer["turns"] == 3
    assert answer["cache_hit"] is False
    assert decoded_s(file.content, fmt) == pytest.approx(answer["duration_s"], abs=0.1)


@pytest.mark.anyio
async def test_the_words_of_a_dialogue_have_its_times_and_their_turns(open_server: Open) -> None:
    async with open_server() as http:
        await _save_voices(http)
        answer = (await http.post("/dialogue", json={"turns": TURNS, "captions": "srt", "timestamps": "word"})).json()

    for chunk in answer["chunks"]:
        own = [word for word in answer["words"] if word["turn"] == chunk["turn"]]
        assert " ".join(word["text"] for word in own) == chunk["text"]
        assert chunk["start_s"] <= own[0]["start_s"] < own[-1]["end_s"] <= chunk["end_s"]
        assert {word["voice"] for word in own} == {chunk["voice"]}


@pytest.mark.anyio
async def test_a_dialogue_is_one_recording_in_the_cache(open_server: Open, engine: Any) -> None:
    async with open_server() as http:
        await _save_voices(http)
        answers = [await http.post("/dialogue", json={"turns": TURNS, "pause_s": pause_s}) for pause_s in (0.4, 0.4, 1)]

    assert [answer.headers["x-chatterbox-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert answers[0].content == answers[1].content
    assert len(engine.takes) == 6


@pytest.mark.anyio
async def test_a_turn_that_stays_the_same_is_not_spoken_again(open_server: Open, engine: Any) -> None:
    async with open_server() as http:
        await _save_voices(http)
        await http.post("/dialogue", json={"turns": TURNS, "seed": 1})
        before = len(engine.takes)
        changed = [{"text": "A new one."}, *TURNS[:2], TURNS[2] | {"text": "Then let us stop."}]
        answer = (await http.post("/dialogue", json={"turns": changed, "seed": 1, "captions": "json"})).json()
        stored = [chunk["kept"] for chunk in answer["chunks"]]

    assert (len(engine.takes), stored) == (before + 2, [False, True, True, False])


@pytest.mark.anyio
async def test_a_turns_own_recording_takes_the_place_of_the_dialogues_voice(open_server: Open) -> None:
    from support.audio_clips import wav_base64

    turns = [{"text": "Mine."}, {"text": "Theirs.", "reference_audio": wav_base64()}]
    async with open_server() as http:
        await _save_voices(http)
        answer = (await http.post("/dialogue", json={"turns": turns, "voice": "alice", "captions": "json"})).json()

    assert [chunk["voice"] for chunk in answer["chunks"]] == ["alice", "reference"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "turns"),
        ({"turns": []}, 400, "turns"),
        ({"turns": [{"text": "x"}] * 1001}, 400, "turns"),
        ({"turns": ["x"]}, 400, "turns[0]"),
        ({"turns": [{"text": "x"}, {"text": ""}]}, 400, "turns[1].text"),
        ({"turns": [{"text": "x", "format": "mp3"}]}, 400, "turns[0].format"),
        ({"turns": [{"text": "x", "pause_s": 11}]}, 400, "turns[0].pause_s"),
        ({"turns": [{"text": "x", "pause_s": True}]}, 400, "turns[0].pause_s"),
        ({"turns": [{"text": "x"}], "pause_s": -1}, 400, "pause_s"),
        ({"turns": [{"text": "x"}], "text": "y"}, 400, "text"),
        ({"turns": [{"text": "x"}], "colour": 1}, 400, "colour"),
        ({"turns": [{"text": "x", "colour": 1}]}, 400, "turns[0].colour"),
        ({"turns": [{"text": "x"}, {"text": "[pause:99s]"}]}, 400, "turns[1].text"),
        ({"turns": [{"text": "x", "turns": []}]}, 400, "turns[0].turns"),
        ({"turns": [{"text": "..."}]}, 400, "turns"),
        ({"turns": [{"text": "x" * 30_000}] * 2}, 400, "turns"),
        ({"turns": [{"text": "x"}, {"text": "y", "voice": "unknown"}]}, 404, "turns[1].voice"),
        ({"turns": [{"text": "x"}, {"text": "explode"}]}, 500, "turns[1]"),
        ({"turns": [{"text": "x"}], "captions": "ass"}, 400, "captions"),
    ],
)
async def test_an_error_in_a_turn_names_the_turns_number(open_server: Open, body: Any, status: int, field: str) -> None:
    async with open_server() as http:
        answer = await http.post("/dialogue", json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["field"] == field
