"""What a run reports: the table of clips, the curve, the events."""

from __future__ import annotations

from pathlib import Path

from matplotlib.image import imread
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from chatterbox_worker.engines.chatterbox.training.trainer import LossPoint
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import RefusedClip
from chatterbox_worker.train.curve import draw
from chatterbox_worker.train.report import KeptClip, summary, write

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
        'a,"t, line 1",yes,1.23,ann,',
        'b,"t, line 2",no,,,"no ""file"", there"',
    ]


def test_the_curve_shows_the_training_loss_and_the_held_out_loss(tmp_path: Path) -> None:
    draw(tmp_path / "with.png", "a voice", STEPS, EVALUATIONS)
    draw(tmp_path / "without.png", "a voice", STEPS, [])
    pictures = [imread(tmp_path / name)[..., :3] for name in ("with.png", "without.png")]
    red = [((abs(picture - (0.82, 0.29, 0.36)) < 0.03).all(-1)).sum() for picture in pictures]
    assert red[0] > 500
    assert red[1] == 0
    assert not list(tmp_path.glob(".*"))


def test_the_board_drops_steps_that_a_kill_undid(tmp_path: Path) -> None:
    for steps in (STEPS, STEPS[:5]):
        board = Board(tmp_path)
        board.add("train", steps)
        board.add("eval", EVALUATIONS[:1])
        board.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    seen = [(event.step, value.tag) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    assert seen.count((5, "train/speech_loss")) == 1
    assert max(step for step, _ in seen) == 5
    assert (0, "eval/text_loss") in seen
