"""Speculative decoding of a lone utterance on a CPU: 8-bit weights draft tokens, one pass of the model verifies them.

A token costs one reading of the weights, and a few rows cost no more than one row. So a draft model with a quarter of
the bytes drafts the next tokens, and the model reads all of them at once (speculative decoding, arXiv:2211.17192).
Every token is still drawn from the model's own logits with its own noise (`Slots`); a draft only decides whether those
logits are known already. So the draft changes no token beyond rounding, only when tokens come: a few at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.attention import TextAttention
from chatterbox_worker.engines.chatterbox.t3.model import T3

MAX_DRAFT_TOKENS = 5
"""The fastest of three to six (docs/PERFORMANCE.md)."""

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits (rows, V), penalties (1, V), steps (1,)) -> token (1,): how the utterance is sampled."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodingPosition:
    """Where the utterance is: its token is known and about to be fed to the model."""

    cache: Tensor
    """Keys and values (layers, rows, 2 * heads, length, head_dim); those beyond `position` may be overwritten."""
    position: int
    """Of the token, in the cache."""
    step: int
    """How many tokens were drawn before it."""
    penalties: Tensor
    """(1, V) by which the logits of tokens drawn before it are penalised; 1 for the others."""
    penalty: Tensor
    """(1, 1) of a drawn token."""
    remaining: int
    """How many more positions may be used beyond `position`."""
    attention: TextAttention | None = None
    """Stores the queries of what is verified, for an utterance that is observed."""


class SpeculativeDecoder:
    """For one utterance at a time, in the cache's first rows.

    Call `reset` between two utterances, and after tokens were fed to the model elsewhere.
    """

    def __init__(self, t3: T3) -> None:
        self._t3 = t3
        self._verified: deque[tuple[int, Tensor]] = deque()
        self._accepted_in_a_row = 0
        self.drafted = self.accepted = 0
        """How many tokens were drafted so far, and how many of those were accepted."""

    def reset(self) -> None:
        self._verified.clear()

    def next_logits(self, token: Tensor, draft: T3, start: DecodingPosition, draw: Draw) -> Tensor:
        """The model's logits (rows, V) after `token` (1,)."""
        if self._verified and self._verified[0][0] == int(token):
            self._accepted_in_a_row += 1
            self.accepted += 1
            return self._verified.popleft()[1]
        # one more than was accepted the last time
        depth = min(self._accepted_in_a_row + 1, MAX_DRAFT_TOKENS, start.remaining)
        self._verified.clear()
        self._accepted_in_a_row = 0
        tokens = self._draft_tokens(token, draft, start, draw, depth)
        logits = self._verify(tokens, start)
        self._verified.extend(
            (int(drafted_token), logits[:, ahead]) for ahead, drafted_token in enumerate(tokens[1:], start=1)
        )
        self.drafted += len(self._verified)
        return logits[:, 0]

    def _draft_tokens(self, token: Tensor, draft: T3, start: DecodingPosition, draw: Draw, depth: int) -> list[Tensor]:
        """The token and the drafted tokens after it; an end of speech is not worth verifying."""
        tokens, penalties = [token], start.penalties.clone()
        for ahead in range(depth):
            penalties.scatter_(1, tokens[-1][:, None], start.penalty)
            at, step = start.position + ahead, torch.tensor([start.step + ahead])
            x = draft.embed_speech(tokens[-1], step)
            hidden = draft.forward(x, start.cache, self._rows(at, 1), at + 1, unmasked=True)
            drafted_token = draw(draft.logits(hidden[:, 0]), penalties, step + 1)
            if int(drafted_token) == self._t3.eos:
                break
            tokens.append(drafted_token)
        return tokens

    def _verify(self, tokens: list[Tensor], start: DecodingPosition) -> Tensor:
        """The model's logits (rows, n, V) after each of the n tokens."""
        count, t3 = len(tokens), self._t3
        steps = torch.arange(start.step, start.step + count)
        x = t3.embed_speech(torch.cat(tokens), steps).view(count, t3.rows, t3.width).transpose(0, 1)
        positions = self._rows(start.position, count)
        observe = None if start.attention is None else start.attention.observer(positions)
        hidden = t3.forward(x, start.cache, positions, start.position + count, unmasked=count == 1, observe=observe)
        return t3.logits(hidden.reshape(-1, t3.width)).view(t3.rows, count, -1)

    def _rows(self, start: int, count: int) -> Tensor:
        return torch.arange(start, start + count).expand(self._t3.rows, -1)
