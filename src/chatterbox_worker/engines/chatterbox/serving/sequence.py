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
        self.tokens.append(token)
        self.codes += token < SPEECH_CODES
        return self.stream is not None and self.stream.clock.is_due(self.codes)
