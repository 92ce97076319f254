"""Pauses: exact ones in the text, and those of a request, from the tags to the samples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.audio.join import GUARD_AFTER_S, GUARD_BEFORE_S, Joiner, join
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.markup.pauses import LONGEST_PAUSE_S, LONGEST_PAUSES_S, split_at_pauses
from chatterbox_worker.text.prepare import prepare
from support.fakes import RATE


def _request(text: str, **fields: Any) -> SpeechRequest:
    request = parse({"text": text, **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return request


def _pauses(text: str, **fields: Any) -> tuple[float, list[tuple[str, float]]]:
    """The silence before the first chunk, and each chunk with the silence after it."""
    prepared = prepare(_request(text, **fields))
    chunks = prepared.chunks
    return chunks[0].lead_pause_s, [(chunk.spoken, chunk.pause_s(1.0, prepared.pauses_s)) for chunk in chunks]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    ("text", "lead_s", "chunks"),
    [
        ("Hello. [pause:1s] World.", 0.0, [("Hello.", 1.0), ("World.", 0.0)]),
        ("Hello.[pause:300ms]World.", 0.0, [("Hello.", 0.3), ("World.", 0.0)]),
        ("Hello there, [pause:0,5s] world.", 0.0, [("Hello there,", 0.5), ("World.", 0.0)]),
        ("Hello. [PAUSE: 1.5 sec] World.", 0.0, [("Hello.", 1.5), ("World.", 0.0)]),
        ("Hello. [pause 2] World.", 0.0, [("Hello.", 2.0), ("World.", 0.0)]),
        ("Hello. [pause:1s] [pause:500ms]\n\n[pause:1s] World.", 0.0, [("Hello.", 2.5), ("World.", 0.0)]),
        ("Hello. [pause:1s] ... [pause:2s] World.", 0.0, [("Hello.", 3.0), ("World.", 0.0)]),
        ("Hello.\n\n[pause:1s]\n\nWorld.", 0.0, [("Hello.", 1.0), ("World.", 0.0)]),
        ("[pause:1s] Hello. [pause:2s]", 1.0, [("Hello.", 2.0)]),
        ("Hello. [pause:0s] World.", 0.0, [("Hello.", 0.0), ("World.", 0.0)]),
        ('Hello. <break time="1.5s"/> World.', 0.0, [("Hello.", 1.5), ("World.", 0.0)]),
        ("Hello. <BREAK time='250ms' /> World.", 0.0, [("Hello.", 0.25), ("World.", 0.0)]),
        ("[Pause: he waits] Hello.", 0.0, [("[Pause, he waits] Hello.", 0.0)]),
        ("A [pause] here.", 0.0, [("A [pause] here.", 0.0)]),
    ],
)
def test_a_pause_in_the_text_is_exact_and_not_read(
    text: str, lead_s: float, chunks: list[tuple[str, float]], normalize: bool
) -> None:
    assert _pauses(text, normalize=normalize) == (lead_s, chunks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A [pause:31s] b.", "at most 30 s"),
        ("A [pause:-1s] b.", "written as"),
        ("A [pause:5 minutes] b.", "written as"),
        ('A <break time="1h"/> b.', "written as"),
        ('A <break time="31s"/> b.', "at most 30 s"),
        ("A [pause:30s] b. " * 21, "600 s together"),
        ("[pause:1s]", "nothing to speak"),
    ],
)
def test_a_pause_that_cannot_be_made_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refusal:
        _pauses(text)
    assert refusal.value.field == "text"


def test_the_limits_are_those_of_the_errors() -> None:
    assert list(split_at_pauses("[pause:30s]")) == ["", LONGEST_PAUSE_S, ""]
    assert LONGEST_PAUSES_S == 600


def test_a_request_sets_the_pauses_between_its_chunks() -> None:
    sentence = "The rain had stopped and the street was quiet again, as it was every night. "
    text = f"{sentence * 2}\n\n{sentence * 2}"
    defaults = [pause for _, pause in _pauses(text, chunk_size=90)[1]]
    assert defaults == [0.4, 0.8, 0.4, 0.0]
    given = _pauses(text, chunk_size=90, pause_s={"sentence": 1.5, "paragraph": 3})[1]
    assert [pause for _, pause in given] == [1.5, 3.0, 1.5, 0.0]
    lines = "\n".join(["Whose woods these are I think I know,", "his house is in the village though"] * 2)
    assert [pause for _, pause in _pauses(lines, chunk_size=50)[1]] == [0.3, 0.3, 0.3, 0.0]
    assert [pause for _, pause in _pauses(lines, chunk_size=50, pause_s={"line": 0.7})[1]] == [0.7, 0.7, 0.7, 0.0]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"sentence": 11}, "pause_s.sentence"),
        ({"sentence": -0.1}, "pause_s.sentence"),
        ({"word": 1}, "pause_s.word"),
        (1.0, "pause_s"),
        ({"line": "1s"}, "pause_s.line"),
    ],
)
def test_a_bad_pause_of_a_request_is_refused_by_name(given: object, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _request("Hello.", pause_s=given)
    assert refusal.value.field == field
    if field == "pause_s.word":
        assert "sentence" in refusal.value.message


def _silences(samples: np.ndarray[Any, np.dtype[np.float32]]) -> list[int]:
    """The lengths of the runs of digital silence, of at least 10 ms, in samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], samples == 0.0, [False]]).astype(int)))
    runs = edges[1::2] - edges[::2]
    return [int(run) for run in runs if run > RATE // 100]


@pytest.mark.parametrize("speed", [1.0, 2.0])
@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.12, 1.0, 2.5])
def test_a_pause_has_exactly_its_samples(synthesizer: Synthesizer, seconds: float, speed: float) -> None:
    text = f"[pause:{seconds}s] Hello there. [pause:{seconds}s] World, [pause:{seconds}s] it is. [pause:{seconds}s]"
    plan = synthesizer.plan(_request(text, speed=speed))

    audio = concatenate(list(synthesizer.stream(plan, CancelScope())))

    spans = [(span.start, span.end) for span in _spans(synthesizer, text, speed)]
    gaps = [spans[0][0], *(after[0] - before[1] for before, after in pairwise(spans)),
            len(audio.samples) - spans[-1][1]]  # fmt: skip
    assert gaps == pytest.approx([round(seconds * RATE)] * 4, abs=RATE // 100 if speed != 1.0 else 0)
    if speed == 1.0:
        silences = [run for run in _silences(audio.samples) if run >= round(seconds * RATE) * 0.99]
        assert all(abs(run - round(seconds * RATE)) <= 2 for run in silences)


def _spans(synthesizer: Synthesizer, text: str, speed: float) -> Any:
    stream = synthesizer.stream(synthesizer.plan(_request(text, speed=speed)), CancelScope())
    list(stream)
    return stream._joiner.spans


def _speech(before_s: float, after_s: float) -> Audio:
    """A tone of 0.5 s with very quiet noise around it, as a model leaves it."""
    random = np.random.default_rng(1)
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE // 2) / RATE)
    noise = [1e-4 * random.standard_normal(round(seconds * RATE)) for seconds in (before_s, after_s)]
    return Audio(np.concatenate([noise[0], tone, noise[1]]).astype(np.float32), RATE)


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.1, 0.15, 0.4])
def test_an_exact_pause_shortens_the_guards_and_another_does_not(seconds: float) -> None:
    def gap_s(*, exact: bool) -> float:
        joiner, parts = Joiner(RATE, live=True), []
        for _ in range(2):
            parts += [joiner.add(_speech(0.3, 0.3)).samples, joiner.end_chunk(seconds, exact=exact).samples]
        loud = np.flatnonzero(np.abs(np.concatenate(parts)) > 0.01)
        return float(np.diff(loud).max()) / RATE

    # the search for a word's edge works in frames of 10 ms
    assert gap_s(exact=True) == pytest.approx(seconds, abs=0.025)
    assert gap_s(exact=False) == pytest.approx(max(seconds, GUARD_AFTER_S + GUARD_BEFORE_S), abs=0.025)


