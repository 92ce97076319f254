"""Fine-tuned voices next to the base model's: each has its own sound, and does not change that of the others."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.engine import Adapter, Factors, Voice
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.serving import adapter_pool
from chatterbox_worker.engines.chatterbox.serving.adapters import adapt
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import Cancelled, InvalidRequest, SynthesisFailed
from support.fine_tuned import fine_tuned, tiny_adapter
from support.tiny_engine import say, sound_of, tiny_engine

LAYER = "tfmr.h.0.attn.c_attn"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ChatterboxEngine]:
    engine = tiny_engine("turbo", tmp_path, adapters=1, max_tokens=12)
    yield engine
    engine.close()


def tuned_voice(model: str, *, seed: int = 0) -> Voice:
    """The model's own voice with an adapter: no recording has to be encoded."""
    return Voice("tuned", f"tuned-{seed}", adapter=tiny_adapter(model, seed=seed))


def speak(engine: ChatterboxEngine, voice: Voice, *, seed: int = 1) -> Samples:
    return sound_of(engine.submit(say(engine.parts.layout.name, seed=seed, voice=voice)))


def loaded_voices(engine: ChatterboxEngine) -> list[str]:
    return list(engine._adapter_pool._entries)


def plain(voice: Voice) -> Voice:
    """The same recording without the adapter."""
    return replace(voice, digest="plain", adapter=None)


@pytest.mark.parametrize(
    "model", ["turbo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nano", "multilingual"))]
)
def test_an_adapter_changes_its_own_voice_and_no_other(model: str, tmp_path: Path) -> None:
    alice = fine_tuned(model)
    bare = tiny_engine(model, tmp_path / "bare", max_tokens=12)
    expected = speak(bare, plain(alice))
    bare.close()
    engine = tiny_engine(model, tmp_path, adapters=2, max_tokens=12)

    before = speak(engine, plain(alice))
    takes = [engine.submit(say(model, voice=voice)) for voice in (alice, plain(alice), alice)]
    tuned, meanwhile, again = [sound_of(take) for take in takes]
    after = speak(engine, plain(alice))
    engine.close()

    for sound in (before, meanwhile, after):
        np.testing.assert_array_equal(sound, expected)
    np.testing.assert_allclose(again, tuned, atol=1e-4)
    assert len(tuned) != len(expected) or np.abs(tuned - expected).max() > 1e-3


def test_a_voice_streams_with_its_adapter(engine: ChatterboxEngine) -> None:
    take = engine.submit(say("turbo", voice=tuned_voice("turbo"), streaming=True))
    assert len(sound_of(take))


def test_more_voices_than_may_be_loaded_are_all_spoken_each_as_if_alone(
    engine: ChatterboxEngine, tmp_path: Path
) -> None:
    voices = [tuned_voice("turbo", seed=seed) for seed in range(3)]
    wide = tiny_engine("turbo", tmp_path / "wide", adapters=3, max_tokens=12)
    alone = [speak(wide, voice) for voice in voices]
    assert len(loaded_voices(wide)) == 3
    wide.close()

    order = [0, 1, 2, 1, 0]
    takes = [engine.submit(say("turbo", voice=voices[which])) for which in order]
    for which, take in zip(order, takes, strict=True):
        np.testing.assert_allclose(sound_of(take), alone[which], atol=1e-4)
    assert len(loaded_voices(engine)) == 1
    assert not np.array_equal(alone[0][:1000], alone[1][:1000])


def test_the_voice_that_was_idle_longest_is_removed(tmp_path: Path) -> None:
    engine = tiny_engine("turbo", tmp_path, adapters=2, max_tokens=4)
    anna, ben, carl = (tuned_voice("turbo", seed=seed) for seed in range(3))
    for voice in (anna, ben, anna, carl):
        speak(engine, voice)
    assert loaded_voices(engine) == [anna.digest, carl.digest]
    engine.close()


def test_a_voice_finishes_its_takes_before_it_is_removed(engine: ChatterboxEngine) -> None:
    anna, ben = tuned_voice("turbo", seed=0), tuned_voice("turbo", seed=1)
    long = [engine.submit(say("turbo", voice=anna, seed=seed)) for seed in range(5)]
    other = engine.submit(say("turbo", voice=ben))
    assert len(sound_of(other))
    assert all(len(sound_of(take)) for take in long)
    assert loaded_voices(engine) == [ben.digest]


