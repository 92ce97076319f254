"""One utterance on its way through CSM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatterbox_worker.engine import Turn, Utterance
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """What the batch needs of an utterance."""

    heard: Sequence[Turn]
    """What was said before, the voice's own recording first."""
    ids: Sequence[int]
    """Of the text."""
    max_frames: int


class CsmTake(ChatterboxTake):
    """The codes stay with it: a later chunk of the same text may go on from them."""

    def __init__(self, utterance: Utterance, script: Script, lead: CsmTake | None, on_over: Callable[[], None]) -> None:
        """`lead` must be said before this one begins."""
        super().__init__(utterance, on_over)
        self.script, self.lead = script, lead
        self.frames: list[list[int]] = []
        self.is_said = False
        """Whether `frames` are all there will be."""

    @property
    def is_ready(self) -> bool:
        return self.lead is None or self.lead.is_said or self.lead.is_over
