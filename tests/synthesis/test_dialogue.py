"""Turns and scripts: one plan, one batch, one recording, on every edge."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.audio.clip import silence
from chatterbox_worker.batch import rows
from chatterbox_worker.batch.rows import BatchRow
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, WorkerError
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.dialogue import Conversation
from chatterbox_worker.synthesis.synthesizer import Synthesizer, finish
from chatterbox_worker.text.preview import preview
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes
from support.fakes import ToneEngine

SCRIPT = """[alice]: Are you [laugh] ready?

Are you?
 [Bob Smith] : [pause:1s] I am ready.
[ALICE]:Then let us begin: now."""


@pytest.fixture(autouse=True)
def _voices(synthesizer: Synthesizer) -> None:
    for name, seconds in (("alice", 6.0), ("Bob Smith", 3.0)):
        synthesizer.library.save(name, wav_bytes(seconds), field="voice")


def _request(settings: Settings, body: dict[str, Any]) -> SpeechRequest:
    parsed = parse(body, settings)
    assert isinstance(parsed, SpeechRequest)
    return parsed


def test_each_turn_is_spoken_with_its_own_fields_and_all_at_once(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    engine.gate.clear()
    turns = [
        {"text": "One.", "voice": "alice", "seed": 3, "exaggeration": 0.7},
        {"text": "...", "pause_s": 0.25},
        {"text": "[pause:1s] Dos.", "language": "es", "name": "Ana", "speed": 2.0, "pause_s": {"turn": 0.5}},
        {"text": "Three. [pause:2s]", "pause_s": 9},
    ]
    body = {"turns": turns, "seed": 7, "temperature": 0.6, "pause_s": 1, "timestamps": "word"}
    plan = synthesizer.plan(_request(settings, body))
    speech = synthesizer.stream(plan, CancelScope())
    spoken = [take.utterance for take in engine.takes]
    engine.gate.set()
    info = finish(speech, 0.0).info

    assert [(each.text, each.language, each.voice.id) for each in spoken] == [
        ("One.", "en", "alice"), ("Dos.", "es", "default"), ("Three.", "en", "default"),
    ]  # fmt: skip
    assert [each.sampling["exaggeration"] for each in spoken] == [0.7, 0.5, 0.5]
    assert {each.sampling["temperature"] for each in spoken} == {0.6}
    assert [each.lead for each in spoken] == [None] * 3
    starts = [chunk.start_s for chunk in info.chunks]
    assert starts == pytest.approx([0.0, 0.04 + 1.0 + 0.25 + 1.0, 2.29 + 0.02 + 0.5], abs=2e-3)
    assert info.duration_s == pytest.approx(starts[2] + 0.06 + 2.0, abs=2e-3)
    assert (info.seeds, info.seed, info.voice) == ((3, None, 7, 7), 7, "alice, default")
    answer = info.as_json()
    assert [[part.get(name) for name in ("turn", "voice", "speaker")] for part in answer["chunks"]] == [
        [0, "alice", None], [2, "default", "Ana"], [3, "default", None],
    ]  # fmt: skip
    assert [word["turn"] for word in answer["words"]] == [0, 2, 3]
    assert type(info).from_json(json.loads(json.dumps(answer))) == info


def test_the_pauses_of_a_turn_are_those_of_the_dialogue_but_for_its_own(settings: Settings) -> None:
    turns = [{"text": "One."}, {"text": "Two.", "pause_s": 9}, {"text": "Three.", "pause_s": {"clause": 0.3}}]
    given = _request(settings, {"turns": turns, "pause_s": {"sentence": 0.1, "clause": 0.2, "turn": 2}}).turns

    assert [turn.pause_s for turn in given] == [2.0, 9.0, 2.0]
    assert [turn.request.pause_s["sentence"] for turn in given] == [0.1] * 3
    assert [turn.request.pause_s["clause"] for turn in given] == [0.2, 0.2, 0.3]


def test_the_noise_of_a_turn_stays_when_others_change(synthesizer: Synthesizer, settings: Settings) -> None:
    def seeds(*turns: dict[str, Any], **fields: Any) -> tuple[int, ...]:
        return synthesizer.plan(_request(settings, {"turns": list(turns), "seed": 7} | fields)).seeds

    yes, again, no = {"text": "Yes."}, {"text": "Yes."}, {"text": "No.", "voice": "alice", "seed": 5}
    first, second, third = seeds(yes, again, no)
    assert len({first, second, third}) == 3
    assert seeds(yes, no, {"text": "Yes.", "voice": "alice"}, again)[::3] == (first, second)
    assert seeds(no) == (third,) == synthesizer.plan(_request(settings, {"text": "No.", "seed": 5})).seeds
    assert [a == b for a, b in zip(seeds(yes, again, no, respeak=[1, 2]), (first, second, third), strict=True)] == [
        True, False, False,
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match="the text has chunks 0 to 1"):
        seeds(yes, no, respeak=[2])


def test_a_dialogue_has_one_key_that_knows_every_turn(synthesizer: Synthesizer, settings: Settings) -> None:
    synthesizer.library.save("carol", wav_bytes(6.0), field="voice")  # alice's recording
    turns = [{"text": "One.", "voice": "alice"}, {"text": "Two."}]
    bodies: list[dict[str, Any]] = [
        {"turns": [turns[0] | {"voice": "carol"}, turns[1]]},
        {"turns": turns}, {"turns": turns[::-1]}, {"turns": turns, "pause_s": 1}, {"turns": turns, "seed": 1},
        {"turns": [turns[0] | {"name": "Alice"}, turns[1]]}, {"turns": [*turns, {"text": "..."}]},
        {"turns": turns, "format": "mp3"}, {"turns": [turns[0], turns[1] | {"speed": 2}]}, {"text": "One. Two."},
    ]  # fmt: skip
    keys = [synthesizer.plan(_request(settings, body)).key for body in bodies]

    assert len(set(keys)) == len(keys)
    assert synthesizer.plan(_request(settings, bodies[0])).key == keys[0]
    first, second = (synthesizer.speak(_request(settings, bodies[0]), CancelScope()) for _ in range(2))
    assert (first.hit, second.hit, second.audio, second.info.seeds) == (False, True, first.audio, first.info.seeds)


def test_a_script_is_turns_with_the_voices_of_its_names(synthesizer: Synthesizer, settings: Settings) -> None:
    body = {"text": SCRIPT, "text_format": "script", "speed": 1.5}
    info = synthesizer.speak(_request(settings, body), CancelScope()).info

    assert [(chunk.by.voice, chunk.by.speaker, chunk.by.turn) for chunk in info.chunks if chunk.by] == [
        ("alice", "alice", 0), ("Bob-Smith", "Bob Smith", 1), ("alice", "alice", 2),
    ]  # fmt: skip
    assert [chunk.text for chunk in info.chunks] == [
        "Are you [laugh] ready?\n\nAre you?", "I am ready.", "Then let us begin: now.",
    ]  # fmt: skip
    assert info.voice == "alice, Bob-Smith"
    assert all(warning.startswith("line 1: ") for warning in info.warnings)
    assert len(info.warnings) == 1
    shown = preview(_request(settings, body))
    assert [(chunk["turn"], chunk["speaker"], chunk["pause_s"]) for chunk in shown["chunks"]] == [
        (0, "alice", 0.4), (1, "Bob Smith", 0.4), (2, "alice", 0.0),
    ]  # fmt: skip
    narrated = _request(settings, {"text": f"Once.\n{SCRIPT}", "text_format": "script", "voice": "default"})
    assert synthesizer.plan(narrated).voice == "default, alice, Bob-Smith"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[alice]: Hi.\n\n[carol]: Hi.",
            r"line 3: voice 'carol' not found; there are default, Bob-Smith \(Bob Smith\)",
        ),
        ("Once.\n[alice]: Hi.", "line 1: this text comes before the first name"),
        ("\n \nOnce.\n[alice]: Hi.", "line 3: this text comes before the first name"),
        ("[alice]: Hi.\r[carol]: Hi.", "line 2: voice 'carol' not found"),
        ("[alice]:\n\n[default]: Hi.", r"line 1: \[alice\] says nothing"),
        ("[alice]: Hi.\n[ ]: Hi.", "line 2: the name '' must have 1 to 100"),
        ("[alice] Hi. [bob]: no.", "a script has a name at the start of a turn"),
        ("[alice]: [pause:99s]", "line 1: a pause lasts at most"),
        ("[alice]: x\n" * 1001, "the script has 1001 turns"),
        ("", "a script has a name"),
    ],
)
def test_what_is_wrong_in_a_script_is_said_with_its_line(
    synthesizer: Synthesizer, settings: Settings, text: str, message: str
) -> None:
    with pytest.raises((InvalidRequest, VoiceNotFound), match=message) as refusal:
        synthesizer.plan(_request(settings, {"text": text, "text_format": "script"}))
    assert refusal.value.field == "text"


def test_a_name_finds_one_voice_or_says_which(synthesizer: Synthesizer) -> None:
    library = synthesizer.library
    library.save("ALICE", wav_bytes(3.0), field="voice")

    found = [library.id_named(name) for name in ("alice", "ALICE", "bob smith", "Bob-Smith", "Default")]
    assert found == ["alice", "ALICE", "Bob-Smith", "Bob-Smith", "default"]
    with pytest.raises(VoiceNotFound, match="is the name of ALICE or alice"):
        library.id_named("Alice")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"turns": [{"text": "x"}, {"text": "x", "voice": "al ice"}]}, "turns[1].voice"),
        ({"turns": [{"text": "x", "voice": "nobody"}]}, "turns[0].voice"),
        ({"turns": [{"text": "x", "voice": "alice", "reference_audio": "AAAA"}]}, "turns[0].reference_audio"),
        ({"turns": [{"text": "x", "language": "xx"}]}, "turns[0].language"),
        ({"turns": [{"text": "x", "text_format": "script"}]}, "turns[0].text_format"),
        ({"turns": [{"text": "x", "timestamps": "word"}]}, "turns[0].timestamps"),
        ({"turns": [{"text": "x", "context": []}]}, "turns[0].context"),
        ({"turns": [{"text": "x", "name": ""}]}, "turns[0].name"),
        ({"turns": [{"text": "x", "pause_s": {"turn": 11}}]}, "turns[0].pause_s.turn"),
        ({"turns": [{"text": "x", "model": "turbo", "voice": "alice"}, {"text": "y"}]}, None),
        ({"turns": [{"text": "x", "model": "turbo", "exaggeration": 0.5}]}, "turns[0].exaggeration"),
        ({"text": "x", "pause_s": 1.0}, "pause_s"),
        ({"text": "x", "pause_s": {"turn": 1.0}}, "pause_s"),
    ],
)
def test_bad_turns_are_refused_by_name(
    synthesizer: Synthesizer, settings: Settings, body: dict[str, Any], field: str | None
) -> None:
    if field is None:
        assert synthesizer.speak(_request(settings, body), CancelScope()).info.model == "turbo"
        return
    with pytest.raises(WorkerError) as refusal:
        synthesizer.plan(_request(settings, body))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("format", "applies to the whole dialogue; set it next to turns"),
        ("context", "is not for a dialogue: the turns are each other's context"),
        ("turns", "cannot be inside a turn"),
    ],
)
def test_a_field_that_no_turn_has_is_refused_with_the_reason(settings: Settings, field: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(f"turns[0].{field} {why}")):
        _request(settings, {"turns": [{"text": "Hi.", field: []}]})


def test_each_voice_is_a_speaker_of_a_model_with_context(settings: Settings) -> None:
    def speakers(model: str) -> list[int]:
        sources: list[dict[str, Any]] = [
            {"voice": "alice"}, {"reference_audio": "AAAA"}, {"voice": "alice"}, {"reference_audio": "BBBB"}, {},
        ]  # fmt: skip
        turns = [{"text": "Hi.", **source} for source in sources]
        turns += [{"text": "Hi.", "voice": "alice", "speaker": 9}] if model == "csm" else []
        served = replace(settings, models=(model,))
        return [turn.request.speaker for turn in _request(served, {"turns": turns}).turns]

    assert speakers("csm") == [0, 1, 0, 2, 3, 9]
    assert speakers("turbo") == [0] * 5


def test_context_is_the_last_eight_turns_and_no_more_is_kept(settings: Settings, engine: ToneEngine) -> None:
    served = replace(settings, models=("csm",))
    cache = AudioCache(settings.cache_dir, max_bytes=10**7, max_age_s=3600)
    synthesizer = Synthesizer({"csm": engine}, VoiceLibrary(settings.voices_dir), cache)
    turns = [{"text": f"Turn {chr(97 + index)}."} for index in range(12)]
    synthesizer.speak(_request(served, {"turns": turns}), CancelScope())

    contexts = [[turn.text for turn in take.utterance.context] for take in engine.takes]
    assert contexts == [[turn["text"] for turn in turns[max(0, index - 8) : index]] for index in range(12)]
    plan = synthesizer.plan(_request(served, {"turns": turns}))
    conversation = Conversation(plan)
    for index in range(12):
        conversation.add(index, silence(0.1, 24_000))
    assert len(conversation._spoken) == 8


def test_a_job_of_the_queue_takes_turns_alone_and_among_several_texts(
    synthesizer: Synthesizer, settings: Settings
) -> None:
    worker = Worker(settings, synthesizer)
    turns = [{"voice": "alice", "text": "One."}, {"text": "explode"}]

    def answer(job_input: dict[str, Any]) -> dict[str, Any]:
        return asyncio.run(worker({"id": "a", "input": job_input}))

    async def stream(job_input: dict[str, Any]) -> list[dict[str, Any]]:
        return [piece async for piece in worker.stream({"id": "b", "input": job_input})]

    good = {"turns": [turns[0], {"text": "Two."}], "format": "flac", "seed": 1}
    spoken = answer(good)
    *pieces, summary = asyncio.run(stream(good | {"format": "mp3"}))
    failed = answer({"turns": turns})
    several = answer({
        "format": "opus",
        "texts": [
            {"id": "1", **good}, {"id": "2", "turns": turns}, {"id": "3", "text": SCRIPT, "text_format": "script"},
        ],
    })  # fmt: skip
    worker.close()

    assert (spoken["turns"], spoken["seeds"], spoken["voice"]) == (2, [1, 1], "alice, default")
    assert [chunk["turn"] for chunk in spoken["chunks"]] == [chunk["turn"] for chunk in summary["chunks"]] == [0, 1]
    assert summary["seeds"] == [1, 1]
    assert pieces
    assert (failed["code"], failed["field"]) == ("synthesis_failed", "turns[1]")
    assert [result.get("error", {}).get("field") for result in several["results"]] == [None, "turns[1]", None]
    assert several["results"][2]["turns"] == 3


def test_a_batch_reads_turns_and_scripts(tmp_path: Path, settings: Settings) -> None:
    turns = [{"voice": "alice", "text": "One."}, {"text": "Two."}]
    (tmp_path / "lines.jsonl").write_text(json.dumps({"id": "a", "turns": turns}))
    (tmp_path / "table.csv").write_text('id;turns\nb;"[{""text"": ""One.""}]"\n')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "act one.txt").write_text(SCRIPT)

    def read(name: str, **defaults: Any) -> SpeechRequest:
        (row,) = rows.read(tmp_path / name, defaults, lambda fields: parse(fields, settings))
        assert isinstance(row, BatchRow), row
        return _request(settings, row.request())

    assert [turn.request.voice for turn in read("lines.jsonl", speed=2).turns] == ["alice", "default"]
    assert len(read("table.csv").turns) == 1
    assert [turn.name for turn in read("folder", text_format="script").turns] == ["alice", "Bob Smith", "alice"]


def test_an_unknown_field_of_a_turn_is_answered_with_those_that_a_turn_can_have(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match=r"turns\[1\]: unknown field 'voise'; known fields are ") as failed:
        _request(settings, {"turns": [{"text": "Yes."}, {"text": "No.", "voise": "alice"}]})
    known = re.split(", | or | are ", failed.value.message)
    assert failed.value.field == "turns[1].voise"
    assert {"name", "text", "voice", "speed", "prompt"} <= set(known)
    assert set(known).isdisjoint({"action", "format", "sample_rate", "cache", "context", "candidates", "turns"})
