"""Which kernels an engine chooses by measuring them, without a GPU: work that takes the time it is made to take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox import measured_kernels
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.measured_kernels import Comparison, Gain, Shapes, judge, measure
from support.tiny_engine import parts

CPU = torch.device("cpu")
TINY = Shapes(positions=16, flow_tokens=8, spoken_tokens=4, turns=2, replays=1)
RIGHT = Gain(0.5, 40.0, right=True)


def test_a_family_is_compared_with_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running = list[frozenset[Family]]()
    times_ms = {
        frozenset[Family](): [8.0, 10.0], frozenset({Family.STEP}): [5.0, 4.0],
        frozenset({Family.STEP, Family.STEP_OF_8}): [9.0, 6.0],
    }  # fmt: skip
    results = {count: torch.tensor(values) for count, values in enumerate([[1.0, 2.0], [1.0, 2.01], [1.0, -2.0]])}

    def work(kernels: frozenset[Family]) -> Tensor:
        running.append(kernels)
        return results[len(kernels)]

    def milliseconds(_device: object, replay: Callable[[], None], _replays: int) -> float:
        replay()
        return times_ms[running[-1]].pop(0)

    monkeypatch.setattr(measured_kernels, "_milliseconds", milliseconds)
    found = measured_kernels._compare(CPU, work, [Family.STEP, Family.STEP_OF_8], TINY)
    assert found.milliseconds == {"plain": 8.0, "STEP": 4.0, "STEP_OF_8": 6.0}
    first, second = found.gains[Family.STEP], found.gains[Family.STEP_OF_8]
    assert (first.ratio, first.right) == (0.5, True)
    assert (second.ratio, second.right) == (1.5, False)
    assert 46 < first.snr_db < 48  # 10 log10(5 / 0.0001)
    results[1][0] = float("nan")
    times_ms |= {kernels: [1.0, 1.0] for kernels in times_ms}
    assert not measured_kernels._compare(CPU, work, [Family.STEP], TINY).gains[Family.STEP].right


def test_a_graph_is_compared_by_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by what ran before it was captured."""
    value = torch.ones(3)

    class Recorder:
        def record(self, work: Callable[[], None], _undo: Callable[[], None]) -> Callable[[], None]:
            work()
            return lambda: None if value[0] > 1 else work()

    monkeypatch.setattr(measured_kernels, "recorder_of", lambda *_: Recorder())
    replay, result = measured_kernels._prepare(CPU, lambda _: value, frozenset())
    assert result.tolist() == [1, 1, 1]
    value.mul_(2)
    replay()
    assert measured_kernels._prepare(CPU, lambda _: value, frozenset())[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("ratios", "right", "proven"),
    [
        ([0.3, 0.9], True, True), ([0.3, 1.02], True, True), ([0.3, 1.05], True, False), ([0.98, 0.98], True, False),
        ([0.3, 0.9], False, False),
    ],
)  # fmt: skip
def test_a_family_is_proven_if_it_is_right_faster_and_never_much_slower(
    ratios: list[float], right: bool, proven: bool
) -> None:
    verdict = judge([Gain(ratio, 40.0, right=right or ratio > 0.5) for ratio in ratios])
    assert verdict.proven is proven


@pytest.mark.parametrize("model", ["multilingual", "turbo"])
def test_an_engine_measures_at_the_shapes_that_it_has(
    model: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    networks, seen = parts(model), list[tuple[int, tuple[Family, ...]]]()
    compare = measured_kernels._compare

    def watch(device: torch.device, work: Any, families: Any, shapes: Shapes) -> Comparison:
        rows = len(work(frozenset()))
        found = compare(device, work, families, shapes)
        seen.append((rows, tuple(families)))
        return Comparison(found.milliseconds, dict.fromkeys(families, RIGHT))

    monkeypatch.setattr(measured_kernels, "_compare", watch)
    monkeypatch.setattr(measured_kernels, "Shapes", lambda: TINY)
    monkeypatch.setattr(measured_kernels, "LEAST_FRAMES", 64)
    with caplog.at_level("INFO"):
        assert measure(networks.t3, networks.s3gen) == set(Family)
    step, guided = (Family.STEP,), model == "multilingual"
    assert seen == [
        *((rows, step) for rows in ((2, 4) if guided else (1, 2, 4))),
        (8, (*step, Family.STEP_OF_8)), (16, (*step, Family.STEP_OF_16)), (1, (Family.SOUND,)),
        (2 if guided else 4, (Family.SOUND, Family.FEED_FORWARD)), (1, (Family.SOUND,)),
    ]  # fmt: skip
    assert "CHATTERBOX_KERNELS=step,step_of_8,step_of_16,sound,feed_forward chooses the same" in caplog.text
    assert not networks.t3.kernels
    assert not networks.s3gen.flow.kernels


def test_what_does_not_fit_proves_nothing_and_other_failures_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory() -> Comparison:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def broken() -> Comparison:
        raise ValueError("a launch failed")

    def slow() -> Comparison:
        return Comparison({}, {Family.SOUND: Gain(1.2, 40.0, right=True)})

    def fast() -> Comparison:
        return Comparison({}, {Family.STEP: RIGHT})

    def rows() -> Comparison:
        return Comparison({}, {Family.STEP_OF_8: RIGHT})

    networks: Any = torch.zeros(())
    monkeypatch.setattr(measured_kernels, "_cases", lambda *_: [no_memory, slow, fast])
    assert measure(networks, networks) == {Family.STEP}
    monkeypatch.setattr(measured_kernels, "_cases", lambda *_: [rows])
    assert not measure(networks, networks)
    monkeypatch.setattr(measured_kernels, "_cases", lambda *_: [fast, rows])
    assert measure(networks, networks) == {Family.STEP, Family.STEP_OF_8}
    monkeypatch.setattr(measured_kernels, "_cases", lambda *_: [fast, broken])
    with pytest.raises(ValueError, match="a launch failed"):
        measure(networks, networks)
