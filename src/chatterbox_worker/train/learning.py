"""The loop of one run: step, judge, speak, remember, draw; and the voice at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatterbox_worker import __version__
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape
from chatterbox_worker.engines.chatterbox.training.resume import load_state, save_state
from chatterbox_worker.engines.chatterbox.training.sampler import Batching
from chatterbox_worker.engines.chatterbox.training.session import TrainingSession, data_digest
from chatterbox_worker.engines.chatterbox.training.trainer import LossPoint, Recipe, Trainer
from chatterbox_worker.errors import InvalidRequest, VolumeFailed, WorkerError
from chatterbox_worker.train import curve
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import RefusedClip, Rules, language_of
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary, wav_of

_SOURCES = 1000  # clips named in a voice file; a header has room for no more than some thousands
_SPOKEN = 2  # held-out clips whose words are spoken at each judgement
_log = logging.getLogger(__name__)


@dataclass
class Gathered:
    """The clips of a run, with the rows they came from."""

    clips: list[TrainingClip] = field(default_factory=list)
    refused: list[RefusedClip] = field(default_factory=list)
    rows: dict[str, TranscriptRow] = field(default_factory=dict)
    """By the id of the clip."""

    def audio_of(self, clip: TrainingClip) -> Audio:
        return decode(self.rows[clip.id].read(), field=clip.id, max_s=clip.duration_s + 1)


class Learning:
    """One run's learning, taken up where it was; begun with the same options and data or not at all."""

    def __init__(
        self,
        options: Options,
        workshop: TrainingSession,
        gathered: Gathered,
        corpus: Corpus,
        say: Callable[[str], object],
    ) -> None:
        """
        Raises:
            InvalidRequest: the run's folder holds another run, or the speaker's clips are too short for a reference.
        """
        self._options, self._workshop, self._say = options, workshop, say
        self._gathered, self._corpus = gathered, corpus
        self._folder, self._memory = options.run_dir, options.run_dir / "state.pt"
        self._shape = Shape(options.rank, options.alpha, options.dropout)
        self._recipe = _recipe(options, workshop, corpus)
        self._told = _told(options, self._recipe, workshop, corpus)
        state = load_state(self._memory)
        if state is not None:
            self._compare(state.get("told", {}))
        self._workshop.voice(corpus, {}, self._shape, gathered.audio_of, {})  # too short a reference is said now
        self._trainer: Trainer = workshop.trainer(corpus, self._recipe, self._shape)
        if state is not None:
            self._trainer.restore(state["trainer"])
            say(f"going on after step {self._trainer.done}")

    def go(self) -> None:
        """Learn until the steps or the patience are at an end."""
        trainer, history = self._trainer, self._trainer.history
        board = Board(self._folder / "events")
        board.add("train", history.steps)
        board.add("eval", history.evaluations)
        with tqdm(total=self._recipe.steps, initial=trainer.done, desc="learning", unit="step", disable=None) as bar:
            if trainer.done == 0 and trainer.is_evaluation_due and not history.evaluations:
                self._judge(board)
            while not trainer.is_finished:
                point = trainer.step()
                board.add("train", [point])
                bar.update()
                bar.set_postfix(speech=f"{point.speech:.3f}", text=f"{point.text:.3f}")
                if trainer.is_evaluation_due:
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

    def _outcome(self, best: LossPoint | None) -> str:
        if best is None:
            return f"after step {self._trainer.done}, not judged: nothing was held out"
        first = self._trainer.history.evaluations[0]
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
        point = trainer.evaluate()
        board.add("eval", [point])
        self._say(f"step {point.step}: held out, speech {point.speech:.3f}, text {point.text:.3f} nats/token")
        if self._options.samples:
            self._speak(point)
        self._keep()
        self._draw()

    def _speak(self, point: LossPoint) -> None:
        """Samples of this judgement; what goes wrong with one is said and costs no run."""
        rows = self._gathered.rows
        said = [rows[clip.id] for clip in self._corpus.held_out[:_SPOKEN]]
        texts = self._options.sample_text or tuple(row.text for row in said)
        language = language_of(said[0], Rules(self._options.model, self._options.language, self._options.max_clip_s))
        voice = self._voice(self._trainer.adapter(), point)
        folder = self._folder / "samples"
        folder.mkdir(exist_ok=True)
        try:
            spoken = self._workshop.samples(voice, texts, language)
        except WorkerError as error:
            _log.warning("no samples at step %d: %s", point.step, error.message)
            return
        for number, audio in enumerate(spoken, 1):
            (folder / f"step-{point.step:06d}-{number}.wav").write_bytes(wav_of(audio))

    def _voice(self, tensors: dict[str, Any], point: LossPoint | None) -> Bundle:
        about = {
            "made_with": f"chatterbox-worker {__version__}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "consent": self._options.consent,
            "trained": {
                "model": self._options.model,
                "revision": self._workshop.checkpoint.revision,
                "step": self._trainer.done if point is None else point.step,
                "clips": len(self._corpus.clips),
            },
            "sources": [
                {"file": clip.id, "sha256": clip.digest, "duration_s": round(clip.duration_s, 1)}
                for clip in self._corpus.clips[:_SOURCES]
            ],
        }
        return self._workshop.voice(self._corpus, tensors, self._shape, self._gathered.audio_of, about)

    def _keep(self) -> None:
        try:
            save_state(self._memory, {"told": self._told, "trainer": self._trainer.state()})
        except OSError as error:
            raise VolumeFailed(f"{self._memory} cannot be written: {error.strerror or error}") from error

    def _draw(self) -> None:
        history = self._trainer.history
        title = f"{self._options.output_voice_id}: {self._options.model}, {len(self._corpus.clips)} clips"
        curve.draw(self._folder / "curve.png", title, history.steps, history.evaluations)


def _recipe(options: Options, workshop: TrainingSession, corpus: Corpus) -> Recipe:
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


def _told(options: Options, recipe: Recipe, workshop: TrainingSession, corpus: Corpus) -> dict[str, Any]:
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