def test_a_voice_may_be_requested_while_the_builder_counts_the_models(engine: ChatterboxEngine) -> None:
    takes = []

    def request(seed: int) -> None:
        takes.append(engine.submit(say("turbo", voice=tuned_voice("turbo", seed=seed))))

    other = threading.Thread(target=request, args=[2])

    class Entries(OrderedDict[str, adapter_pool._Entry]):
        def values(self) -> Iterator[adapter_pool._Entry]:  # type: ignore[override]
            for entry in super().values():
                if len(self) > 1 and other.ident is None:
                    other.start()
                    other.join(0.2)  # it waits until the models are counted
                yield entry

    engine._adapter_pool._entries = Entries()
    request(0)
    request(1)
    assert all(len(sound_of(take)) for take in takes[:2])
    other.join(60)
    assert len(sound_of(takes[2]))


def misfit(**changes: object) -> Voice:
    adapter = replace(tiny_adapter("turbo"), **changes)  # type: ignore[arg-type]
    return Voice("misfit", "misfit", adapter=adapter)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "nano"}, "fine-tuned for nano; turbo cannot speak with it"),
        ({"base": "f" * 64}, "other weights of turbo \\(ffffffffffff\\) than those served here"),
    ],
)
def test_a_voice_for_another_model_or_other_weights_is_refused_at_once(
    engine: ChatterboxEngine, changes: dict[str, str], why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why) as refused:
        engine.submit(say("turbo", voice=misfit(**changes)))
    assert refused.value.field == "voice"


def test_a_worker_without_fine_tuned_voices_says_so(tmp_path: Path) -> None:
    engine = tiny_engine("turbo", tmp_path, adapters=0)
    with pytest.raises(InvalidRequest, match="CHATTERBOX_ADAPTERS is 0"):
        engine.submit(say("turbo", voice=tuned_voice("turbo")))
    engine.close()


def test_a_voice_that_does_not_fit_fails_its_own_takes_each_time(engine: ChatterboxEngine) -> None:
    factors = {LAYER: Factors(np.ones((4, 9), np.float32), np.ones((9, 4), np.float32))}
    bad = misfit(factors=factors)
    for _ in range(2):
        takes = [engine.submit(say("turbo", voice=voice)) for voice in (bad, plain(bad), bad)]
        for take in takes[::2]:
            with pytest.raises(InvalidRequest, match="of 9 inputs and 9 outputs"):
                list(take)
        assert len(sound_of(takes[1]))
    assert not loaded_voices(engine)


