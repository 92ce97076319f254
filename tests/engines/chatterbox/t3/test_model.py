"""Our T3 against upstream's: the same weights, float32, on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from chatterbox.models.t3.llama_configs import LLAMA_520M_CONFIG_DICT
from torch import Tensor
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import InvalidRequest, NotReady
from support.narrow_t3 import (
    CPU,
    DEFAULTS,
    TEXT,
    VOICES,
    Noise,
    encode,
    forced_noise,
    generate,
    largest_difference,
    occupy,
    ours,
    upstream,
)
from support.t3_oracle import Generated, generate_gpt2, generate_llama, random_voice
from tools.step_noise import StepNoise

ORACLES = {"english": generate_llama, "turbo": generate_gpt2}
both_models = pytest.mark.parametrize("model", ["english", "turbo"])


def random_noise(steps: Tensor, vocabulary: int) -> Tensor:
    """Exp(1) by torch's own generator, keyed by the step alone."""
    return torch.stack(
        [torch.empty(vocabulary).exponential_(generator=torch.Generator().manual_seed(int(s))) for s in steps]
    )


def row_noise(noise: Noise, model: str) -> Callable[[int], Tensor]:
    """The same noise in the oracle's form: one row, by step."""
    return lambda step: noise(torch.tensor([step]), ours(model).vocabulary)[0]


def speak(slots: Slots, slot: int, steps: int) -> Generated:
    """Tokens and logits of one slot over so many steps."""
    rows, generated = slots.t3.rows, Generated([], [])
    for _ in range(steps):
        generated.logits.append(slots.logits[slot * rows : (slot + 1) * rows].clone())
        generated.tokens.append(int(slots.step()[slot]))
    return generated


def speak_alone(model: str, steps: int, *, noise: Noise | None = None, length: int = 800, **given: object) -> Generated:
    slots = Slots(ours(model), 1, length, None if noise is None else StepNoise(noise, ours(model).vocabulary))
    occupy(slots, 0, model, **given)  # type: ignore[arg-type]
    return speak(slots, 0, steps)


