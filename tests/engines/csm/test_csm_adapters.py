"""Fine-tuned voices of CSM: each row of a batch has its own adapter, and sounds as it does alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import support.tiny_csm as tiny
from chatterbox_worker.engine import Adapter, Voice, VoiceDetails
from chatterbox_worker.engines.chatterbox.training.module import TARGETS, Shape, add_lora, set_trained
from chatterbox_worker.engines.csm import adapters
from chatterbox_worker.engines.csm.adapters import RowAdapters
from chatterbox_worker.engines.csm.draw import CodeSampling
from chatterbox_worker.engines.csm.engine import CsmEngine
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.engines.csm.training.session import share_tensors
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed

CPU = torch.device("cpu")
QUERY = "backbone_model.layers.0.self_attn.q_proj"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[CsmEngine]:
    engine = tiny.engine(tmp_path, slots=3, base=tiny.BASE)
    yield engine
    engine.close()


def _tuned(adapter: Adapter | None) -> Voice:
    digest = "plain" if adapter is None else f"{adapter.rank}"
    return replace(tiny.alice(), digest=digest.ljust(64, "d"), adapter=adapter)


def test_an_adapter_of_zeros_changes_no_bit_and_another_one_does(engine: CsmEngine) -> None:
    plain, zeros, tuned = (
        engine.submit(tiny.say(voice=_tuned(adapter), seed=7))
        for adapter in (None, tiny.adapter(size=0.0), tiny.adapter(rank=2))
    )
    sounds = [tiny.sound_of(take) for take in (plain, zeros, tuned)]

    assert zeros.frames == plain.frames
    assert np.array_equal(sounds[1], sounds[0])
    assert tuned.frames != plain.frames


def test_a_mixed_batch_sounds_as_each_voice_alone(engine: CsmEngine) -> None:
    """Two ranks, two adapters of one rank, and no adapter; slots are reused in another order."""
    tuned = (None, tiny.adapter(), tiny.adapter(rank=2), replace(tiny.adapter(seed=5), alpha=3.0))
    wanted = [
        tiny.say(voice=replace(_tuned(adapter), digest=f"{n}".ljust(64, "e")), seed=n, max_s=0.24 + 0.08 * n)
        for n, adapter in enumerate(tuned)
    ]
    alone = [tiny.sound_of(engine.submit(utterance)) for utterance in wanted]
    takes = [engine.submit(wanted[n]) for n in (0, 1, 2, 3, 1, 0)]
    together = [tiny.sound_of(take) for take in takes]

    for n, sound in zip((0, 1, 2, 3, 1, 0), together, strict=True):
        assert np.array_equal(sound, alone[n])
    assert len({tuple(map(tuple, take.frames[:3])) for take in takes[:4]}) == 4


def test_its_product_is_that_of_weights_merged_by_peft() -> None:
    from peft.tuners.lora import LoraLayer

    adapter = tiny.adapter(rank=4, size=2.0)
    module = add_lora(copy.deepcopy(share_tensors(tiny.csm().model)), TARGETS["llama"], Shape(4, 8.0), seed=0)
    tensors = {f"{path}.lora_{part}": torch.from_numpy(factor) for path, factors in adapter.factors.items()
               for part, factor in zip("AB", factors, strict=True)}  # fmt: skip
    set_trained(module, tensors)
    for each in module.modules():
        if isinstance(each, LoraLayer):
            each.merge()
    merged = copy.copy(tiny.csm())
    merged.model = module.eval()
    rows = [_frames(tiny.csm(), adapter), _frames(merged, None)]

    assert rows[0][0] == rows[1][0]
    torch.testing.assert_close(rows[0][1], rows[1][1], rtol=0, atol=1e-5)


def _frames(csm: Csm, adapter: Adapter | None) -> tuple[list[list[int] | None], torch.Tensor]:
    """Four frames of one text and seed, and the backbone's last hidden states."""
    slots = CsmSlots(csm, 2)
    prompt = csm.prompt([], csm.ids(0, "How are you today?"))
    slots.enter(1, prompt, CodeSampling.of(3, 0.9, 50, CPU), adapter)
    codes, hidden = [], []
    for _ in range(4):
        hidden.append(slots._hidden[1].clone())
        codes.append(slots.step()[1])
    slots.leave(1)
    return codes, torch.stack(hidden)


