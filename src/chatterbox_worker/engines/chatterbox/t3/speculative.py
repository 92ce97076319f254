"""A CPU's lone utterance, several tokens at a time: guessed with 8-bit weights, then judged with the real ones in one pass.

A token costs one reading of the weights, and a few rows cost no more than one row does. So a draft of the model with a quarter of the
bytes guesses the next tokens, and the model reads all guesses at once (speculative decoding, arXiv:2211.17192). Every token is still
drawn from the model's own logits with its own noise (`Slots`); a guess only decides whether those logits are known already. So the
draft changes no token beyond rounding, it changes when tokens come: a few at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.model import T3

DEEPEST = 5
"""Guesses at most: the fastest of three to six (docs/PERFORMANCE.md)."""

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits (rows, V), seen (1, V), steps (1,)) -> token (1,): the utterance's own way to draw."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodingPosition:
    """Where the utterance is: its token is known and about to be fed."""

    cache: Tensor
    """Keys and values (layers, rows, 2 * heads, length, head_dim); what is beyond `position` may be overwritten."""
    position: int
    """Of the token, in the cache."""
    step: int
    """How many tokens were drawn before it."""
    seen: Tensor
    """(1, V) tokens drawn before it."""
    room: int
    """How many more positions there are beyond `position`."""


class SpeculativeDecoder:
    """For one utterance at a time, in the cache's first rows; `forget` between two, and whenever a token was fed elsewhere."""

    def __init__(self, t3: T3) -> None:
        self._t3 = t3
        self._known: deque[tuple[int, Tensor]] = deque()
        self._hits = 0
        self.guessed = self.used = 0
        """How many tokens were guessed so far, and how many of those turned out right."""

    def forget(self) -> None:
        self._known.clear()

    def after(self, token: Tensor, draft: T3, place: DecodingPosition, draw: Draw) -> Tensor:
        """The model's logits (rows, V) behind `token` (1,)."""
        if self._known and self._known[0][0] == int(token):
            self._hits += 1
            self.used += 1
            return self._known.popleft()[1]
        depth = min(self._hits + 1, DEEPEST, place.room)  # one more than was right the last time
        self._known.clear()
        self._hits = 0
        tokens = self._guess(token, draft, place, draw, depth)
        logits = self._judge(tokens, place)
        self._known.extend((int(guess), logits[:, ahead]) for ahead, guess in enumerate(tokens[1:], start=1))
        self.guessed += len(self._known)
        return logits[:, 0]

    def _guess(self, token: Tensor, draft: T3, place: DecodingPosition, draw: Draw, depth: int) -> list[Tensor]:
        """The token and what the draft would say behind it; an end of speech is not worth reading."""
        tokens, seen = [token], place.seen.clone()
        for ahead in range(depth):
            seen.scatter_(1, tokens[-1][:, None], value=True)
            at, step = place.position + ahead, torch.tensor([place.step + ahead + 1])
            x = draft.embed_speech(tokens[-1], step)
            hidden = draft.forward(x, place.cache, self._rows(at, 1), at + 1, sees_all=True)
            guess = draw(draft.logits(hidden[:, 0]), seen, step)
            if int(guess) == self._t3.eos:
                break
            tokens.append(guess)
        return tokens

    def _judge(self, tokens: list[Tensor], place: DecodingPosition) -> Tensor:
        """The model's logits (rows, n, V) behind each of the n tokens."""
        count, t3 = len(tokens), self._t3
        steps = torch.arange(place.step + 1, place.step + 1 + count)
        x = t3.embed_speech(torch.cat(tokens), steps).view(count, t3.rows, t3.width).transpose(0, 1)
        positions = self._rows(place.position, count)
        hidden = t3.forward(x, place.cache, positions, place.position + count, sees_all=count == 1)
        return t3.logits(hidden.reshape(-1, t3.width)).view(t3.rows, count, -1)

    def _rows(self, start: int, count: int) -> Tensor:
        return torch.arange(start, start + count).expand(self._t3.rows, -1)
