"""The body of the training loop: a step of AdamW on what is trained, evaluation on the held-out clips, and saved state.

The loss of an optimizer step is the mean over all tokens of all its batches, so that four batches of one clip weigh the
same as one batch of four. The frozen weights are in the precision of the run; the trained ones, the heads' output and
the optimizer are in float32. On a CPU the arithmetic is deterministic: a run repeats bit for bit, and a run restored
from `state()` ends with the same weights. On a GPU some sums of cuDNN and cuBLAS are not deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from chatterbox_worker.engines.chatterbox.device.failures import is_out_of_memory
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus
from chatterbox_worker.engines.chatterbox.training.loss import Example, Sums, sums
from chatterbox_worker.engines.chatterbox.training.module import T3Module, set_trained, trained_parameters
from chatterbox_worker.engines.chatterbox.training.sampler import Batching
from chatterbox_worker.errors import InvalidRequest

_MAX_GRADIENT_NORM = 1.0  # gradients are clipped to it, as usual for transformers
_WARM_UP = 0.05  # of all steps
_OUT_OF_MEMORY = "the memory is full: --gradient-checkpointing, a lower --batch-size or a lower --max-clip-s need less"


class Arithmetic(Enum):
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    """With a loss scale; for GPUs that lack bf16."""

    @property
    def dtype(self) -> torch.dtype:
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.value]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything apart from the data that the trained weights depend on."""

    steps: int
    batching: Batching
    learning_rate: float
    text_weight: float
    """Weight of the text's loss; the speech's has weight 1."""
    evaluate_every: int
    """Steps; 0 for never."""
    patience: int
    """The run ends after this many evaluations without an improvement; 0 for never."""
    arithmetic: Arithmetic
    recompute: bool
    """Gradient checkpointing: activations are recomputed in the backward pass, not stored."""
    seed: int

    def rate_at(self, step: int) -> float:
        """The learning rate: a short linear rise, then a half cosine down to a tenth."""
        rise = max(1, round(_WARM_UP * self.steps))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        done = (step - rise) / max(1, self.steps - rise)
        return self.learning_rate * (0.55 + 0.45 * math.cos(math.pi * done))


@dataclass(frozen=True, slots=True)
class LossPoint:
    """A point of a loss curve: mean cross entropy in nats per token."""

    step: int
    """1 is the first; 0 is the model before training."""
    speech: float
    text: float
    """0 with a model that predicts no text."""


@dataclass(slots=True)
class History:
    steps: list[LossPoint] = field(default_factory=list)
    evaluations: list[LossPoint] = field(default_factory=list)

    @property
    def best(self) -> LossPoint | None:
        return min(self.evaluations, key=lambda point: point.speech, default=None)

    @property
    def idle(self) -> int:
        """Evaluations since the best one."""
        best = self.best
        return 0 if best is None else len(self.evaluations) - 1 - self.evaluations.index(best)


@contextmanager
def _report_full_memory() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise InvalidRequest(_OUT_OF_MEMORY, field="batch_size") from error


