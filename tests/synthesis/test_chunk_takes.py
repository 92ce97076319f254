"""An edit of one sentence: the other chunks keep their noise and their sound."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from chatterbox_worker.answer import Recording
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Cancelled, InvalidRequest, SynthesisFailed
from chatterbox_worker.request import parse
from chatterbox_worker.synthesis.chunk_takes import (
    ChunkCache,
    StoredTake,
    attempt_seed,
    candidate_seeds,
    chunk_seeds,
    to_24_bits,
)
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.chunk import Chunk, Pause
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_base64
from support.fakes import RATE, ToneEngine

SENTENCES = [f"This is sentence number {chr(97 + i // 26)}{chr(97 + i % 26)} of the whole story." for i in range(60)]
SHORT = {"chunk_size": 50, "seed": 7}


def build(settings: Settings, engine: ToneEngine | None = None) -> tuple[Synthesizer, ToneEngine]:
    engine = engine or ToneEngine()
    cache = AudioCache(settings.cache_dir, max_bytes=settings.cache_max_bytes, max_age_s=settings.cache_max_age_s)
    return Synthesizer({"multilingual": engine, "turbo": engine}, VoiceLibrary(settings.voices_dir), cache), engine


def speak(synthesizer: Synthesizer, settings: Settings, sentences: list[str], **fields: Any) -> Recording:
    request = parse({"text": "\n\n".join(sentences), **SHORT, **fields}, settings)
    recording = synthesizer.speak(request, CancelScope())  # type: ignore[arg-type]
    synthesizer.cache.files.flush()
    return recording


def parts(recording: Recording) -> list[bytes]:
    """The sound of each chunk."""
    samples, rate = soundfile.read(io.BytesIO(recording.audio), dtype="int16")
    return [samples[round(c.start_s * rate) : round(c.end_s * rate)].tobytes() for c in recording.info.chunks]


def test_one_sentence_changed_in_the_middle_is_one_chunk_spoken(settings: Settings) -> None:
    first, _ = build(settings)
    before = speak(first, settings, SENTENCES)
    edited = [*SENTENCES[:30], "Something else entirely was written here.", *SENTENCES[31:]]

    second, engine = build(settings)  # another worker, whose memory is empty
    after = speak(second, settings, edited)

    assert len(before.info.chunks) == len(after.info.chunks) == 60
    assert [take.utterance.text for take in engine.takes] == ["Something else entirely was written here."]
    assert [chunk.kept for chunk in after.info.chunks] == [index != 30 for index in range(60)]
    same = [old == new for old, new in zip(parts(before), parts(after), strict=True)]
    assert same == [index != 30 for index in range(60)]
    assert (after.timings["queue_s"], after.timings["t3_s"]) == (0.125, 0.25)  # of the one that was spoken


def test_a_sentence_inserted_or_removed_leaves_the_others(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:6])
    count = len(engine.takes)
    speak(synthesizer, settings, [*SENTENCES[:3], "A new one stands between them.", *SENTENCES[3:6]])
    speak(synthesizer, settings, [*SENTENCES[:2], *SENTENCES[3:6]])
    assert [take.utterance.text for take in engine.takes[count:]] == ["A new one stands between them."]


def test_speaking_chunks_again_changes_only_them_and_each_time_otherwise(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    before = speak(synthesizer, settings, SENTENCES[:8])
    count = len(engine.takes)
    once = speak(synthesizer, settings, SENTENCES[:8], respeak=[4, 6])
    twice = speak(synthesizer, settings, SENTENCES[:8], respeak=[4, 6, 4])
    again = speak(synthesizer, settings, SENTENCES[:8], respeak=[6, 4])

    changed = [[a != b for a, b in zip(parts(before), parts(other), strict=True)] for other in (once, twice)]
    assert changed == [[index in (4, 6) for index in range(8)]] * 2
    assert parts(once)[4] != parts(twice)[4]
    assert len(engine.takes) == count + 2 + 1  # the two, then the one that is new again
    assert [chunk.kept for chunk in twice.info.chunks] == [index != 4 for index in range(8)]
    assert again.hit
    assert again.audio == once.audio


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"respeak": [8]}, "respeak", "respeak names chunk 8, but the text has chunks 0 to 7"),
        ({"respeak": [-1]}, "respeak", "respeak"),
        ({"respeak": [0], "seed": None}, "seed", "respeak needs the seed"),
    ],
)
def test_chunks_that_cannot_be_spoken_again_are_refused(
    settings: Settings, fields: dict[str, Any], field: str, message: str
) -> None:
    synthesizer, _ = build(settings)
    with pytest.raises(InvalidRequest, match=message) as refusal:
        speak(synthesizer, settings, SENTENCES[:8], **fields)
    assert (refusal.value.field or "").startswith(field)


@pytest.mark.parametrize(
    "fields",
    [
        {"cache": False}, {"temperature": 0.4}, {"language": "es"}, {"max_chunk_s": 10.0}, {"seed": 8},
        {"model": "turbo"}, {"reference_audio": wav_base64()},
    ],
)  # fmt: skip
def test_what_changes_the_sound_of_a_chunk_speaks_it(settings: Settings, fields: dict[str, Any]) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:3])
    speak(synthesizer, settings, SENTENCES[:3], **fields)
    assert len(engine.takes) == 6


def test_other_weights_speak_every_chunk(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:3])
    engine.revision = "tone-2"
    speak(synthesizer, settings, SENTENCES[:3])
    assert len(engine.takes) == 6


@pytest.mark.parametrize("fields", [{"speed": 1.5}, {"format": "mp3"}, {"gain_db": -3.0}, {"sample_rate": 48_000}])
def test_what_is_done_to_the_sound_afterwards_does_not(settings: Settings, fields: dict[str, Any]) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:3])
    speak(synthesizer, settings, SENTENCES[:3], **fields)
    assert len(engine.takes) == 3


def test_words_are_known_of_stored_chunks_too(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:3])
    timed = speak(synthesizer, settings, SENTENCES[:3], timestamps="word")  # the times were not stored: spoken again
    more = speak(synthesizer, settings, SENTENCES[:4], timestamps="word")
    assert len(engine.takes) == 3 + 3 + 1
    assert timed.info.words is not None
    assert more.info.words is not None
    assert more.info.words[: len(timed.info.words)] == timed.info.words


def test_a_request_without_a_seed_can_be_edited_with_the_seed_of_its_answer(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    before = speak(synthesizer, settings, SENTENCES[:5], seed=None)
    after = speak(synthesizer, settings, [*SENTENCES[:4], "Quite another end of it."], seed=before.info.seed)
    assert len(engine.takes) == 6
    assert parts(before)[:4] == parts(after)[:4]


def test_a_hit_of_the_whole_says_that_every_chunk_was_kept(settings: Settings) -> None:
    synthesizer, _ = build(settings)
    assert not any(chunk.kept for chunk in speak(synthesizer, settings, SENTENCES[:3]).info.chunks)
    assert all(chunk.kept for chunk in speak(synthesizer, settings, SENTENCES[:3]).info.chunks)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"x" * len(data), lambda _: b""])
def test_a_damaged_chunk_is_spoken_again(settings: Settings, damage: Any) -> None:
    synthesizer, engine = build(settings)
    before = speak(synthesizer, settings, SENTENCES[:3])
    for path in settings.cache_dir.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert speak(synthesizer, settings, SENTENCES[:3]).audio == before.audio
    assert len(engine.takes) == 6


def test_chunks_are_swept_with_the_recordings(settings: Settings) -> None:
    synthesizer, _ = build(replace(settings, cache_max_bytes=300_000))
    for number in range(4):
        speak(synthesizer, settings, SENTENCES[number * 10 : number * 10 + 10])
    synthesizer.cache.files.sweep()
    assert sum(path.stat().st_size for path in settings.cache_dir.iterdir()) < 320_000


def test_stored_chunks_are_cancelled_too(settings: Settings) -> None:
    synthesizer, engine = build(settings)
    speak(synthesizer, settings, SENTENCES[:3])
    edited = parse({"text": "\n\n".join(SENTENCES[:2]), **SHORT}, settings)
    scope = CancelScope()
    speech = synthesizer.stream(synthesizer.plan(edited), scope)  # type: ignore[arg-type]
    scope.cancel()
    with pytest.raises(Cancelled):
        list(speech)
    assert len(engine.takes) == 3


def test_a_volume_that_cannot_be_written_does_not_matter(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    synthesizer, engine = build(replace(settings, cache_dir=tmp_path / "file" / "cache"))
    for _ in range(2):
        assert speak(synthesizer, settings, SENTENCES[:3]).info.duration_s > 1
    assert len(engine.takes) == 6


def _wait(event: threading.Event) -> None:
    assert event.wait(10)


def test_a_stored_take_is_the_take_to_the_bit(tmp_path: Path) -> None:
    files = AudioCache(tmp_path, max_bytes=10**9, max_age_s=1e6).files
    chunks = ChunkCache(files)
    noise = np.random.default_rng(1).uniform(-1.2, 1.2, 5000).astype(np.float32)
    take = StoredTake(Audio(to_24_bits(noise), RATE), ("a warning",), (0.0, 0.25))
    goes_on = threading.Event()
    files.write_later(lambda: _wait(goes_on), 0)
    chunks.put("k" * 64, take)
    assert chunks.get("k" * 64, timed=True) is take  # before it is written
    goes_on.set()
    files.flush()
    stored = chunks.get("k" * 64, timed=True)
    assert stored is not None
    assert stored is not take
    assert np.array_equal(stored.audio.samples, take.audio.samples)
    assert (stored.warnings, stored.boundaries_s, stored.audio.sample_rate) == (take.warnings, (0.0, 0.25), RATE)
    assert np.abs(take.audio.samples - noise.clip(-1, 1)).max() <= 2**-23


def test_a_take_that_is_no_number_is_not_stored(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesizer, _ = build(settings)
    sound, stored = np.sin(np.arange(24_000) / 10).astype(np.float32), list[str]()
    sound[12_000] = np.nan
    monkeypatch.setattr("support.fakes.tone", lambda _: sound)
    monkeypatch.setattr(synthesizer.chunks, "put", lambda key, _: stored.append(key))
    with pytest.raises(SynthesisFailed):
        speak(synthesizer, settings, SENTENCES[:3])
    sound[12_000] = 0.0
    assert not stored
    speak(synthesizer, settings, SENTENCES[:3])
    assert len(stored) == 3


def test_a_take_that_ends_after_the_cache_was_closed_is_spoken(settings: Settings) -> None:
    synthesizer, _ = build(settings)
    synthesizer.cache.files.close()
    assert speak(synthesizer, settings, SENTENCES[:3]).info.duration_s > 1
    assert not [*settings.cache_dir.glob("*.chunk")]


def test_the_noise_comes_from_the_words_and_how_often_they_came_before() -> None:
    def chunks(*words: str) -> list[Chunk]:
        return [Chunk(word, 0, 1, Pause.SENTENCE, spoken=word, language="en") for word in words]

    a, b, again = chunk_seeds(5, chunks("a", "b", "a"))
    assert len({a, b, again}) == 3
    assert chunk_seeds(5, chunks("b", "a", "c", "a")) == (b, a, chunk_seeds(5, chunks("c"))[0], again)
    assert chunk_seeds(6, chunks("a")) != (a,)
    assert all(0 <= seed < 2**32 for seed in (a, b, again))


def test_the_first_attempt_and_candidate_have_the_seed_itself() -> None:
    assert [attempt_seed(9, 0), *candidate_seeds(9, 1)] == [9, 9]
    assert len({attempt_seed(9, 1), attempt_seed(9, 2), *candidate_seeds(9, 3)}) == 5
    assert candidate_seeds(9, 4)[:3] == candidate_seeds(9, 3)
    assert candidate_seeds(None, 2) != candidate_seeds(None, 2)


def test_the_sound_does_not_depend_on_the_cache(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(2).uniform(-0.5, 0.5, 24_000).astype(np.float32)  # needs more than 24 bits
    monkeypatch.setattr("support.fakes.tone", lambda _: noise)
    synthesizer, engine = build(settings)
    fresh, stored, read = (speak(synthesizer, settings, SENTENCES[:3], cache=cache) for cache in (False, True, False))

    assert len(engine.takes) == 9
    assert fresh.audio == stored.audio == read.audio
