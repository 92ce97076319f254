"""The complete engine against upstream's, on the same synthetic weights and the same noise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.reference.conditioning import load_default_conditionals
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise, SeededNoise
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.errors import Cancelled, InvalidRequest, SynthesisFailed
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.conditioning import ConditioningStore
from chatterbox_worker.voices.library import VoiceLibrary
from support.checkpoints import checkpoint, linked, upstream_may_warn, upstream_s3gen, upstream_t3
from support.counter_noise import counter_noise
from support.sounds import assert_same_sound
from support.t3_oracle import Voice as OracleVoice
from support.t3_oracle import generate_gpt2, generate_llama
from support.tiny_engine import say, sound_of, tiny_engine
from support.upstream_noise import draw

TOKENS = 12  # 0.5 s
FAMILIES = ["multilingual", "turbo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("english", "nano"))]


@pytest.fixture(params=["turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChatterboxEngine]:
    engine = tiny_engine(request.param, tmp_path, max_tokens=TOKENS)
    yield engine
    engine.close()


def speak(engine: ChatterboxEngine, utterance: Utterance) -> Samples:
    return sound_of(engine.submit(utterance))


def model_of(engine: ChatterboxEngine) -> str:
    return engine.parts.layout.name


def recording(pitch: float, seconds: float = 5.5) -> Voice:
    """A voice from a buzzing tone."""
    time = np.arange(round(seconds * 24_000)) / 24_000
    buzz = 0.2 * np.sign(np.sin(2 * np.pi * pitch * time)) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    return Voice("reference", f"buzz-{pitch:g}", Audio(buzz.astype(np.float32), 24_000))


def upstream_wave(model: str, utterance: Utterance) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Text to wave through upstream's modules, by HEAD's loops and with the seed's noise, before the watermark."""
    folder, layout = checkpoint(model), LAYOUTS[model]
    found = find(layout, weights_dir=folder, offline=True)
    voice = load_default_conditionals(found)
    sampling = dict(utterance.sampling)
    emotion = sampling.pop("exaggeration", None)
    text = load_tokenizer(found).encode(utterance.text, "en")
    seed = torch.tensor([utterance.seed])
    tokens = (generate_gpt2 if layout.is_gpt else generate_llama)(
        upstream_t3(folder),
        OracleVoice(voice.speaker_emb[0], voice.speech_tokens[0], emotion),
        text if layout.is_gpt else [START_TEXT, *text, STOP_TEXT],
        Sampling(**sampling),  # type: ignore[arg-type]
        noise=lambda step: counter_noise(seed, torch.tensor([step]), layout.speech_vocab)[0],
        steps=TOKENS,
    ).tokens
    assert 6562 not in tokens, "the random model stopped by itself; choose another seed"
    codes = torch.tensor([*(token for token in tokens if token < 6561), *layout.silence_tail])
    reference = {
        "prompt_token": voice.prompt_token, "prompt_token_len": torch.tensor([voice.prompt_token.shape[1]]),
        "prompt_feat": voice.prompt_feat, "prompt_feat_len": None, "embedding": voice.embedding,
    }  # fmt: skip
    s3gen = upstream_s3gen(folder)  # building it draws random numbers
    with upstream_may_warn():
        torch.manual_seed(utterance.seed)
        wave: np.ndarray[Any, np.dtype[np.float32]] = s3gen.inference(codes[None], ref_dict=reference)[0][0].numpy()
    return wave[:-960] if layout.cuts_last_token else wave


