"""Training: the loss falls, the curve repeats, and a resumed run ends with the same weights, bit for bit."""

from __future__ import annotations

import math
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.t3 import slots
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.engines.chatterbox.training import trainer as training
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus
from chatterbox_worker.engines.chatterbox.training.loss import Example
from chatterbox_worker.engines.chatterbox.training.module import Shape, trained_parameters
from chatterbox_worker.engines.chatterbox.training.resume import load_state, save_state
from chatterbox_worker.engines.chatterbox.training.sampler import Batching
from chatterbox_worker.engines.chatterbox.training.speak import VoiceSampler
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, LossPoint, Trainer
from chatterbox_worker.errors import InvalidRequest
from support.checkpoints import checkpoint
from support.learners import CPU, clip, corpus_of, recipe, trainer_of

MODELS = ["english", pytest.param("turbo", marks=pytest.mark.slow)]
WITH_DROPOUT = Shape(rank=4, alpha=8.0, dropout=0.2)


def _run(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step()
        if trainer.is_evaluation_due:
            trainer.evaluate()
    return trainer


def _assert_equal(one: Trainer, other: Trainer) -> None:
    for name, tensor in one.trained().items():
        assert torch.equal(tensor, other.trained()[name]), name
        assert torch.equal(one.best()[name], other.best()[name]), name
    assert one.history == other.history


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_falls_on_a_curve_that_repeats(model: str) -> None:
    first, second = (_run(trainer_of(model, shape=WITH_DROPOUT), 8) for _ in range(2))
    losses = [point.speech for point in first.history.steps]
    assert losses[-1] < losses[0] - 0.3
    assert first.history.evaluations[-1].speech < first.history.evaluations[0].speech
    assert first.history.best is first.history.evaluations[-1]
    assert all(torch.equal(tensor, first.trained()[name]) for name, tensor in first.best().items())
    assert all(point.text > 0 for point in (*first.history.steps, *first.history.evaluations))
    _assert_equal(first, second)


def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    """With dropout, whose random numbers must continue too, and with the optimizer's moments."""
    unbroken = _run(trainer_of(shape=WITH_DROPOUT), 7)
    save_state(tmp_path / "state.pt", {"trainer": _run(trainer_of(shape=WITH_DROPOUT), 3).state()})
    torch.manual_seed(99)  # another process
    resumed = trainer_of(shape=WITH_DROPOUT)
    state = load_state(tmp_path / "state.pt")
    assert state is not None
    resumed.restore(state["trainer"])
    _assert_equal(unbroken, _run(resumed, 4))


def test_the_batch_size_within_a_step_changes_nothing() -> None:
    """The mean is over all tokens of the step, not over means of batches."""
    corpus = corpus_of(count=6, held_out=0)
    whole = _run(trainer_of(corpus=corpus, batching=Batching(6, 1, seed=0)), 2)
    cut = _run(trainer_of(corpus=corpus, batching=Batching(1, 6, seed=0)), 2)
    assert whole.history.steps[1].speech == pytest.approx(cut.history.steps[1].speech, rel=1e-5)
    for name, tensor in whole.trained().items():
        assert torch.allclose(tensor, cut.trained()[name], atol=1e-4), name


@pytest.mark.parametrize("model", MODELS)
def test_recomputing_changes_no_number(model: str) -> None:
    plain, recomputing = (
        _run(trainer_of(model, shape=WITH_DROPOUT, recompute=recompute), 2) for recompute in (False, True)
    )
    assert recomputing._module.tfmr.is_gradient_checkpointing
    _assert_equal(plain, recomputing)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["english", "turbo"])
def test_half_precision_stays_close_and_the_adapter_is_float32(model: str) -> None:
    exact, half = _run(trainer_of(model), 3), _run(trainer_of(model, arithmetic=Arithmetic.BF16), 3)
    assert half.history.steps[2].speech == pytest.approx(exact.history.steps[2].speech, rel=0.02)
    assert all(tensor.dtype is torch.float32 for tensor in half.trained().values())
    assert half._module.speech_head.weight.dtype is torch.bfloat16


