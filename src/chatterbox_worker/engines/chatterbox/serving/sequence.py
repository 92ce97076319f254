"""A take in T3's batch: what it is made of, and the tokens that it has so far."""

from __future__ import annotations

import collections.abc
from concurrent.futures import Future
from dataclasses import dataclass, field

from chatterbox_worker.engines.chatterbox.checkpoint.layout import SPEECH_CODES
from chatterbox_worker.engines.chatterbox.device.host_copy import HostCopy
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling


@dataclass(slots=True, eq=False)
class Sequence:
    """A take and what the batch needs of it."""

    take: ChatterboxTake
    text_ids: collections.abc.Sequence[int]
    sampling: Sampling | BlockSampling
    voice: Future[EncodedVoice]
    """If encoding it fails, so does the take."""
    max_tokens: int
    stream: Stream | None = None
    """For a take whose hops are wanted before its end."""
    tokens: list[int] = field(default_factory=list)
    to_repeat: int = 0
    """How many tokens of a stream's earlier attempt are still to be drawn again."""
    codes: int = 0
    """How many of the tokens are speech and not special."""
    observe: bool = False
    """Whether its attention to the text is wanted."""
    attention: HostCopy | None = None
    """How the queries at its tokens attend to its text, the mean of the heads that follow it: (tokens, text ids)
    float32. Once the tokens are complete, if it is observed.
    """
    admitted_s: float = 0.0
    """On the scheduler's clock, which stops while its thread renders."""

    def add_token(self, token: int) -> bool:
        """Add the next token; True if a hop of the stream is due."""
        if self.to_repeat:
            self.to_repeat -= 1
            return False
        self.tokens.append(token)
        self.codes += token < SPEECH_CODES
        return self.stream is not None and self.stream.clock.is_due(self.codes)

    def start_again(self) -> None:
        """After it was sent back. In another batch rounding can draw other tokens, so the earlier ones are dropped.

        A stream draws as many again and keeps the earlier ones, because their sound may have been returned.
        """
        if self.stream is None:
            self.tokens.clear()
            self.codes = 0
        self.to_repeat = len(self.tokens)