def test_when_its_last_row_leaves_nothing_is_left_on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    module = share_tensors(tiny.csm().model)

    def hooks() -> int:
        return sum(len(each._forward_hooks) for each in module.modules())

    before = hooks()  # transformers leaves some of its own where attentions were returned
    rows = RowAdapters(module, 3)
    asked = list[int]()
    monkeypatch.setattr(adapters, "check_memory", lambda count, _: asked.append(count))
    partial = replace(tiny.adapter(), factors={QUERY: tiny.adapter().factors[QUERY]})
    for row, adapter in enumerate((tiny.adapter(), tiny.adapter(rank=2), partial)):
        rows.place(row, adapter)
    stacks = rows._stacks[QUERY]
    assert sorted(stacks) == [2, 4]
    taken = {
        rank: sum(each[rank].down.nbytes + each[rank].up.nbytes for each in rows._stacks.values()) for rank in (4, 2)
    }
    assert asked == [taken[4], taken[2], 0]
    rows.remove(0)
    assert not stacks[4].down[0].any()
    assert stacks[4].down[2].any()
    assert hooks() - before == len(tiny.adapter().factors)
    for row in (1, 2, 2):
        rows.remove(row)

    assert hooks() == before
    assert not rows._stacks


def _wrong_size(adapter: Adapter) -> Adapter:
    factors = adapter.factors[QUERY]
    return replace(adapter, factors={QUERY: factors._replace(up=factors.up[:-1])})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda own: replace(own, model="english"), "fine-tuned for english; csm cannot speak with it"),
        (lambda own: replace(own, base="cd" * 32), "on other weights of csm"),
        (lambda own: replace(own, factors={"lm_head": own.factors[QUERY]}), "changes 'lm_head', and csm has no"),
        (lambda own: replace(own, factors={"codec_model.decoder_transformer.layers.0.self_attn.q_proj":
                                           own.factors[QUERY]}), "changes 'codec_model"),
        (_wrong_size, "is for a backbone_model.layers.0.self_attn.q_proj of 64 inputs and 63 outputs"),
    ],
)  # fmt: skip
def test_an_adapter_that_does_not_fit_is_refused(
    engine: CsmEngine, change: Callable[[Adapter], Adapter], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        engine.submit(tiny.say(voice=_tuned(change(tiny.adapter()))))

    assert refused.value.field == "voice"


def test_one_that_overflows_fails_alone_and_frees_its_slot(tmp_path: Path) -> None:
    own = tiny.adapter()
    factors = own.factors[QUERY]
    huge = replace(own, alpha=1e6, factors={QUERY: factors._replace(up=np.full_like(factors.up, 3e38))})
    engine = tiny.engine(tmp_path, slots=1, base=tiny.BASE)
    takes: list[Any] = [engine.submit(tiny.say(voice=_tuned(each), max_s=0.16)) for each in (huge, None)]
    with pytest.raises(InvalidRequest, match=f"makes {QUERY} overflow"):
        list(takes[0])
    sound = tiny.sound_of(takes[1])
    engine.close()

    assert len(sound) == 2 * 1920


@pytest.mark.parametrize("part", ["backbone_model", "depth_decoder"])
def test_one_whose_products_overflow_fails_alone_and_spoils_no_later_take_in_its_slot(
    part: str, engine: CsmEngine
) -> None:
    factors = {
        path: each._replace(up=np.full_like(each.up, 1e30)) if path.startswith(part) else each
        for path, each in tiny.adapter().factors.items()
    }
    longer = replace(
        _tuned(replace(tiny.adapter(), factors=factors)), details=VoiceDetails("This is what Alice says. " * 4)
    )
    plain = tiny.say(voice=_tuned(None), seed=7)
    alone = tiny.sound_of(engine.submit(plain))
    takes = [engine.submit(utterance) for utterance in (plain, tiny.say(voice=longer), *[plain] * 3)]
    with pytest.raises(SynthesisFailed, match="numbers overflow with this voice"):
        list(takes.pop(1))

    for take in takes:
        assert np.array_equal(tiny.sound_of(take), alone)


def test_a_prompt_that_cannot_be_read_leaves_no_adapter_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    csm = tiny.csm()
    slots, sampling = CsmSlots(csm, 1), CodeSampling.of(3, 0.9, 50, CPU)
    prompt = csm.prompt([], csm.ids(0, "Hello."))
    with monkeypatch.context() as patch:
        patch.setattr(slots, "_read", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            slots.enter(0, prompt, sampling, tiny.adapter())
    assert not slots._adapters._stacks
    assert slots.free == [0]


def test_a_worker_that_serves_none_says_so(tmp_path: Path) -> None:
    engine = tiny.engine(tmp_path)
    with pytest.raises(InvalidRequest, match="CHATTERBOX_ADAPTERS is 0"):
        engine.submit(tiny.say(voice=_tuned(tiny.adapter())))
    engine.close()
