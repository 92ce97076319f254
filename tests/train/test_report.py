"""What a run reports: the table of clips, the curve, the events."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from chatterbox_worker.engines.chatterbox.training.trainer import LossPoint
from chatterbox_worker.train import progress as progress_module
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import RefusedClip
from chatterbox_worker.train.curve import draw
from chatterbox_worker.train.progress import StepLog, format_seconds, progress
from chatterbox_worker.train.report import KeptClip, summary, write
from chatterbox_worker.train.samples import SampleScore

STEPS = [LossPoint(step, 8 / step, 1.0) for step in range(1, 50)]
EVALUATIONS = [LossPoint(step, 9 / (step + 1), 1.0) for step in range(0, 50, 10)]


def test_the_summary_counts_minutes_by_speaker_and_gives_reasons() -> None:
    kept = [KeptClip(f"a{at}", "t", 60.0, "ann") for at in range(3)] + [KeptClip("b", "t", 30.0, "ben")]
    text = summary(kept, [RefusedClip("x", "t, line 4", "its transcript is empty")])
    assert text.splitlines() == [
        "4 clips kept, 3.5 minutes; 1 refused",
        "  ann: 3 clips, 3.0 minutes",
        "  ben: 1 clips, 30.0 seconds",
        "  x  t, line 4: its transcript is empty",
    ]
    assert summary(kept[:3], []) == "3 clips kept, 3.0 minutes; 0 refused"
    kept[1] = KeptClip("a1", "t", 60.0, "ann", is_other_voice=True)
    assert "  1 of the 3 clips of ann sound like another person; " in summary(kept, [])
    many = summary([], [RefusedClip(f"x{at}", "t", "why") for at in range(40)])
    assert many.splitlines()[-1] == "  and 10 more, in clips.csv"
    assert len(many.splitlines()) == 32


def test_every_clip_is_in_the_file(tmp_path: Path) -> None:
    write(
        tmp_path / "clips.csv",
        [KeptClip("a", "t, line 1", 1.234, "ann")],
        [RefusedClip("b", "t, line 2", 'no "file", there')],
    )
    assert (tmp_path / "clips.csv").read_text().splitlines()[1:] == [
        'a,"t, line 1",yes,1.23,ann,1,',
        'b,"t, line 2",no,,,,"no ""file"", there"',
    ]


def test_the_curve_shows_the_training_loss_and_the_held_out_loss(tmp_path: Path) -> None:
    draw(tmp_path / "with.png", "a voice", STEPS, EVALUATIONS)
    draw(tmp_path / "without.png", "a voice", STEPS, [])
    pictures = [imread(tmp_path / name)[..., :3] for name in ("with.png", "without.png")]
    red = [_count(picture, (0.82, 0.29, 0.36)) for picture in pictures]
    assert red[0] > 500
    assert red[1] == 0
    assert not list(tmp_path.glob(".*"))


def _count(picture: Any, colour: tuple[float, float, float]) -> int:
    """Of the picture's points."""
    return int((abs(picture - colour) < 0.03).all(-1).sum())


def test_the_curve_shows_how_similar_and_how_clear_the_samples_are(tmp_path: Path) -> None:
    green = []
    for errors in (0.2, None):
        scores = [SampleScore(step, 0.5 + step / 200, errors) for step in range(0, 50, 10)]
        draw(tmp_path / "curve.png", "a voice", STEPS, EVALUATIONS, scores=scores, recorded=0.9)
        picture = imread(tmp_path / "curve.png")[..., :3]
        green.append((picture.shape[0], _count(picture, (0.4, 0.533, 0.235))))
    (with_errors, lines), (without, line) = green
    assert with_errors > without
    assert lines > 1.5 * line > 500


def test_the_log_drops_steps_that_a_kill_undid_and_half_a_line(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "log.jsonl", done=0)
    for step in (1, 2, 3):
        log.add("step", step, speech_loss=1 / 3, left_s=None)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "st')
    StepLog(tmp_path / "log.jsonl", done=2).add("evaluation", 2)
    assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [
        {"event": "step", "step": 1, "speech_loss": 0.333333},
        {"event": "step", "step": 2, "speech_loss": 0.333333},
        {"event": "evaluation", "step": 2},
    ]


def test_without_a_terminal_a_line_now_and_then_says_how_far_a_stage_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    clock = iter(range(0, 1_000, 2))
    now = [0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with progress("training", "step", lines.append, total=2_000, done=1_000) as shown:
        for at in clock:
            now[0] = at + 2
            shown.advance(loss=2.0)
    assert lines[:2] == [
        "training: step 1001 of 2000, loss 2.000, 2.0 s, 33 min left",
        "training: step 1006 of 2000, loss 2.000, 12 s, 33 min left",
    ]
    assert len(lines) == 100
    assert format_seconds(7_500) == "2 h 05 min"
    lines.clear()
    with progress("encoding", "clip", lines.append) as shown:
        for at in shown.over([4, 11]):
            now[0] += at
    assert lines == ["encoding: clip 2, 15 s"]


def test_the_board_drops_steps_that_a_kill_undid(tmp_path: Path) -> None:
    for steps in (STEPS, STEPS[:5]):
        board = Board(tmp_path)
        board.add("train", steps)
        board.add("eval", EVALUATIONS[:1])
        board.add_scores([SampleScore(0, 0.8, 0.1), SampleScore(2, 0.9)])
        board.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    seen = [(event.step, value.tag) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    assert seen.count((5, "train/speech_loss")) == 1
    assert max(step for step, _ in seen) == 5
    assert (0, "eval/text_loss") in seen
    assert [each for each in seen if each[1].startswith("samples")] == [
        (0, "samples/similarity"), (0, "samples/word_errors"), (2, "samples/similarity"),
    ]  # fmt: skip
