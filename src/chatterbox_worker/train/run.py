"""One run from flags to voice: gather the clips, learn, judge, remember, and write what came of it.

Everything a run makes is in its folder, and the same command goes on where it was stopped: the clips that were listened to
are kept one by one (`prepared`), the learning in one file (`state.pt`). A run goes on only with what it was begun with.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import Clip, Corpus, split
from chatterbox_worker.engines.chatterbox.training.kept import keep, recall
from chatterbox_worker.engines.chatterbox.training.module import Shape
from chatterbox_worker.engines.chatterbox.training.order import Batching
from chatterbox_worker.engines.chatterbox.training.trainer import Point, Recipe, Trainer
from chatterbox_worker.engines.chatterbox.training.workshop import Workshop, data_digest
from chatterbox_worker.errors import InvalidRequest, VolumeFailed, WorkerError
from chatterbox_worker.train import curve, report
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import Refused, Rules, usable, without_loners
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.rows import Row, rows_of
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary, wav_of

_SOURCES = 1000  # clips named in a voice file; a header has room for no more than some thousands
_SPOKEN = 2  # held-out clips whose words are spoken at each judgement
_log = logging.getLogger(__name__)


@dataclass
class Gathered:
    """The clips of a run, with the rows they came from."""

    clips: list[Clip] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    """By the id of the clip."""

    def audio_of(self, clip: Clip) -> Audio:
        return decode(self.rows[clip.id].read(), field=clip.id, max_s=clip.duration_s + 1)


def run(options: Options, settings: Settings, say: Callable[[str], object]) -> Path:
    """The finished voice file's path.

    Raises:
        WorkerError: the flags, the data or the weights do not allow it.
    """
    folder = _folder(options.run_dir)
    if options.install:
        _folder(settings.voices_dir)
    workshop = Workshop.open(options.model, settings, folder / "prepared")
    workshop.arithmetic(options.precision)  # said before the clips are listened to
    try:
        gathered = gather(options, workshop, say)
        corpus = split(gathered.clips, share=options.eval_share, seed=options.seed)
        learning = _Learning(options, workshop, gathered, corpus, say)
        learning.go()
        return learning.write(settings)
    finally:
        workshop.close()


def gather(options: Options, workshop: Workshop, say: Callable[[str], object]) -> Gathered:
    """What can be learnt from; the rest is named with its reason.

    Raises:
        InvalidRequest: there is nothing, or too little.
    """
    made = Gathered()
    rules = Rules(options.model, options.language, options.max_clip_s)
    rows = tqdm(_rows(options), desc="listening", unit="clip", disable=None)
    for row, clip in usable(rows, rules, workshop.preparer.clip):
        if isinstance(clip, Refused):
            made.refused.append(clip)
        else:
            made.clips.append(clip)
            made.rows[clip.id] = row
    made.clips, alone = without_loners(made.clips, lambda clip: made.rows[clip.id].where)
    made.refused += alone
    kept = [report.Kept(clip.id, made.rows[clip.id].where, clip.duration_s, clip.person) for clip in made.clips]
    report.write(options.run_dir / "clips.csv", kept, made.refused)
    say(report.summary(kept, made.refused))
    if not made.clips:
        raise InvalidRequest(f"none of the {len(made.refused)} clips can be learnt from", field="data")
    return made


def _rows(options: Options) -> Iterator[Row]:
    if options.data is not None and options.data.suffix != ".parquet":
        return rows_of(options.data)
    from chatterbox_worker.train.hub import rows_of_dataset  # noqa: PLC0415 - datasets' seconds of imports

    name = options.dataset or str(options.data)
    return rows_of_dataset(name, config=options.dataset_config, split=options.dataset_split)


class _Learning:
    def __init__(
        self, options: Options, workshop: Workshop, gathered: Gathered, corpus: Corpus, say: Callable[[str], object]
    ) -> None:
        self._options, self._workshop, self._gathered, self._corpus, self._say = (
            options,
            workshop,
            gathered,
            corpus,
            say,
        )
        self._folder, self._memory = options.run_dir, options.run_dir / "state.pt"
        self._shape = Shape(options.rank, options.alpha, options.dropout)
        self._recipe = _recipe(options, workshop, corpus)
        self._told = _told(options, self._recipe, workshop, corpus)
        state = recall(self._memory)
        if state is not None:
            self._compare(state["told"])
        workshop.voice(
            corpus, {}, self._shape, gathered.audio_of, {}
        )  # too short a reference is said now, not at the end
        self._trainer: Trainer = workshop.trainer(corpus, self._recipe, self._shape)
        if state is not None:
            self._trainer.restore(state["trainer"])
            say(f"going on after step {self._trainer.done}")

    def go(self) -> None:
        """Learn until the steps or the patience are at an end."""
        trainer, history = self._trainer, self._trainer.history
        board = Board(self._folder / "events")
        board.add("train", history.steps)
        board.add("eval", history.judgements)
        with tqdm(total=self._recipe.steps, initial=trainer.done, desc="learning", unit="step", disable=None) as bar:
            if trainer.done == 0 and trainer.is_judgement_due and not history.judgements:
                self._judge(board)
            while not trainer.is_finished:
                point = trainer.step()
                board.add("train", [point])
                bar.update()
                bar.set_postfix(speech=f"{point.speech:.3f}", text=f"{point.text:.3f}")
                if trainer.is_judgement_due:
                    self._judge(board)
                elif trainer.done % self._options.save_every == 0 or trainer.is_finished:
                    self._keep()
        board.close()
        self._draw()

    def write(self, settings: Settings) -> Path:
        """The voice as a file in the run's folder, and in the library if that was asked for."""
        best = self._trainer.history.best
        data = pack(self._voice(self._trainer.best(), best))
        path = self._folder / f"{self._options.output_voice_id}{BUNDLE_SUFFIX}"
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(data)
        draft.replace(path)
        if best is not None and best.step == 0:
            self._say("no judgement was better than the model as it was: the adapter in this voice changes nothing")
        if self._options.install:
            VoiceLibrary(settings.voices_dir).save(self._options.output_voice_id, data, field="voice")
            self._say(f"{self._options.output_voice_id} is in the library, {settings.voices_dir}")
        self._say(f"{path}: {len(data) / 1e6:.2f} MB, {self._outcome(best)}")
        return path

    def _outcome(self, best: Point | None) -> str:
        if best is None:
            return f"after step {self._trainer.done}, not judged: nothing was held out"
        first = self._trainer.history.judgements[0]
        return f"as of step {best.step}, speech loss held out {best.speech:.3f} (before: {first.speech:.3f})"

    def _compare(self, told: dict[str, Any]) -> None:
        differing = [name for name in self._told if told.get(name) != self._told[name]]
        if differing:
            was = ", ".join(f"{name} was {told.get(name)} and is {self._told[name]}" for name in differing)
            raise InvalidRequest(
                f"the run in {self._folder} was begun otherwise: {was}; take another --run-dir, or delete {self._memory}",
                field="run_dir",
            )

    def _judge(self, board: Board) -> None:
        trainer = self._trainer
        point = trainer.judge()
        board.add("eval", [point])
        self._say(f"step {point.step}: held out, speech {point.speech:.3f}, text {point.text:.3f} nats/token")
        if self._options.samples:
            self._speak(point)
        self._keep()
        self._draw()

    def _speak(self, point: Point) -> None:
        """Samples of this judgement; what goes wrong with one is said and costs no run."""
        rows = self._gathered.rows
        said = [rows[clip.id] for clip in self._corpus.held_out[:_SPOKEN]]
        texts = self._options.sample_text or tuple(row.text for row in said)
        code = said[0].language or self._options.language or MODELS[self._options.model].languages[0]
        voice = self._voice(self._trainer.adapter(), point)
        folder = self._folder / "samples"
        folder.mkdir(exist_ok=True)
        try:
            spoken = self._workshop.samples(voice, texts, code.partition("-")[0].lower())
        except WorkerError as error:
            _log.warning("no samples at step %d: %s", point.step, error.message)
            return
        for number, audio in enumerate(spoken, 1):
            (folder / f"step-{point.step:06d}-{number}.wav").write_bytes(wav_of(audio))

    def _voice(self, tensors: dict[str, Any], point: Point | None) -> Bundle:
        about: dict[str, Any] = {
            "made_by": "chatterbox_worker.train",
            "model": self._options.model,
            "revision": self._workshop.checkpoint.revision,
            "date": datetime.now(UTC).date().isoformat(),
            "step": self._trainer.done if point is None else point.step,
            "clips": len(self._corpus.clips),
            "sources": [{"name": clip.id, "sha256": clip.digest} for clip in self._corpus.clips[:_SOURCES]],
        }
        if self._options.consent:
            about["consent"] = self._options.consent
        return self._workshop.voice(self._corpus, tensors, self._shape, self._gathered.audio_of, about)

    def _keep(self) -> None:
        try:
            keep(self._memory, {"told": self._told, "trainer": self._trainer.state()})
        except OSError as error:
            raise VolumeFailed(f"{self._memory} cannot be written: {error.strerror or error}") from error

    def _draw(self) -> None:
        history = self._trainer.history
        title = f"{self._options.output_voice_id}: {self._options.model}, {len(self._corpus.clips)} clips"
        curve.draw(self._folder / "curve.png", title, history.steps, history.judgements)