def test_exact_pauses_around_a_silent_chunk_add_up() -> None:
    silence = Audio(np.zeros(RATE, np.float32), RATE)
    joiner = Joiner(RATE, lead_s=0.5)
    parts = [joiner.add(silence).samples, joiner.end_chunk(1.0, exact=True).samples]
    parts += [joiner.add(_speech(0.0, 0.0)).samples, joiner.end_chunk(0.25, exact=True).samples]
    parts += [joiner.add(silence).samples, joiner.end_chunk(0.5, exact=True).samples, joiner.finish().samples]
    assert len(np.concatenate(parts)) == round((0.5 + 1.0 + 0.5 + 0.25 + 0.5) * RATE)
    assert [span.end - span.start for span in joiner.spans] == [0, RATE // 2, 0]


def test_without_a_pause_in_the_text_the_audio_is_as_before() -> None:
    chunks = [(_speech(0.2, 0.2), 0.4), (_speech(0.1, 0.3), 0.0)]
    joiner, parts = Joiner(RATE), []
    for audio, pause_s in chunks:
        parts += [joiner.add(audio).samples, joiner.end_chunk(pause_s).samples]
    assert np.array_equal(np.concatenate([*parts, joiner.finish().samples]), join(chunks, RATE).audio.samples)


def test_pauses_are_part_of_the_cache_key_where_they_differ(synthesizer: Synthesizer) -> None:
    def key(text: str, **fields: Any) -> str:
        return synthesizer.plan(_request(text, **fields)).key

    assert key("Hello. World.") == key("Hello. World.", pause_s={"sentence": 0.4})
    keys = [
        key("Hello. World."), key("Hello. World.", pause_s={"sentence": 0.5}), key("Hello. [pause:1s] World."),
        key("Hello. [pause:2s] World."), key("[pause:1s] Hello. World."), key("Hello. World. [pause:1s]"),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