@both_models
@pytest.mark.parametrize("steps", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_logits_are_upstreams_over_forced_steps_row_by_row(model: str, steps: int) -> None:
    tokens = torch.randint(0, 6563, (steps,), generator=torch.Generator().manual_seed(3)).tolist()
    neutral = Sampling()
    theirs = ORACLES[model](
        upstream(model), VOICES[model], TEXT, neutral, noise=row_noise(forced_noise(tokens), model), steps=steps
    )
    mine = speak_alone(model, steps, noise=forced_noise(tokens), sampling=neutral)
    assert mine.tokens == theirs.tokens == tokens
    assert largest_difference(mine.logits, theirs.logits) < 1e-4
    assert len(mine.logits[0]) == (1 if model == "turbo" else 2)


@both_models
@pytest.mark.parametrize(("steps", "least"), [(60, 25), pytest.param(500, 100, marks=pytest.mark.slow)])
def test_sampled_tokens_are_upstreams_given_the_same_noise(model: str, steps: int, least: int) -> None:
    theirs = ORACLES[model](
        upstream(model), VOICES[model], TEXT, DEFAULTS[model], noise=row_noise(random_noise, model), steps=steps
    )
    mine = speak_alone(model, steps, noise=random_noise)
    assert mine.tokens == theirs.tokens
    assert len(set(mine.tokens)) > least  # the comparison is meaningful only if the tokens vary


@both_models
def test_the_bos_is_penalised_as_upstream_does_for_the_first_token_only_by_gpt2(model: str) -> None:
    slots, bos = Slots(ours(model), 1, 120), ours(model).bos
    occupy(slots, 0, model, sampling=Sampling(repetition_penalty=1.5))
    assert slots._penalties[0, bos] == 1.5
    assert generate(slots, 2) != [bos, bos]
    assert slots._penalties[0, bos] == (1.0 if model == "turbo" else 1.5)


@pytest.mark.parametrize("cfg_weight", [0.0, 1.5])
def test_any_guidance_weight_gives_upstreams_arithmetic(cfg_weight: float) -> None:
    sampling = replace(DEFAULTS["english"], cfg_weight=cfg_weight, top_p=0.9)
    theirs = generate_llama(
        upstream("english"), VOICES["english"], TEXT, sampling, noise=row_noise(random_noise, "english"), steps=30
    )
    assert speak_alone("english", 30, noise=random_noise, sampling=sampling).tokens == theirs.tokens


@both_models
@pytest.mark.parametrize("prompt", [0, 1])
def test_a_voice_with_next_to_no_prompt_is_upstreams(model: str, prompt: int) -> None:
    voice = random_voice(seed=5, prompt=prompt, emotion=VOICES[model].emotion)
    theirs = ORACLES[model](
        upstream(model), voice, TEXT, DEFAULTS[model], noise=row_noise(random_noise, model), steps=5
    )
    mine = speak_alone(model, 5, noise=random_noise, voice=voice)
    assert largest_difference(mine.logits, theirs.logits) < 1e-4
    assert mine.tokens == theirs.tokens


def test_rotations_are_those_of_transformers_up_to_the_longest_context() -> None:
    """Near positions, as in the comparisons above, do not show the slow frequencies."""
    theirs, table = LlamaRotaryEmbedding(LlamaConfig(**LLAMA_520M_CONFIG_DICT)), ours("english")._rotary.table
    positions = torch.arange(len(table))
    for mine, expected in zip(table[:, :64].chunk(2, 1), theirs(table, positions[None]), strict=True):
        torch.testing.assert_close(mine, expected[0, :, :32], rtol=0, atol=1e-5)


def test_emotion_changes_the_logits() -> None:
    calm, wild = (
        speak_alone("english", 5, voice=replace(VOICES["english"], emotion=emotion)) for emotion in (0.1, 0.9)
    )
    assert largest_difference(calm.logits, wild.logits) > 1e-2


@pytest.mark.parametrize(("model", "emotion"), [("english", None), ("turbo", 0.5)])
def test_an_emotion_that_does_not_fit_the_model_is_refused(model: str, emotion: float | None) -> None:
    with pytest.raises(ValueError, match="emotion"):
        ours(model).encode(VOICES[model].speaker, VOICES[model].prompt, emotion)


@pytest.mark.parametrize("model", ["english", pytest.param("turbo", marks=pytest.mark.slow)])
def test_rows_in_a_ragged_batch_are_the_rows_alone(model: str) -> None:
    """Three utterances of different voices, texts, parameters and seeds, joining at different steps, one leaving."""
    texts = [TEXT, [255, *range(20, 90), 0], [255, 5, 0]]
    voices = [random_voice(seed=s, prompt=p, emotion=VOICES[model].emotion) for s, p in ((1, 20), (2, 90), (3, 5))]
    samplings = [
        DEFAULTS[model],
        Sampling(temperature=0.0, repetition_penalty=2.0),
        Sampling(top_p=0.8, temperature=1.3),
    ]
    expected = [
        speak_alone(model, 30, text=text, voice=voice, sampling=sampling, seed=seed)
        for seed, (text, voice, sampling) in enumerate(zip(texts, voices, samplings, strict=True))
    ]
    slots, rows = Slots(ours(model), 4, 500), ours(model).rows
    tokens: list[list[int]] = [[], [], []]
    gap = 0.0
    for step in range(50):
        for slot in range(3):
            if step == 10 * slot:
                occupy(slots, slot, model, text=texts[slot], voice=voices[slot], sampling=samplings[slot], seed=slot)
            if len(tokens[slot]) == 30 and slot in slots.active:
                slots.release(slot)
        for slot in slots.active:
            mine, reference = slots.logits[slot * rows : (slot + 1) * rows], expected[slot].logits[len(tokens[slot])]
            gap = max(gap, float((mine - reference).abs().max() / reference.abs().max()))
        drawn = slots.step().tolist()
        for slot in slots.active:
            tokens[slot].append(drawn[slot])
    assert tokens == [generated.tokens for generated in expected]
    assert gap < 1e-5


@both_models
def test_a_reused_slot_has_no_trace_of_the_previous_utterance(model: str) -> None:
    fresh = speak_alone(model, 20, seed=9)
    slots = Slots(ours(model), 1, 500)
    occupy(slots, 0, model, text=[255, *range(10, 99), 0], sampling=Sampling(temperature=1.5), seed=4)
    speak(slots, 0, 60)
    slots._cache.fill_(torch.inf)  # the worst that an overflow could have left: even a masked infinity would spread
    slots.release(0)
    occupy(slots, 0, model, seed=9)
    again = speak(slots, 0, 20)
    assert again.tokens == fresh.tokens
    assert all(torch.equal(a, b) for a, b in zip(again.logits, fresh.logits, strict=True))


@both_models
def test_an_overflow_in_the_padding_of_a_text_is_cleared_for_the_next_utterance(model: str) -> None:
    fresh, reused = (Slots(ours(model), 1, 300, context_step=128) for _ in range(2))
    prefix = encode(ours(model), VOICES[model])
    reused.prefill(0, Prefix(torch.full_like(prefix.keys_values, torch.inf)), 5 * TEXT, DEFAULTS[model], 0)
    reused.release(0)
    for slots in (fresh, reused):
        occupy(slots, 0, model, text=TEXT[:2])
    assert generate(reused, 3) == generate(fresh, 3)
    assert torch.equal(reused.logits, fresh.logits)


@pytest.mark.parametrize("model", ["english", pytest.param("turbo", marks=pytest.mark.slow)])
def test_rounding_the_context_up_and_crossing_a_bound_changes_nothing(model: str) -> None:
    steps = 95
    exact = speak_alone(model, steps)
    # in a cache of 200 the second bound is the cache itself
    for context_step, length in ((128, 800), (128, 200), (64, 800)):
        slots = Slots(ours(model), 1, length, context_step=context_step)
        occupy(slots, 0, model)
        assert slots._used[0] < 128 < slots._used[0] + steps
        rounded = speak(slots, 0, steps)
        assert rounded.tokens == exact.tokens
        assert largest_difference(rounded.logits, exact.logits) < 1e-5


def test_a_step_is_as_large_as_its_highest_slot_and_longest_context_need() -> None:
    slots = Slots(ours("turbo"), 8, 800, context_step=128)
    occupy(slots, 0, "turbo")
    assert slots.next_shape == (1, 128, True)
    speak(slots, 0, 128 - slots._used[0])
    assert slots.next_shape == (1, 256, True)
    occupy(slots, 4, "turbo", sampling=Sampling())
    assert slots.next_shape == (8, 256, True)
    slots.release(0)
    assert slots.next_shape == (8, 128, False)


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others() -> None:
    first, again, other = (speak_alone("turbo", 20, seed=seed).tokens for seed in (1, 1, 2))
    assert first == again != other


@both_models
def test_a_full_slot_raises_before_it_writes(model: str) -> None:
    slots = Slots(ours(model), 2, 120)
    occupy(slots, 0, model)
    occupy(slots, 1, model, text=TEXT[:2])
    remaining_steps = slots.remaining_steps(0)
    speak(slots, 0, remaining_steps)
    assert slots.remaining_steps(0) == 0 < slots.remaining_steps(1)
    with pytest.raises(ValueError, match=r"slots \[0\] are full"):
        slots.step()
    slots.release(0)
    assert slots.free == [0]
    slots.step()


@both_models
def test_what_does_not_fit_is_refused_and_leaves_the_slot_free(model: str) -> None:
    slots = Slots(ours(model), 1, 120)
    with pytest.raises(InvalidRequest, match="tokens") as error:
        occupy(slots, 0, model, text=[255] * 200)
    assert error.value.field == "text"
    for outside in ([ours(model)._text.shape[0]], [5, -1], []):
        with pytest.raises(ValueError, match="text ids"):
            occupy(slots, 0, model, text=outside)
    wrong = Sampling(top_k=5) if model == "english" else Sampling(cfg_weight=0.5)
    for unfit in (wrong, BlockSampling()):
        with pytest.raises(ValueError, match="does not sample"):
            slots.prefill(0, encode(ours(model), VOICES[model]), TEXT, unfit, 0)
    prefix = encode(ours(model), VOICES[model])
    padding = Slots(ours(model), 1, prefix.length + 32, context_step=128)  # a text is padded to 32
    with pytest.raises(InvalidRequest, match="more than fit"):
        occupy(padding, 0, model, text=TEXT[:2])
    assert slots.free == padding.free == [0]
    occupy(slots, 0, model)
    with pytest.raises(ValueError, match="not free"):
        occupy(slots, 0, model)


def test_a_text_beyond_the_models_positions_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="2050") as error:
        ours("english").embed_text([1] * 2051)
    assert error.value.field == "text"
    assert ours("english").embed_text([1] * 2050).shape[1] == 2052  # and two BOS


