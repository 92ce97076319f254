"""Chatterbox-Flash as a whole, tiny, on the CPU: from text to sound."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import Adapter, Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.pack import load_modules
from chatterbox_worker.engines.chatterbox.reference.conditioning import load_own_voice
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEANFLOW_STEPS
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HopClock, hops_of
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.errors import Cancelled, InvalidRequest, NotReady
from chatterbox_worker.voices.conditioning import ConditioningStore
from support.checkpoints import checkpoint
from support.tiny_engine import CPU, found, parts, say, sound_of, tiny_engine

TOKENS = 40


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatterboxEngine]:
    engine = tiny_engine("flash", tmp_path_factory.mktemp("flash"), slots=3, max_tokens=TOKENS, adapters=1)
    yield engine
    engine.close()


def quick(text: str = "Hello there, my friend.", *, seed: int = 1, streaming: bool = False) -> Utterance:
    """With fewer passes than the model's default."""
    sampling = {**MODELS["flash"].sampling, "steps": 2}
    return dataclasses.replace(say("flash", text, seed=seed, streaming=streaming), sampling=sampling)


def test_a_seed_gives_the_same_sound_alone_and_in_company(engine: ChatterboxEngine) -> None:
    alone = sound_of(engine.submit(quick(seed=5)))
    together: list[ChatterboxTake] = [engine.submit(quick(f"Number {seed}.", seed=seed)) for seed in (1, 2)]
    together.append(engine.submit(quick(seed=5)))
    sounds = [sound_of(take) for take in together]
    assert np.abs(sounds[2] - alone).max() < 1e-4
    assert together[2].facts.tokens
    assert together[2].facts.hit_limit
    assert len(alone) == 960 * sum(token < 6561 for token in together[2].facts.tokens)


def test_a_stream_comes_block_by_block(engine: ChatterboxEngine) -> None:
    take = engine.submit(quick(seed=7, streaming=True))
    pieces = [len(piece.samples) for piece in take]
    assert len(pieces) == 2  # a CPU's first hop ends with the second block
    assert sum(pieces) == 960 * sum(token < 6561 for token in take.facts.tokens)
    clock = HopClock(hops_of(blocks=True, on_gpu=True))
    assert [codes for codes in range(0, 300, 16) if clock.is_due(codes)] == [16, 32, 64, 112, 208]


def test_a_cancelled_take_frees_its_slot(engine: ChatterboxEngine) -> None:
    take = engine.submit(quick())
    take.cancel()
    with pytest.raises(Cancelled):
        sound_of(take)
    assert len(sound_of(engine.submit(quick(seed=3))))


def test_text_is_cleaned_before_it_becomes_ids(engine: ChatterboxEngine) -> None:
    flash, english = load_tokenizer(found("flash")), load_tokenizer(found("english"))
    written, read = "Mr. Lee, at 12:30.", "mister Lee, at twelve thirty."
    assert flash.encode(written, "en") == english.encode(read, "en")
    spans = flash.spans(written, "en")
    assert len(spans) == len(flash.encode(written, "en"))
    assert spans[-1] == (len(written) - 1, len(written))
    assert engine._text_ids(say("flash", written))[:: len(spans) + 1] == [START_TEXT, STOP_TEXT]


def test_the_flow_takes_two_steps() -> None:
    assert parts("flash").s3gen.flow.meanflow
    assert LAYOUTS["flash"].meanflow
    assert MEANFLOW_STEPS == 2


def test_a_parameter_out_of_range_is_refused_by_name(engine: ChatterboxEngine) -> None:
    sampling = {**MODELS["flash"].sampling, "steps": 0}
    with pytest.raises(InvalidRequest, match="steps cannot be 0"):
        engine.submit(dataclasses.replace(quick(), sampling=sampling))


def test_a_fine_tuned_voice_is_refused_with_the_reason(engine: ChatterboxEngine) -> None:
    clip = Audio(np.zeros(24_000, np.float32), 24_000)
    tuned = Voice("ann", "0" * 64, clip, adapter=Adapter("english", "1" * 64, 4, 8.0, {}))
    with pytest.raises(InvalidRequest, match="english"):
        engine.submit(dataclasses.replace(quick(), voice=tuned))


def test_without_english_conditionals_a_voice_is_required(tmp_path: Path) -> None:
    folder = tmp_path / "flash"
    shutil.copytree(checkpoint("flash"), folder, ignore=shutil.ignore_patterns("conds.pt"))
    alone = find(LAYOUTS["flash"], weights_dir=tmp_path, runpod_cache=tmp_path, hub_cache=tmp_path, offline=True)
    assert load_own_voice(alone) is None
    shared = parts("flash")
    engine = ChatterboxEngine(
        dataclasses.replace(shared, default_voice=None), "tiny", ConditioningStore(tmp_path, 10**6), slots=1
    )
    with pytest.raises(InvalidRequest, match="flash has no voice of its own here") as refused:
        engine.submit(quick())
    engine.close()
    assert refused.value.field == "voice"
    (tmp_path / "english").mkdir()
    shutil.copy(checkpoint("english") / "conds.pt", tmp_path / "english")
    borrowed = find(LAYOUTS["flash"], weights_dir=tmp_path, runpod_cache=tmp_path, hub_cache=tmp_path, offline=True)
    assert load_own_voice(borrowed) is not None
    assert borrowed.revision != alone.revision


def test_a_checkpoint_without_a_mask_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "flash"
    shutil.copytree(checkpoint("flash"), folder)
    path = folder / LAYOUTS["flash"].t3
    whole = find(LAYOUTS["flash"], weights_dir=tmp_path, offline=True)
    assert load_modules(whole, "int8", CPU, lambda _, build: build())[0].mask == LAYOUTS["flash"].speech_vocab
    state = load_file(path)
    state["speech_emb.weight"] = state["speech_emb.weight"][:-1].contiguous()
    save_file(state, path)
    broken = find(LAYOUTS["flash"], weights_dir=tmp_path, offline=True)
    with pytest.raises(NotReady, match=r"has no row for \[MASK\]"):
        load_modules(broken, "exact", CPU, lambda _, build: build())
