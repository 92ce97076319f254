"""One utterance being spoken by CSM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatterbox_worker.engine import Turn, Utterance
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """What the batch needs of an utterance."""

    turns: Sequence[Turn]
    """The turns before it, the voice's own recording first."""
    ids: Sequence[int]
    """The ids of the text."""
    max_frames: int


class CsmTake(ChatterboxTake):
    """It retains its codes: a later chunk of the same text may continue from them."""

    def __init__(self, utterance: Utterance, script: Script, lead: CsmTake | None, on_over: Callable[[], None]) -> None:
        """`lead` must be complete before this take is started."""
        super().__init__(utterance, on_over)
        self.script, self.lead = script, lead
        self.frames: list[list[int]] = []
        self.is_complete = False
        """Whether `frames` has all frames."""

    @property
    def is_ready(self) -> bool:
        return self.lead is None or self.lead.is_complete or self.lead.is_over