def _recipe(options: Options, workshop: Workshop, corpus: Corpus) -> Recipe:
    batching = Batching(options.batch_size, options.accumulate, options.seed)
    epoch = batching.steps_per_epoch(len(corpus.clips))
    recompute = options.gradient_checkpointing
    return Recipe(
        steps=options.steps or options.epochs * epoch,
        batching=batching,
        learning_rate=options.learning_rate,
        text_weight=options.text_weight,
        evaluate_every=(options.eval_every or epoch) if corpus.held_out else 0,
        patience=options.patience,
        arithmetic=workshop.arithmetic(options.precision),
        recompute=workshop.is_short_of_memory if recompute is None else recompute,
        seed=options.seed,
    )


def _told(options: Options, recipe: Recipe, workshop: Workshop, corpus: Corpus) -> dict[str, Any]:
    """What a run must have been begun with to go on: all that decides the weights."""
    return {
        "model": options.model,
        "weights": workshop.checkpoint.t3_digest,
        "data": data_digest(corpus),
        "rank": options.rank,
        "alpha": options.alpha,
        "dropout": options.dropout,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batching.size,
        "accumulate": recipe.batching.accumulate,
        "steps": recipe.steps,
        "text_weight": recipe.text_weight,
        "eval_every": recipe.evaluate_every,
        "patience": recipe.patience,
        "precision": recipe.arithmetic.value,
        "seed": recipe.seed,
    }


def _folder(path: Path) -> Path:
    """Made, and written to once, so that a run does not end in a folder that takes nothing.

    Raises:
        VolumeFailed: it cannot be.
    """
    probe = path / f".probe-{secrets.token_hex(4)}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise VolumeFailed(f"{path} cannot be written: {error.strerror or error}") from error
    return path
