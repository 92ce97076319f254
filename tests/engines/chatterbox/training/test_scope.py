"""What is trained: an adapter, the rows of new tokens or all weights; everything else stays to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.training.loss import sums
from chatterbox_worker.engines.chatterbox.training.module import upstream_t3
from chatterbox_worker.engines.chatterbox.training.resume import load_state, save_state
from chatterbox_worker.engines.chatterbox.training.scope import Scope, add_rows
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, Trainer
from support.learners import CPU, SHAPE, corpus_of, recipe, weights

TABLES = ("text_emb.weight", "text_head.weight")
OLD = 704
NEW = {"[fa]": OLD, "پ": OLD + 1, "چ": OLD + 2}
WHOLE, ROWS, BOTH = Scope(whole=True), Scope(new_rows=3), Scope(SHAPE, new_rows=3)


def _base(scope: Scope, model: str = "english") -> dict[str, Tensor]:
    tokens = {"[en]": 3, "[es]": 4, "a": 5, "b": 6, "ab": 7, **NEW}
    return add_rows(weights(model), tokens) if scope.new_rows else weights(model)


def _trainer(scope: Scope, model: str = "english", **changed: object) -> Trainer:
    corpus, layout = corpus_of(model=model), LAYOUTS[model]
    for clip in corpus.clips if scope.new_rows else ():
        clip.text[1:4] = torch.tensor(list(NEW.values()))
    module = scope.mark(upstream_t3(layout, _base(scope, model)), layout, seed=0)
    return Trainer(module, corpus, recipe(**changed), CPU)


def _train(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step()
    return trainer


def test_only_rows_and_all_weights_make_a_model() -> None:
    scopes = (Scope(), Scope(SHAPE), ROWS, BOTH, WHOLE)
    assert [scope.makes_model for scope in scopes] == [False, False, True, True, True]


def test_new_rows_begin_as_the_means_of_their_kind() -> None:
    for name in TABLES:
        old, grown = weights("english")[name], _base(ROWS)[name]
        assert torch.equal(grown[:OLD], old)
        assert torch.equal(grown[OLD], old[[3, 4]].mean(0))
        assert torch.equal(grown[OLD + 1], old[[5, 6]].mean(0))
        assert torch.equal(grown[OLD + 2], grown[OLD + 1])
        one = add_rows(weights("english"), {"[en]": 3, "a": 5, "پ": OLD})[name]
        assert torch.equal(one[OLD], old[5])


@pytest.mark.parametrize("scope", [ROWS, BOTH])
def test_rows_are_trained_and_the_old_ones_stay_to_the_bit(scope: Scope) -> None:
    trainer = _train(_trainer(scope), 4)
    merged = scope.merge(_base(scope), trainer.trained(), LAYOUTS["english"])
    changed = set()
    for name, before in _base(scope).items():
        kept = before[:OLD] if name in TABLES else before
        if not torch.equal(merged[name][: len(kept)], kept):
            changed.add(name)
        if name in TABLES:
            assert (merged[name][OLD:] != before[OLD:]).any(dim=1).all(), name
    assert changed == ({f"tfmr.layers.{layer}.self_attn.{each}_proj.weight" for layer in (0, 1) for each in "qkvo"}
                       if scope.adapter else set())  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "model"), [(BOTH, "english"), (WHOLE, "english"), pytest.param(WHOLE, "nano", marks=pytest.mark.slow)]
)
def test_the_merged_weights_have_the_loss_of_what_was_trained(scope: Scope, model: str) -> None:
    trainer = _train(_trainer(scope, model), 3)
    merged = upstream_t3(LAYOUTS[model], scope.merge(_base(scope, model), trainer.trained(), LAYOUTS[model])).eval()
    example = trainer.corpus.example(0, 0)
    with torch.no_grad():
        theirs, ours = (float(sums(each, [example]).speech) for each in (trainer._module.eval(), merged))
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("model", ["english", pytest.param("turbo", marks=pytest.mark.slow)])
def test_a_whole_t3_is_trained_and_its_base_is_left_alone(model: str) -> None:
    before = {name: tensor.clone() for name, tensor in weights(model).items()}
    trainer = _train(_trainer(WHOLE, model), 4)
    after = WHOLE.merge(weights(model), trainer.trained(), LAYOUTS[model])
    same = {name for name in before if torch.equal(after[name], before[name])}
    assert all(name.startswith(("tfmr.wte", "tfmr.embed_tokens")) for name in same), same
    assert all(torch.equal(weights(model)[name], tensor) for name, tensor in before.items())
    assert trainer.history.steps[-1].speech < trainer.history.steps[0].speech


@pytest.mark.parametrize("scope", [ROWS, pytest.param(WHOLE, marks=pytest.mark.slow)])
def test_a_resumed_run_ends_with_the_same_weights(scope: Scope, tmp_path: Path) -> None:
    unbroken = _train(_trainer(scope), 4)
    save_state(tmp_path / "state.pt", {"trainer": _train(_trainer(scope), 2).state()})
    resumed = _trainer(scope)
    state = load_state(tmp_path / "state.pt")
    assert state is not None
    resumed.restore(state["trainer"])
    ended = _train(resumed, 2).trained()
    assert all(torch.equal(tensor, ended[name]) for name, tensor in unbroken.trained().items())


@pytest.mark.slow
@pytest.mark.parametrize("scope", [WHOLE, ROWS])
def test_what_is_trained_is_float32_in_half_precision(scope: Scope) -> None:
    exact, half = (_train(_trainer(scope, arithmetic=each), 2) for each in (Arithmetic.FP32, Arithmetic.BF16))
    assert all(tensor.dtype is torch.float32 for tensor in half.trained().values())
    assert half.history.steps[1].speech == pytest.approx(exact.history.steps[1].speech, rel=0.02)
