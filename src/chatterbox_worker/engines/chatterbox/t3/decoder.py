"""What the scheduler needs of a batch that decodes speech tokens: `slots.Slots`, `block_slots.BlockSlots`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling

CONTEXT_STEP = 128  # positions, on a GPU: a smaller step means more graphs, a larger one reads more than is used
TEXT_STEP = 32  # positions, on a GPU: texts are padded to a captured length
LONGEST_TEXT = 512  # positions that are captured in advance; longer texts run without a graph

Shape = tuple[int, int, bool]
"""Slots computed, positions attended to, whether the logits are sorted."""
TextShape = tuple[int, int]
"""Positions attended to, positions read."""


class Decoder(Protocol):
    """Utterances in slots: they join and leave at any step. For one thread and one stream."""

    t3: T3
    size: int
    tokens: Tensor
    """(size, ...) int64: what the last step has left for `read`."""

    @staticmethod
    def sampling(parameters: Mapping[str, float], max_tokens: int) -> Sampling | BlockSampling:
        """How an utterance of at most so many tokens is sampled, from the model's own parameters.

        Raises:
            InvalidRequest: a parameter is out of its range.
        """

    @property
    def free(self) -> list[int]:
        """Slots without an utterance. Use the lowest: a step costs as much as its highest slot."""

    @property
    def steps_left(self) -> int:
        """How many more steps every utterance can take."""

    def remaining_steps(self, slot: int) -> int:
        """How many more tokens the slot's utterance can have."""

    def prefill(
        self,
        slot: int,
        prefix: Prefix,
        text_ids: Sequence[int],
        sampling: Sampling | BlockSampling,
        seed: int,
        *,
        observe: bool = False,
    ) -> None:
        """Put an utterance into a free slot.

        `text_ids` as in `T3.embed_text`; `seed` is 0 to 2**63 - 1. `observe`: its attention to the text is wanted.

        Raises:
            InvalidRequest: the text does not fit.
            ValueError: the slot is taken, or the ids or the sampling are not the model's.
        """

    def step(self) -> Tensor:
        """One step of every utterance, without waiting for the device. Returns `tokens`."""

    def read(self, output: Tensor) -> list[list[int]]:
        """The tokens that the step with this output has completed, by slot. `output`: a copy of `tokens`, on the host.

        A stop token is the last of its utterance's tokens that count. Call it in the order of the steps.
        """

    def attention(self, slot: int, tokens: int) -> Tensor | None:
        """How the queries at the slot's first `tokens` tokens attend to its text; None if it is not observed."""

    def release(self, slot: int) -> None:
        """Free the slot of its utterance."""

    def release_all(self) -> None:
        """Free all slots."""

    def step_shapes(self, *, sorts: bool) -> list[Shape]:
        """All shapes that steps can have, those of few slots and short contexts first."""

    def text_shapes(self, prefix_length: int) -> list[TextShape]:
        """The shapes of texts after such a prefix, the short ones first."""

    def warm_step(self, shape: Shape) -> bool:
        """Capture the step of this shape in advance, if there is memory for it; no utterance changes."""

    def warm_text(self, shape: TextShape) -> bool:
        """The same for texts. Raises ValueError if no slot is free to write to."""

    def wanted(self) -> Callable[[], bool] | None:
        """The capture of a shape that runs again and again without a graph, if there is one."""

    def context_of(self, positions: int) -> int:
        """How many positions are attended to when this many are filled."""

    def close(self) -> None:
        """Free the cache and the graphs at once. Nothing may be called afterwards."""