def test_only_the_adapter_is_trained() -> None:
    trainer = trainer_of()
    before = {name: tensor.clone() for name, tensor in trainer._module.state_dict().items()}
    _run(trainer, 2)
    changed = {name for name, tensor in trainer._module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(".lora_" in name for name in changed)
    assert len(changed) == len(trained_parameters(trainer._module))


def test_the_run_ends_when_evaluations_no_longer_improve_and_returns_the_best() -> None:
    trainer = trainer_of(steps=100, learning_rate=1e-9, patience=2)
    trainer.evaluate()
    start = trainer.trained()
    trainer.history.evaluations[0] = LossPoint(0, 0.001, 0.001)
    while not trainer.is_finished:
        _run(trainer, 1)
    assert trainer.done == 4
    assert trainer.history.idle == 2
    trainer.recipe = replace(trainer.recipe, patience=0, steps=5)
    assert (trainer.is_finished, trainer.is_evaluation_due) == (False, True)
    trainer.done = 5  # no multiple of `evaluate_every`, but the last step
    assert (trainer.is_finished, trainer.is_evaluation_due) == (True, True)
    for name, tensor in trainer.best().items():
        assert torch.equal(tensor, start[name])


def test_without_held_out_clips_the_last_weights_are_the_result() -> None:
    epochs: list[int] = []

    class Recorded(Corpus):
        def example(self, number: int, epoch: int) -> Example:
            epochs.append(epoch)
            return super().example(number, epoch)

    corpus = Recorded(corpus_of(count=4, held_out=0).clips, [], seed=0)
    trainer = _run(trainer_of(corpus=corpus, batching=Batching(2, 1, seed=0)), 3)
    assert epochs == [0, 0, 0, 0, 1, 1]
    assert not trainer.history.evaluations
    assert torch.equal(*(each["tfmr.layers.0.self_attn.q_proj.lora_B"] for each in (trainer.best(), trainer.trained())))


def test_a_loss_that_is_not_a_number_stops_the_run() -> None:
    trainer = trainer_of()
    with torch.no_grad():
        next(iter(trained_parameters(trainer._module).values())).fill_(float("nan"))
    with pytest.raises(InvalidRequest, match="loss at step 1 is nan") as caught:
        trainer.step()
    assert caught.value.field == "learning_rate"


def test_a_gradient_that_is_not_a_number_changes_no_weight() -> None:
    trainer = trainer_of()
    before = trainer.trained()
    weight = next(iter(trained_parameters(trainer._module).values()))
    weight.register_hook(lambda gradient: gradient + math.inf)  # type: ignore[no-untyped-call]
    with pytest.raises(InvalidRequest, match="gradient at step 1 has the norm inf: a lower --learning-rate"):
        trainer.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.trained().items())


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (training, "_move", torch.OutOfMemoryError()),
        (training, "sums", RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")),
        (torch.optim.AdamW, "step", torch.OutOfMemoryError()),  # its moments, which the first step allocates
    ],
)
def test_a_full_memory_is_reported_with_the_flags_that_help(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(owner, name, full)
    with pytest.raises(InvalidRequest, match="--gradient-checkpointing, a lower --batch-size"):
        trainer_of().step()


def test_any_other_error_of_a_step_is_not_taken_for_a_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of()
    monkeypatch.setattr(trainer, "_sums", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        trainer.step()


def test_the_engine_that_speaks_samples_captures_no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threads would capture them while the training draws from the generator that a capture holds."""
    asked: list[object] = []
    monkeypatch.setattr(slots, "recorder_of", lambda *given: asked.append(given))
    found = find(LAYOUTS["english"], weights_dir=checkpoint("english"), offline=True)
    sampler = VoiceSampler(found, load_tokenizer(found), ReferenceEncoders(found), CPU, in_words=True)
    assert sampler._base_engine.slots == 1
    sampler.close()
    assert not asked


def test_the_learning_rate_rises_then_falls_to_a_tenth() -> None:
    long = recipe(steps=100, learning_rate=1.0)
    rates = [long.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (4, 5)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_prompts_come_from_training_clips_never_from_held_out_ones() -> None:
    corpus = corpus_of()
    own = {tuple(each.prompt.tolist()) for each in corpus.clips}
    for example in corpus.held_out_examples():
        assert tuple(example.prompt.tolist()) in own
    mixed = replace(corpus, clips=[*corpus.clips, clip(50, person="ben"), clip(51, person="ben")])
    assert torch.equal(mixed.example(len(mixed.clips) - 1, 0).prompt, clip(50).prompt)


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state.pt") is None
    save_state(tmp_path / "state.pt", {"trainer": torch.zeros(1000)})
    data = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(InvalidRequest, match=r"state\.pt cannot be read \(\w.*delete it to start again"):
        load_state(tmp_path / "state.pt")


def test_a_full_disk_is_reported_by_the_systems_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's writer then has an error of its own."""
    save_state(tmp_path / "state.pt", {"trainer": torch.ones(1)})
    most, highest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, highest))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(tmp_path / "state.pt", {"trainer": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, highest))
    assert load_state(tmp_path / "state.pt") == {"trainer": torch.ones(1)}
    monkeypatch.setattr(torch, "save", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):  # any other error is not the disk's
        save_state(tmp_path / "state.pt", {})