@both_models
def test_a_missing_weight_is_named(model: str) -> None:
    state = dict(upstream(model).state_dict())
    del state["speech_emb.weight"]
    with pytest.raises(NotReady, match=r"speech_emb\.weight"):
        T3(state, precision=Precision.EXACT, device=CPU)


@both_models
@pytest.mark.parametrize(("precision", "limit"), [(Precision.FAST, 0.1), (Precision.INT8, 0.1)])
def test_other_precisions_stay_near_the_exact_one(model: str, precision: Precision, limit: float) -> None:
    """Guards against wrong arithmetic, not against loss of quality: random peaky weights suffer more from rounding.

    A CPU without VNNI rounds activations to 7 bits instead of 8, which doubles the error of int8.
    """
    if precision is Precision.INT8 and not torch.cpu._is_vnni_supported():
        limit *= 2
    tokens = torch.randint(0, 6563, (20,), generator=torch.Generator().manual_seed(3)).tolist()
    exact = speak_alone(model, 20, noise=forced_noise(tokens), sampling=Sampling())
    slots = Slots(ours(model, precision), 1, 300, StepNoise(forced_noise(tokens), ours(model).vocabulary))
    occupy(slots, 0, model, sampling=Sampling())
    rounded = speak(slots, 0, 20)
    assert slots.logits.dtype == torch.float32
    errors = [float((a - b).norm() / b.norm()) for a, b in zip(rounded.logits, exact.logits, strict=True)]
    assert 0 < sum(errors) / len(errors) < limit, errors