@pytest.mark.slow
def test_without_memory_another_voice_is_removed_and_the_last_one_fails(
    engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = engine
    wide._adapter_pool._limit = 2
    anna, ben, carl = (tuned_voice("turbo", seed=seed) for seed in range(3))
    speak(wide, anna)
    full = [True]

    def short(t3: T3, weights: object, adapter: Adapter) -> T3:
        if len(wide._adapter_pool._models()) or not full[0]:
            raise MemoryError("it does not fit next to the other")
        return adapt(t3, weights, adapter)  # type: ignore[arg-type]

    monkeypatch.setattr(adapter_pool, "adapt", short)
    assert len(speak(wide, ben))
    assert loaded_voices(wide) == [ben.digest]
    full[0] = False
    with pytest.raises(SynthesisFailed, match="not enough memory for turbo with a fine-tuned voice"):
        speak(wide, carl)
    full[0] = True
    assert len(speak(wide, carl))


def test_a_take_cancelled_while_its_voice_loads_ends_at_once(
    engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, requested = threading.Event(), []

    def slow(t3: T3, weights: object, adapter: Adapter) -> T3:
        requested.append(adapter)
        go.wait(60)
        return adapt(t3, weights, adapter)  # type: ignore[arg-type]

    monkeypatch.setattr(adapter_pool, "adapt", slow)
    anna, ben = tuned_voice("turbo", seed=0), tuned_voice("turbo", seed=1)
    wanted, cancelled, never_loaded = (engine.submit(say("turbo", voice=voice)) for voice in (anna, anna, ben))
    for take in (cancelled, never_loaded):
        take.cancel()
        with pytest.raises(Cancelled):
            list(take)
    go.set()
    assert len(sound_of(wanted))
    engine._adapter_pool._builder.submit(int).result(30)
    assert requested == [anna.adapter]  # no take waited for the other voice any more
    assert len(speak(engine, ben))


def test_a_cancelled_take_leaves_its_voices_batch(tmp_path: Path) -> None:
    engine = tiny_engine("turbo", tmp_path, adapters=1, max_tokens=1000)
    take = engine.submit(say("turbo", voice=tuned_voice("turbo")))
    while not engine._adapter_pool.active:
        time.sleep(0.005)
    take.cancel()
    while engine._adapter_pool.active:
        time.sleep(0.005)
    engine.close()
    assert not take.facts.tokens


def test_an_engine_closes_while_a_voice_loads(engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    go, began, before = threading.Event(), threading.Event(), set(threading.enumerate())

    def slow(t3: T3, weights: object, adapter: Adapter) -> T3:
        began.set()
        go.wait(60)
        return adapt(t3, weights, adapter)  # type: ignore[arg-type]

    monkeypatch.setattr(adapter_pool, "adapt", slow)
    takes = [engine.submit(say("turbo", voice=tuned_voice("turbo", seed=seed))) for seed in range(2)]
    assert began.wait(60)
    closing = threading.Thread(target=engine.close)
    closing.start()
    for take in takes:
        with pytest.raises(Cancelled):
            list(take)
    go.set()
    closing.join(60)
    assert not closing.is_alive()
    assert not engine._adapter_pool._models()
    assert not {thread for thread in threading.enumerate() if thread.name == "t3-turbo-adapted"} - before
    with pytest.raises(Cancelled):
        list(engine.submit(say("turbo", voice=tuned_voice("turbo"))))


def test_whatever_fails_while_a_voice_is_loaded_answers_the_takes_that_wait_for_it(
    engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(speak(engine, tuned_voice("turbo")))

    def fail(_: adapter_pool.AdaptedModel) -> None:
        raise RuntimeError("the model that leaves does not end")

    with monkeypatch.context() as patch:
        patch.setattr(adapter_pool.AdaptedModel, "finish", fail)
        with pytest.raises(SynthesisFailed, match="loading the fine-tuned voice"):
            speak(engine, tuned_voice("turbo", seed=1))
    assert len(speak(engine, tuned_voice("turbo", seed=2)))


def test_a_take_that_cannot_be_started_fails_alone(engine: ChatterboxEngine) -> None:
    pool, voice = engine._adapter_pool, tuned_voice("turbo")
    assert voice.adapter is not None
    started = threading.Event()

    def fail(_: adapter_pool.AdaptedModel) -> None:
        raise RuntimeError("can't start new thread")

    with pool._lock:  # both wait before the model is there
        take = ChatterboxTake(say("turbo", voice=voice), lambda: None)
        pool.submit(voice.adapter, take, fail)
        pool.submit(voice.adapter, ChatterboxTake(say("turbo", voice=voice), lambda: None), lambda _: started.set())
    with pytest.raises(SynthesisFailed, match="loading the fine-tuned voice"):
        list(take)
    assert started.wait(60)
    assert len(speak(engine, voice))


def test_a_model_that_leaves_frees_its_memory_without_stopping_everybody(
    engine: ChatterboxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collecting garbage holds all threads, and emptying the allocator's cache waits for the whole GPU."""
    gone: list[weakref.ref[Decoder]] = []
    collections: list[object] = []
    real = adapter_pool.AdaptedModel.finish

    def finish(model: adapter_pool.AdaptedModel) -> None:
        gone.append(weakref.ref(model.scheduler._slots))
        real(model)

    monkeypatch.setattr(adapter_pool.AdaptedModel, "finish", finish)
    monkeypatch.setattr(gc, "collect", lambda *_: collections.append(1))
    gc.disable()
    try:
        for seed in range(3):
            assert len(speak(engine, tuned_voice("turbo", seed=seed)))
        assert len(gone) == 2
        assert not collections
        slots = gone[0]()
        assert slots is None or (isinstance(slots, Slots) and not slots._cache.numel())
    finally:
        gc.enable()
