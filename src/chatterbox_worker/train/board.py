"""The run's curves for TensorBoard, without torch's writer: its event files are records of a few numbers.

A continued run first writes its saved history into a new file, so that steps that a kill undid do not appear twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from chatterbox_worker.train.samples import SampleScore


class CurvePoint(Protocol):
    @property
    def step(self) -> int: ...
    @property
    def speech(self) -> float: ...
    @property
    def text(self) -> float: ...


def losses_of(point: CurvePoint) -> dict[str, float]:
    """By name, as they are logged: without that of the text if the model predicts none."""
    return {"speech_loss": point.speech} | ({"text_loss": point.text} if point.text else {})


class Board:
    def __init__(self, folder: Path) -> None:
        """Deletes the event files in `folder` and starts a new one."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: PLC0415 - the train extra

        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = EventFileWriter(str(folder))

    def add(self, kind: str, points: Iterable[CurvePoint]) -> None:
        """Points of the curve `kind`, "train" or "eval"."""
        for point in points:
            self._write(point.step, {f"{kind}/{name}": loss for name, loss in losses_of(point).items()})
        self._writer.flush()

    def add_scores(self, scores: Iterable[SampleScore]) -> None:
        for score in scores:
            values = {"samples/similarity": score.similarity, "samples/word_errors": score.word_errors}
            self._write(score.step, {name: value for name, value in values.items() if value is not None})
        self._writer.flush()

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415
        from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

        numbers = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._writer.add_event(Event(step=step, summary=Summary(value=numbers)))

    def close(self) -> None:
        self._writer.close()
