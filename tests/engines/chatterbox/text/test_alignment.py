"""The path through attention of known shape is the one that made it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from chatterbox_worker.engines.chatterbox.text.alignment import boundaries, monotonic_path


def attention_along(path: list[int], size: int, *, noise: float = 0.0, seed: int = 0) -> npt.NDArray[np.float32]:
    """Most of the attention at the path's token, some at its neighbours, and noise everywhere."""
    distance = np.abs(np.arange(size) - np.asarray(path)[:, None])
    weights = np.exp(-1.5 * distance) + noise * np.random.default_rng(seed).random((len(path), size))
    return np.asarray(0.6 * weights / weights.sum(1, keepdims=True), np.float32)


def steady(size: int, steps_each: int) -> list[int]:
    return [token for token in range(size) for _ in range(steps_each)]


def test_clear_attention_is_followed_exactly() -> None:
    path = [0, 0, 0, 1, 2, 2, 2, 2, 3, 4, 4, 5]
    assert monotonic_path(attention_along(path, 6)).tolist() == path


@pytest.mark.parametrize("seed", range(5))
def test_noise_moves_no_edge_by_more_than_a_step_or_two(seed: int) -> None:
    path = steady(40, 4)
    found = monotonic_path(attention_along(path, 40, noise=0.3, seed=seed))
    edges = [np.searchsorted(each, np.arange(40)) for each in (path, found)]
    assert np.abs(edges[0] - edges[1]).max() <= 2
    assert all(one <= two for one, two in pairwise(found.tolist()))


def test_steps_that_look_elsewhere_decide_nothing() -> None:
    path = steady(30, 4)
    attention = attention_along(path, 30, noise=0.1)
    rng = np.random.default_rng(1)
    for step in rng.choice(len(path), 12, replace=False):
        attention[step] = np.roll(attention[step], rng.integers(5, 25))
    found = monotonic_path(attention)
    assert np.abs(found - np.asarray(path)).max() <= 1


def test_tokens_that_get_no_attention_are_skipped() -> None:
    """The heads skip spaces; a model that leaves words out skips those."""
    path = [token for token in steady(40, 3) if token % 4 and token not in range(20, 27)]
    assert monotonic_path(attention_along(path, 40)).tolist() == path


def test_pauses_without_attention_to_the_text_stay_where_they_are() -> None:
    path = [*steady(10, 3), *[9] * 15, *[token + 10 for token in steady(10, 3)]]
    attention = attention_along(path, 20)
    attention[30:45] = 0.001  # silence: the heads attend to the sound before it
    found = monotonic_path(attention)
    assert found[:30].tolist() == path[:30]
    assert found[45:].tolist() == path[45:]
    assert set(found[30:45].tolist()) <= {9, 10}


def test_speech_that_stops_early_ends_where_it_stopped() -> None:
    path = steady(12, 3)
    assert monotonic_path(attention_along(path, 30))[-1] == 11


@pytest.mark.parametrize(("steps", "size"), [(1, 1), (1, 8), (5, 1), (3, 40), (1000, 512)])
def test_any_shape_has_a_path(steps: int, size: int) -> None:
    attention = np.random.default_rng(0).random((steps, size)).astype(np.float32)
    for each in (attention, np.zeros_like(attention)):
        path = monotonic_path(each)
        assert path.shape == (steps,)
        assert (np.diff(path) >= 0).all()
        assert 0 <= path[0] <= path[-1] < size


def test_characters_share_the_steps_of_their_token() -> None:
    spans = [(0, 0), (0, 2), (2, 3), (3, 5), (0, 0)]  # start, "ab", " ", "cd", end
    path = np.asarray([0, 1, 1, 1, 1, 2, 3, 3, 4])
    assert boundaries(path, spans, 5).tolist() == [1, 3, 5, 6, 7, 8]


def test_tokens_of_one_rewritten_part_share_it_as_a_whole() -> None:
    """Three characters, of which the first two became four tokens together; the third two tokens of its own."""
    spans = [(0, 2), (0, 2), (0, 2), (0, 2), (2, 3), (2, 3)]
    assert boundaries(np.asarray([0, 1, 2, 3, 3, 3, 4, 5]), spans, 3).tolist() == [0, 3, 6, 8]


def test_characters_of_no_token_and_of_skipped_tokens_keep_the_order() -> None:
    spans = [(0, 0), (1, 2), (4, 5), (5, 6), (0, 0)]
    times = boundaries(np.asarray([1, 1, 2, 2, 4, 4]), spans, 8).tolist()
    assert len(times) == 9
    assert all(one <= two for one, two in pairwise(times))
    assert times[5] == times[6] == 4  # the token of character 5 was skipped
    assert boundaries(np.asarray([0, 0]), [(0, 0), (0, 0)], 3).tolist() == [0, 0, 0, 0]
