"""Captions: exact, well-formed, with markup escaped."""

from __future__ import annotations

import json
import re

import pytest

from chatterbox_worker.answer import SpokenWord
from chatterbox_worker.text import captions
from support.serving import Open

CHUNKS = [
    {"text": "Hello --> & <b>you</b>.", "start": 0, "end": 23, "start_s": 0.0, "end_s": 1.2345},
    {"text": "silent", "start": 24, "end": 30, "start_s": 1.5, "end_s": 1.5},
    {"text": "An hour later.", "start": 31, "end": 45, "start_s": 3661.0, "end_s": 3662.9996},
]


def test_words_with_times_of_their_own_decide_when_a_cue_comes() -> None:
    text = "One sentence that is long enough here - for a cue. Another one that follows it is no shorter than that."
    chunk = {"text": text, "start": 100, "end": 100 + len(text), "start_s": 1.0, "end_s": 20.0}
    places = [match.span() for match in re.finditer(r"\w[^ ]*", text)]
    words = [
        SpokenWord(text[start:end], 100 + start, 100 + end, start_s, start_s + 0.2)
        for start_s, (start, end) in enumerate(places, 1)
    ]
    found = json.loads(captions.write("json", [chunk], 20.0, "en", words))["chunks"][0]["cues"]
    assert " ".join(" ".join(cue["text"].split()) for cue in found) == text  # the lone mark too
    times = {word.text: word.start_s for word in words}
    assert len(found) > 2
    assert all(cue["start_s"] == times[cue["text"].split()[0]] for cue in found)
    unknown = [SpokenWord(text, 100, 100 + len(text), 1.0, 20.0)]
    assert captions.write("srt", [chunk], 20.0, "en", unknown) == captions.write("srt", [chunk], 20.0, "en")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "srt",
            (
                "1\n00:00:00,000 --> 00:00:01,234\nHello → & <b>you</b>.\n\n"
                "2\n01:01:01,000 --> 01:01:03,000\nAn hour later.\n"
            ),
        ),
        (
            "vtt",
            (
                "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.234\nHello --&gt; &amp; &lt;b&gt;you&lt;/b&gt;.\n\n"
                "2\n01:01:01.000 --> 01:01:03.000\nAn hour later.\n"
            ),
        ),
    ],
)
def test_each_format_follows_its_specification(kind: str, text: str) -> None:
    assert captions.write(kind, CHUNKS, 3663.0) == text


def test_json_has_the_chunks_with_audio() -> None:
    answer = json.loads(captions.write("json", CHUNKS, 3663.0))

    assert answer["duration_s"] == 3663.0
    assert [chunk["text"] for chunk in answer["chunks"]] == [CHUNKS[0]["text"], CHUNKS[2]["text"]]


def test_json_has_the_cues_of_each_chunk() -> None:
    chunk = CHUNKS[0] | {"text": "A first sentence that is quite long. And a second one that is as long.", "end_s": 9.0}

    (answer,) = json.loads(captions.write("json", [chunk], 9.0))["chunks"]

    assert [cue["text"] for cue in answer["cues"]] == [
        "A first sentence that is quite long.", "And a second one that is as long."
    ]  # fmt: skip
    assert answer["cues"][0]["end_s"] == answer["cues"][1]["start_s"]
    assert (answer["cues"][0]["start_s"], answer["cues"][1]["end_s"]) == (0.0, 9.0)


def test_a_cue_ends_after_its_start_however_short_its_chunk_is() -> None:
    written = captions.write("vtt", [CHUNKS[0] | {"text": "word " * 40, "end_s": 0.0011}], 0.0011)

    assert written.count("-->") > 1
    for line in filter(lambda line: " --> " in line, written.splitlines()):
        start, end = line.split(" --> ")
        assert start < end


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "start"), [("srt", "1\n"), ("vtt", "WEBVTT\n"), ("json", "{")])
async def test_the_route_writes_them_and_the_speech_is_in_the_cache_afterwards(
    open_server: Open, kind: str, start: str
) -> None:
    async with open_server() as http:
        written = await http.post("/captions", json={"text": "One. Two.", "captions": kind})
        speech = await http.post("/v1/audio/speech", json={"input": "One. Two.", "response_format": "wav"})

    assert written.text.startswith(start)
    assert written.headers["content-type"].startswith(captions.MIMETYPES[kind])
    assert speech.headers["x-chatterbox-cache"] == "hit"


@pytest.mark.anyio
async def test_captions_come_with_the_audio_and_end_where_it_ends(open_server: Open) -> None:
    async with open_server() as http:
        body = {"input": "One sentence. " * 40, "captions": "vtt", "chunk_size": 60}
        answer = (await http.post("/v1/audio/speech", json=body)).json()

    assert answer["audio_base64"]
    assert answer["captions"].count(" --> ") >= len(answer["chunks"]) > 5
    assert answer["chunks"][-1]["end_s"] == pytest.approx(answer["duration_s"], abs=1e-3)
