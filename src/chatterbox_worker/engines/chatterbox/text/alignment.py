"""When each character of a text is spoken, by the attention of the heads that follow it.

A head that follows the text attends to what is being spoken, but not at every step: it skips spaces, and sometimes
looks elsewhere. So the reading is the monotonic path through all steps that has the most attention (dynamic
programming, as in the Viterbi algorithm): at each step it stays at its text token or goes on to a later one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chatterbox_worker.text.origins import Range

_LEAST = 0.01  # attention below it is as good as none, so that one step that looks elsewhere decides nothing
_SKIPPED = 0.5  # nats for each text token that no step is at: less than a step without attention (4.6)
_ATTENTIVE = 0.9  # the quantile of the steps' attention to the text that counts as all of it


def monotonic_path(attention: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The text token (steps,) at each step, never decreasing, by the attention (steps, text tokens) of at least one.

    Takes 2 bytes for each value of the attention.
    """
    steps, size = attention.shape
    whole = max(float(np.quantile(attention.sum(1), _ATTENTIVE)), float(np.finfo(np.float32).tiny))
    scores = np.log(np.clip(attention / whole, _LEAST, 1.0))
    tokens = np.arange(size)
    skipped = _SKIPPED * tokens
    came_from = np.empty((steps, size), np.uint16)
    best = scores[0] - skipped
    for step in range(1, steps):
        # from the best earlier token, each token between the two being skipped
        reach = best + skipped
        running = np.maximum.accumulate(reach)
        origin = np.maximum.accumulate(np.where(reach == running, tokens, 0))
        advanced = np.concatenate([[-np.inf], running[:-1] - skipped[:-1]])
        moves = advanced > best
        came_from[step] = np.where(moves, np.concatenate([[0], origin[:-1]]), tokens)
        best = np.where(moves, advanced, best) + scores[step]
    path = np.empty(steps, np.int64)
    path[-1] = int(np.argmax(best - skipped[::-1]))
    for step in range(steps - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def boundaries(path: npt.NDArray[np.int64], spans: Sequence[Range], characters: int) -> npt.NDArray[np.float64]:
    """The step (characters + 1,) at which each character begins, and the last one ends; never decreasing.

    `path`: from `monotonic_path`. `spans`: the characters that each text token stands for; empty for tokens that stand
    for none. The characters of a token share its steps, and so do those of tokens that cannot be told apart.
    """
    begins = np.searchsorted(path, np.arange(len(spans) + 1))
    places, steps = [0], [0.0]
    for (start, end), first, last in _groups(spans):
        for place, step in ((start, begins[first]), (end, begins[last + 1])):
            if place > places[-1]:
                places.append(place)
                steps.append(float(step))
            elif place == 0:
                steps[0] = float(step)
    return np.asarray(np.interp(np.arange(characters + 1), places, steps))


def _groups(spans: Sequence[Range]) -> list[tuple[Range, int, int]]:
    """Spans that do not overlap, with the first and the last token of each; an inserted mark belongs to its letter."""
    groups: list[tuple[Range, int, int]] = []
    for token, (start, end) in enumerate(spans):
        (first, last), begun, _ = groups[-1] if groups else ((0, 0), 0, 0)
        is_inserted = start == end and first < start <= last
        if is_inserted or (start < last and first < end):
            groups[-1] = (first, max(last, end)), begun, token
        elif start < end:
            groups.append(((start, end), token, token))
    return groups