class Trainer:
    def __init__(
        self,
        module: T3Module,
        corpus: Corpus,
        recipe: Recipe,
        device: torch.device,
        *,
        sum_losses: Callable[[T3Module, Sequence[Example]], Sums] | None = None,
        transformers: Sequence[Any] | None = None,
    ) -> None:
        """What needs gradients in `module` is trained; it is moved to `device`.

        Raises InvalidRequest if the memory is full.

        `sum_losses` computes the losses of a batch, and `transformers` are the parts of `module` whose dropout is
        active and whose activations can be recomputed; by default T3's.
        """
        self._sums = sums if sum_losses is None else sum_losses
        self._transformers = [module.tfmr] if transformers is None else transformers
        self.corpus, self.recipe, self.device = corpus, recipe, device
        self.history = History()
        self.done = 0
        """How many optimizer steps have been taken."""
        with _report_full_memory():
            self._module = _move(module, recipe, device).eval()
        if recipe.recompute:
            for each in self._transformers:
                each.gradient_checkpointing_enable({"use_reentrant": False})
        self._parameters = trained_parameters(module)
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=recipe.learning_rate, weight_decay=0.0)
        self._scaler = GradScaler(device.type, enabled=recipe.arithmetic is Arithmetic.FP16)
        self._best = self.trained()
        torch.manual_seed(recipe.seed)  # the adapter's dropout

    @property
    def is_finished(self) -> bool:
        patience = self.recipe.patience
        return self.done >= self.recipe.steps or bool(patience and self.history.idle >= patience)

    @property
    def is_evaluation_due(self) -> bool:
        every = self.recipe.evaluate_every
        return bool(every and self.corpus.held_out) and (self.done % every == 0 or self.done == self.recipe.steps)

    def trained(self) -> dict[str, torch.Tensor]:
        """A copy of the trained parameters as they are, on the CPU, float32."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self._parameters.items()}

    def best(self) -> dict[str, torch.Tensor]:
        """The trained parameters at the best evaluation; as they are if there was none."""
        return self._best if self.history.evaluations else self.trained()

    @_report_full_memory()
    def step(self) -> LossPoint:
        """Take one optimizer step; returns the losses before it.

        Raises:
            InvalidRequest: the loss or its gradient is not a number, or the memory is full.
        """
        batching, recipe = self.recipe.batching, self.recipe
        epoch = self.done // batching.steps_per_epoch(len(self.corpus.clips))
        batches = [
            [self.corpus.example(number, epoch) for number in batch]
            for batch in batching.at(self.corpus.lengths, self.done)
        ]
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.rate_at(self.done)
        for each in self._transformers:  # only these: the dropout of upstream's perceiver could not be switched off
            each.train()
        speech, text = self._backward(batches)
        self._check(f"the loss at step {self.done + 1} is {speech:g} (speech) and {text:g} (text)", speech, text)
        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters.values(), _MAX_GRADIENT_NORM)
        if not self._scaler.is_enabled():  # it leaves such a step out by itself; clipped to a norm, inf becomes NaN
            self._check(f"the gradient at step {self.done + 1} has the norm {norm:g}", float(norm))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        self.done += 1
        self.history.steps.append(LossPoint(self.done, speech, text))
        return self.history.steps[-1]

    @staticmethod
    def _check(what: str, *values: float) -> None:
        if not all(map(math.isfinite, values)):
            raise InvalidRequest(f"{what}: a lower --learning-rate is needed", field="learning_rate")

    @_report_full_memory()
    def evaluate(self) -> LossPoint:
        """The losses on the held-out clips. Uses no random numbers.

        Raises:
            InvalidRequest: the memory is full.
        """
        examples = sorted(self.corpus.held_out_examples(), key=lambda each: len(each.speech))
        size = self.recipe.batching.size
        self._module.eval()
        speech = text = 0.0
        with torch.no_grad(), self._computing():
            for at in range(0, len(examples), size):
                loss = self._sums(self._module, examples[at : at + size])
                speech, text = speech + float(loss.speech), text + float(loss.text)
        counts = _targets([examples])
        self.history.evaluations.append(LossPoint(self.done, speech / counts[0], text / counts[1]))
        if self.history.best is self.history.evaluations[-1]:
            self._best = self.trained()
        return self.history.evaluations[-1]

    def state(self) -> dict[str, Any]:
        """What `restore` needs, in types that `resume.save_state` accepts."""
        return {
            "done": self.done,
            "adapter": self.trained(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "steps": [(point.step, point.speech, point.text) for point in self.history.steps],
            "judgements": [(point.step, point.speech, point.text) for point in self.history.evaluations],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        set_trained(self._module, state["adapter"])
        self._best = state["best"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.history = History(
            [LossPoint(*point) for point in state["steps"]], [LossPoint(*point) for point in state["judgements"]]
        )

    def _backward(self, batches: Sequence[Sequence[Example]]) -> tuple[float, float]:
        speech_targets, text_targets = _targets(batches)
        speech = text = 0.0
        for batch in batches:
            with self._computing():
                losses = self._sums(self._module, batch)
                loss = losses.speech / speech_targets + self.recipe.text_weight * losses.text / text_targets
            self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            speech, text = speech + float(losses.speech.detach()), text + float(losses.text.detach())
        return speech / speech_targets, text / text_targets

    def _computing(self) -> torch.autocast:
        arithmetic = self.recipe.arithmetic
        return torch.autocast(self.device.type, arithmetic.dtype, enabled=arithmetic is not Arithmetic.FP32)


def _move(module: T3Module, recipe: Recipe, device: torch.device) -> T3Module:
    for parameter in module.parameters():
        parameter.data = parameter.data.to(
            device, torch.float32 if parameter.requires_grad else recipe.arithmetic.dtype
        )
    module.to(device)  # buffers: the rotary angles stay in float32
    return module


def _targets(batches: Sequence[Sequence[Example]]) -> tuple[int, int]:
    """How many speech and text tokens are predicted; at least 1 each, since losses are divided by them."""
    examples = [example for batch in batches for example in batch]
    return (
        max(1, sum(each.speech_targets for each in examples)),
        max(1, sum(each.text_targets for each in examples)),
    )