@pytest.mark.parametrize("model", FAMILIES)
def test_the_wave_before_the_watermark_is_upstreams(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny_engine(model, tmp_path, max_tokens=TOKENS)
    theirs = upstream_wave(model, say(model))

    def draw_as_upstream(noise: SeededNoise, prompt: Prompt, tokens: int) -> Noise:
        generator = torch.Generator().manual_seed(int(noise._seed))
        return draw(tokens, prompt, generator, meanflow=engine.parts.s3gen.flow.meanflow)

    monkeypatch.setattr(SeededNoise, "whole", draw_as_upstream)
    ours = speak(engine, say(model))
    engine.close()

    assert np.abs(theirs).max() > 0.01
    assert_same_sound(ours, theirs)


def test_a_second_call_gives_the_same_sound_as_the_first(engine: ChatterboxEngine) -> None:
    utterance = say(model_of(engine))

    first, second, other_seed = (
        speak(engine, utterance),
        speak(engine, utterance),
        speak(engine, say(model_of(engine), seed=2)),
    )

    np.testing.assert_array_equal(first, second)
    assert len(other_seed) == len(first)
    assert not np.array_equal(other_seed, first)


def test_a_loaded_engine_reads_its_encoders_before_they_are_asked_for(tmp_path: Path) -> None:
    settings = Settings(models=("nano",), weights_dir=linked("nano", tmp_path), device="cpu", threads=1)
    engine = ChatterboxEngine.load("nano", settings, ConditioningStore(tmp_path, 10**7))
    for thread in threading.enumerate():
        if thread.name == "reference":
            thread.join()
    engine.close()
    encoders = engine.parts.encoders
    assert encoders._loaded is not None
    assert encoders._voice is not None


def test_alternating_voices_do_not_affect_each_other(engine: ChatterboxEngine) -> None:
    seconds = MODELS[model_of(engine)].reference_min_s + 0.5
    voices = [DEFAULT_VOICE, *(recording(pitch, max(seconds, 1.5)) for pitch in (110, 175))]
    utterances = [say(model_of(engine), voice=voice) for voice in voices]

    alone = [speak(engine, utterance) for utterance in utterances]
    takes = [engine.submit(utterance) for utterance in (*utterances, *reversed(utterances))]
    together = [np.concatenate([piece.samples for piece in take]) for take in takes]

    for own, first, second in zip(alone, together, together[::-1], strict=False):
        np.testing.assert_allclose(first, own, atol=1e-4)
        np.testing.assert_allclose(second, own, atol=1e-4)
    assert all(np.abs(a[:5000] - b[:5000]).max() > 1e-3 for a, b in pairwise(alone))


def test_more_takes_than_slots_are_all_spoken_each_as_if_alone(engine: ChatterboxEngine) -> None:
    texts = ["One.", "Two is a little longer than one.", "Three!", "Four and twenty blackbirds.", "Five?"]
    utterances = [say(model_of(engine), text, seed=index) for index, text in enumerate(texts)]

    takes = [engine.submit(utterance) for utterance in utterances]
    together = [np.concatenate([piece.samples for piece in take]) for take in takes]

    for utterance, sound in zip(utterances, together, strict=True):
        np.testing.assert_allclose(speak(engine, utterance), sound, atol=1e-5)


def test_a_cancelled_take_wakes_its_reader_and_frees_its_slot(engine: ChatterboxEngine) -> None:
    takes = [engine.submit(say(model_of(engine), seed=seed)) for seed in range(6)]
    for take in takes[:-1]:
        take.cancel()

    for take in takes[:-1]:
        with pytest.raises(Cancelled):
            list(take)
    assert len(list(takes[-1])) == 1


def test_a_take_that_does_not_end_has_a_warning_and_timings(engine: ChatterboxEngine) -> None:
    take = engine.submit(say(model_of(engine)))
    list(take)

    assert f"did not stop within {TOKENS} tokens ({TOKENS / 25:g} s);" in take.warnings[0]
    assert take.facts.hit_limit
    assert len(take.facts.tokens) == TOKENS
    assert set(take.timings) == {"queue_s", "t3_s", "s3gen_s", "vocoder_s", "watermark_s"}


@pytest.mark.parametrize("model", ["multilingual", "turbo"])
def test_timestamps_leave_the_sound_as_it_is_and_say_when_each_character_comes(model: str, tmp_path: Path) -> None:
    engine = tiny_engine(model, tmp_path, max_tokens=TOKENS, aligned_heads=((1, 0), (0, 1)))
    plain, timed = (replace(say(model), timestamps=wanted) for wanted in (False, True))
    takes = [engine.submit(each) for each in (plain, timed, replace(timed, streaming=True), plain)]
    sounds = [np.concatenate([piece.samples for piece in take]) for take in takes]
    engine.close()
    assert np.array_equal(sounds[0], sounds[1])
    assert np.array_equal(sounds[0], sounds[3])
    assert list(takes[0].boundaries_s) == list(takes[3].boundaries_s) == []
    for take, sound in zip(takes[1:3], sounds[1:3], strict=True):
        times = list(take.boundaries_s)
        assert len(times) == len(timed.text) + 1
        assert all(one <= two for one, two in pairwise(times))
        assert 0 <= times[0] < times[-1] <= len(sound) / engine.sample_rate
    assert list(takes[1].boundaries_s) == list(takes[2].boundaries_s)


def test_a_model_without_known_heads_has_no_times(tmp_path: Path) -> None:
    engine = tiny_engine("nano", tmp_path, max_tokens=TOKENS)
    take = engine.submit(replace(say("nano"), timestamps=True))
    assert sum(len(piece.samples) for piece in take)
    assert list(take.boundaries_s) == []
    engine.close()


def test_an_unusable_voice_fails_its_own_take_only(engine: ChatterboxEngine) -> None:
    hush = Voice("reference", "hush", Audio(np.zeros(6 * 24_000, np.float32), 24_000))
    bad, good = engine.submit(say(model_of(engine), voice=hush)), engine.submit(say(model_of(engine)))

    with pytest.raises(InvalidRequest):
        list(bad)
    assert len(list(good)) == 1


def test_a_failure_in_the_batch_fails_its_takes_and_not_the_next_ones(
    engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: T3, *__: object, **___: object) -> None:
        raise RuntimeError("a kernel failed")

    with monkeypatch.context() as broken:
        broken.setattr(T3, "logits", fail)
        with pytest.raises(SynthesisFailed):
            list(engine.submit(say(model_of(engine))))

    assert len(list(engine.submit(say(model_of(engine))))) == 1


def test_the_voice_of_a_recording_is_stored_for_other_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny_engine("turbo", tmp_path, max_tokens=TOKENS)
    sound = speak(first, say("turbo", voice=recording(110)))
    first.close()
    assert len(list(tmp_path.glob("buzz-110.*.arrays"))) == 1

    second = tiny_engine("turbo", tmp_path, max_tokens=TOKENS)
    for method in ("warm_up", "_networks"):
        monkeypatch.setattr(second.parts.encoders, method, lambda: pytest.fail("the recording was encoded again"))
    np.testing.assert_array_equal(speak(second, say("turbo", voice=recording(110))), sound)
    second.close()


@pytest.mark.parametrize(
    ("speed", "formats"), [(1.0, ("wav", "mp3", "opus")), pytest.param(1.25, ("opus",), marks=pytest.mark.slow)]
)
def test_the_watermark_is_found_in_what_callers_get(speed: float, formats: tuple[str, ...], tmp_path: Path) -> None:
    watermark = Watermark(torch.device("cpu"))
    engine = tiny_engine("turbo", tmp_path / "voices", watermark=watermark, max_tokens=75)
    settings = Settings(models=("turbo",))
    synthesizer = Synthesizer({"turbo": engine}, VoiceLibrary(tmp_path), AudioCache(tmp_path, max_bytes=0, max_age_s=1))

    for audio_format in formats:
        fields = {"text": "Hello there, my friend.", "format": audio_format, "seed": 1, "speed": speed}
        request = parse(fields, settings)
        assert isinstance(request, SpeechRequest)
        speech = synthesizer.speak(request, CancelScope())
        found = watermark.detect(decode(speech.audio, field="answer", max_s=60))
        assert found > 0.5, f"{audio_format}: {found}"

    synthesizer.close()


def test_the_threads_of_an_engine_find_it_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that renders asks at once how many takes are active."""
    active = list[int]()

    class EagerQueue(RenderQueue):
        def __init__(self, *args: Any, more_to_come: Callable[[], bool], **options: Any) -> None:
            active.append(more_to_come())
            super().__init__(*args, more_to_come=more_to_come, **options)

    monkeypatch.setattr("chatterbox_worker.engines.chatterbox.engine.RenderQueue", EagerQueue)
    tiny_engine("turbo", tmp_path).close()
    assert active == [False]
