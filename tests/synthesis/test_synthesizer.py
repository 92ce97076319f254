"""The one loop, with an engine that speaks tones."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.clip import concatenate
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Cancelled, InvalidRequest, NoSpeech, SynthesisFailed, VoiceNotFound
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_base64, wav_bytes
from support.fakes import ToneEngine, ToneTake

STORY = "The rain had stopped. A door opened, and somebody laughed. " * 12 + "\n\nThen it was quiet."


def request(settings: Settings, text: str = STORY, **fields: Any) -> SpeechRequest:
    parsed = parse({"text": text, **fields}, settings)
    assert isinstance(parsed, SpeechRequest)
    return parsed


def test_the_chunks_cover_the_text_in_order(synthesizer: Synthesizer, settings: Settings) -> None:
    recording = synthesizer.speak(request(settings), CancelScope())

    chunks = recording.info.chunks
    assert len(chunks) > 3
    assert " ".join(" ".join(chunk.text for chunk in chunks).split()) == " ".join(STORY.split())
    for before, after in pairwise(chunks):
        assert before.end <= after.start
        assert before.start_s < before.end_s < after.start_s
    assert chunks[-1].end_s <= recording.info.duration_s


def test_every_chunk_is_submitted_before_the_first_is_read(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    engine.gate.clear()
    plan = synthesizer.plan(request(settings))

    speech = synthesizer.stream(plan, CancelScope())

    assert len(engine.takes) == len(plan.chunks) > 3
    engine.gate.set()
    assert len(list(speech)) > 0


def test_a_stream_joined_is_the_recording(synthesizer: Synthesizer, settings: Settings) -> None:
    asked = request(settings, seed=5)
    pieces = list(synthesizer.stream(synthesizer.plan(asked), CancelScope()))
    streamed = concatenate(pieces)

    assert all(len(piece.samples) for piece in pieces)
    recording = synthesizer.speak(asked, CancelScope())

    assert encode(streamed, "wav", 24_000) == recording.audio


def test_each_chunk_has_its_own_seed_and_the_request_decides_them(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    synthesizer.speak(request(settings, seed=2**32 - 1), CancelScope())

    seeds = [take.utterance.seed for take in engine.takes]
    assert len(set(seeds)) == len(seeds) > 3
    synthesizer.speak(request(settings, seed=2**32 - 1, cache=False), CancelScope())
    assert [take.utterance.seed for take in engine.takes] == seeds * 2


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_words_have_their_places_in_the_text_and_their_times_in_the_audio(
    synthesizer: Synthesizer, settings: Settings, speed: float
) -> None:
    recording = synthesizer.speak(request(settings, timestamps="word", speed=speed), CancelScope())

    chunks, words = recording.info.chunks, recording.info.words
    assert words is not None
    assert " ".join(word.text for word in words) == " ".join(STORY.split())
    for chunk in chunks:
        own = [word for word in words if chunk.start <= word.start < chunk.end]
        assert " ".join(chunk.text.split()) == " ".join(word.text for word in own)
        assert chunk.start_s <= own[0].start_s
        assert own[-1].end_s <= chunk.end_s
        lasts_s = (chunk.end_s - chunk.start_s) * len(own[0].text) / len(chunk.text)  # a tone shares its time evenly
        assert own[0].end_s - own[0].start_s == pytest.approx(lasts_s, abs=0.03)
    assert all(one.end_s <= two.start_s for one, two in pairwise(words))
    assert recording.info.warnings == ()


def test_words_are_kept_by_the_cache_and_only_said_where_asked(synthesizer: Synthesizer, settings: Settings) -> None:
    plain = synthesizer.speak(request(settings, seed=5), CancelScope())
    timed, again = (synthesizer.speak(request(settings, seed=5, timestamps="word"), CancelScope()) for _ in range(2))

    assert (plain.hit, timed.hit, again.hit) == (False, False, True)
    assert plain.audio == timed.audio == again.audio
    assert timed.info.words == again.info.words
    assert plain.info.words is None
    assert "words" not in plain.report()
    first = timed.report()["words"][0]
    assert list(first) == ["text", "start", "end", "start_s", "end_s"]
    assert (first["text"], first["start"], first["end"]) == ("The", 0, 3)


def test_a_model_that_knows_no_times_has_its_chunks_as_words(
    synthesizer: Synthesizer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToneTake, "boundaries_s", ())

    info = synthesizer.speak(request(settings, timestamps="word"), CancelScope()).info

    assert info.words is not None
    assert [(word.text, word.start_s) for word in info.words] == [(chunk.text, chunk.start_s) for chunk in info.chunks]
    assert len(info.warnings) == 1
    assert "no times of their words" in info.warnings[0]


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_changes_the_length_and_leaves_the_pitch(
    synthesizer: Synthesizer, settings: Settings, speed: float
) -> None:
    plain = synthesizer.speak(request(settings, "A single sentence of some length, spoken.", seed=1), CancelScope())
    changed = synthesizer.speak(
        request(settings, "A single sentence of some length, spoken.", seed=1, speed=speed), CancelScope()
    )

    assert changed.info.duration_s == pytest.approx(plain.info.duration_s / speed, rel=0.15)
    assert pitch_of(changed.audio) == pytest.approx(pitch_of(plain.audio), rel=0.02)


def pitch_of(wav: bytes) -> float:
    samples, rate = soundfile.read(io.BytesIO(wav))
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


KEYED: list[dict[str, Any]] = [
    {"text": "Other words."}, {"text": "some words."}, {"model": "turbo"}, {"language": "es"}, {"seed": 1},
    {"speed": 1.01}, {"format": "flac"}, {"sample_rate": 16_000}, {"temperature": 0.81}, {"exaggeration": 0.51},
    {"cfg_weight": 0.0}, {"repetition_penalty": 1.3}, {"top_p": 0.9}, {"min_p": 0.06}, {"chunk_size": 60},
    {"split_text": False}, {"reference_audio": wav_base64()}, {"reference_audio": wav_base64(pitch=300)},
    {"format": "mp3"}, {"format": "mp3", "bitrate_kbps": 64}, {"loudness_lufs": -20}, {"gain_db": 1}, {"trim": "none"},
    {"trim": "inner"}, {"max_chunk_s": 10}, {"timestamps": "word"}, {"check": "sound"}, {"seed": 1, "respeak": [0]},
    {"check": "sound", "attempts": 3}, {"check": "sound", "on_fail": "error"}, {"seed": 1, "respeak": [0, 0]},
]  # fmt: skip


def test_whatever_changes_the_sound_changes_the_key(synthesizer: Synthesizer, settings: Settings) -> None:
    keys = {synthesizer.plan(request(settings, **({"text": "Some words."} | change))).key for change in [{}, *KEYED]}

    assert len(keys) == 1 + len(KEYED)


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"format": "mp3"}, {"format": "mp3", "bitrate_kbps": 128}),
        (
            {},
            {"format": "wav", "sample_rate": 24_000, "speed": 1, "gain_db": 0, "trim": "edges", "timestamps": "chunk"},
        ),
        ({}, {"model": "multilingual", "language": "EN", "voice": "default", "temperature": 0.8, "check": "off"}),
    ],
)
def test_a_default_that_is_named_does_not_change_the_key(
    synthesizer: Synthesizer, settings: Settings, fields: dict[str, Any], same: dict[str, Any]
) -> None:
    first, second = (synthesizer.plan(request(settings, **({"text": "A."} | each))).key for each in (fields, same))

    assert first == second


def test_what_a_model_with_context_is_given_changes_the_key(settings: Settings, engine: ToneEngine) -> None:
    served = replace(settings, models=("csm",))
    cache = AudioCache(settings.cache_dir, max_bytes=0, max_age_s=1)
    synthesizer = Synthesizer({"csm": engine}, VoiceLibrary(settings.voices_dir), cache)
    past, voice = {"text": "Hum.", "audio": wav_base64(1.0)}, {"reference_audio": wav_base64()}
    changes: list[dict[str, Any]] = [
        {}, {"speaker": 1}, {"context": [past]}, {"context": [past, past]}, {"context": [past | {"speaker": 1}]},
        {"context": [past | {"text": "Ho."}]}, {"context": [past | {"audio": wav_base64(1.0, pitch=300)}]},
        voice | {"reference_transcript": "Hum."}, voice | {"reference_transcript": "Ho."},
    ]  # fmt: skip
    keys = {synthesizer.plan(request(served, "Some words.", **change)).key for change in changes}

    assert len(keys) == len(changes)


def test_white_space_around_and_between_does_not_change_the_key(synthesizer: Synthesizer, settings: Settings) -> None:
    assert (
        synthesizer.plan(request(settings, " Some\twords. ")).key
        == synthesizer.plan(request(settings, "Some words.")).key
    )


def test_other_weights_change_the_key(synthesizer: Synthesizer, settings: Settings, engine: ToneEngine) -> None:
    before = synthesizer.plan(request(settings)).key
    engine.revision = "tone-2"

    assert synthesizer.plan(request(settings)).key != before


def test_cache_false_is_neither_served_nor_kept(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine, tmp_path: Path
) -> None:
    recordings = [synthesizer.speak(request(settings, "Hello.", cache=False), CancelScope()) for _ in range(2)]

    assert [recording.hit for recording in recordings] == [False, False]
    assert len(engine.takes) == 2
    assert not (tmp_path / "cache").exists()


def test_a_hit_says_the_voice_by_the_name_it_was_asked_for(synthesizer: Synthesizer, settings: Settings) -> None:
    first = synthesizer.library.save("alice", wav_bytes(), field="reference_audio")
    assert first.clip is not None
    second = synthesizer.library.save("bob", wav_bytes(), field="reference_audio")
    assert first.digest == second.digest

    synthesizer.speak(request(settings, "Hello.", voice="alice"), CancelScope())
    hit = synthesizer.speak(request(settings, "Hello.", voice="bob"), CancelScope())

    assert (hit.hit, hit.info.voice) == (True, "bob")


def test_a_volume_that_takes_long_to_write_delays_neither_the_answer_nor_the_next(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, write = threading.Event(), Path.write_bytes

    def wait_and_write(path: Path, data: bytes) -> int:
        assert go_on.wait(60)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", wait_and_write)
    answers = [synthesizer.speak(request(settings, "Hello."), CancelScope()) for _ in range(2)]
    assert [answer.hit for answer in answers] == [False, True]
    assert not list(settings.cache_dir.glob("*.entry"))
    go_on.set()
    synthesizer.close()
    (stored,) = settings.cache_dir.glob("*.entry")
    assert stored.read_bytes().endswith(answers[0].audio)
    assert len(engine.takes) == 1


def test_many_callers_of_one_text_make_it_once(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    engine.gate.clear()
    heard: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: heard.append(synthesizer.speak(request(settings, "Hello."), CancelScope()).audio)
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    while not engine.takes:
        pass
    engine.gate.set()
    for thread in threads:
        thread.join(60)

    assert len(engine.takes) == 1
    assert len(set(heard)) == 1
    assert len(heard) == 6


def test_alternating_voices_never_bleed(synthesizer: Synthesizer, settings: Settings, engine: ToneEngine) -> None:
    voices = [{"reference_audio": wav_base64(pitch=pitch)} for pitch in (220, 330)] + [{}]
    asked = [request(settings, "Hello.", seed=1, cache=False, **voice) for voice in voices]

    first = [synthesizer.speak(each, CancelScope()).audio for each in asked]
    again = [synthesizer.speak(each, CancelScope()).audio for each in reversed(asked)]

    assert len(set(first)) == 3
    assert again[::-1] == first


def test_an_unknown_voice_fails_before_anything_is_submitted(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    with pytest.raises(VoiceNotFound):
        synthesizer.speak(request(settings, voice="nobody"), CancelScope())
    assert engine.takes == []


def test_a_failed_chunk_gives_up_the_others(synthesizer: Synthesizer, settings: Settings, engine: ToneEngine) -> None:
    with pytest.raises(SynthesisFailed):
        synthesizer.speak(request(settings, "Explode now. " + STORY), CancelScope())

    assert all(take.cancelled.is_set() for take in engine.takes)


def test_a_text_that_makes_no_sound_is_not_a_failure_of_the_server(
    synthesizer: Synthesizer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.fakes.tone", lambda _: np.zeros(2400, np.float32))
    with pytest.raises(NoSpeech, match="no sound for this text") as raised:
        synthesizer.speak(request(settings, "𰀀"), CancelScope())
    assert (raised.value.status, raised.value.code) == (422, "no_speech")


def test_a_reader_who_goes_away_frees_the_rest(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    speech = iter(synthesizer.stream(synthesizer.plan(request(settings)), CancelScope()))
    next(speech)
    del speech

    assert all(take.cancelled.is_set() for take in engine.takes)


def test_cancelled_before_it_began_it_does_not_begin(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    call = CancelScope()
    call.cancel()

    with pytest.raises(Cancelled):
        synthesizer.speak(request(settings), call)
    assert engine.takes == []


def test_progress_is_reported_after_every_chunk(synthesizer: Synthesizer, settings: Settings) -> None:
    told: list[tuple[int, int, float]] = []

    recording = synthesizer.speak(request(settings), CancelScope(lambda *progress: told.append(progress)))

    count = len(recording.info.chunks)
    assert {done for done, _, _ in told} >= set(range(1, count + 1))
    assert {total for _, total, _ in told} == {count}
    assert told[-1][2] == pytest.approx(recording.info.duration_s, abs=1e-3)


def test_a_clip_that_is_too_short_for_the_model_is_refused_with_its_length(
    synthesizer: Synthesizer, settings: Settings
) -> None:
    asked = request(settings, "Hello.", model="turbo", reference_audio=wav_base64(4.5))

    with pytest.raises(
        InvalidRequest, match=r"lasts 4\.5 s without the silence at its ends; turbo needs a recording longer than 5 s"
    ):
        synthesizer.speak(asked, CancelScope())


def test_a_model_without_voices_refuses_one(settings: Settings, engine: ToneEngine, synthesizer: Synthesizer) -> None:
    preview = Synthesizer({"preview": engine}, synthesizer.library, synthesizer.cache)
    asked = request(replace(settings, models=("preview",)), "Hello.", reference_audio=wav_base64())

    with pytest.raises(InvalidRequest) as refused:
        preview.speak(asked, CancelScope())
    assert refused.value.field == "reference_audio"


def test_a_warning_of_several_chunks_is_given_once(
    synthesizer: Synthesizer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToneTake, "warnings", property(lambda _: ("stress marks are missing",)))
    recording = synthesizer.speak(request(settings, "A sentence of some length. " * 30, cache=False), CancelScope())
    assert len(recording.info.chunks) > 1
    assert recording.info.warnings == ("stress marks are missing",)
