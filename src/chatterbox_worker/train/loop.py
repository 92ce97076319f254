"""The loop of one training run: step, evaluate, generate samples, save, draw; and the voice at its end."""

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
from chatterbox_worker.files import write_whole
from chatterbox_worker.train import curve
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import RefusedClip, Rules, language_of
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, pack
from chatterbox_worker.voices.contents import wav_of
from chatterbox_worker.voices.library import VoiceLibrary

_SOURCES = 1000  # clips listed in a voice file; a header has space for a few thousand at most
_SAMPLES = 2  # held-out clips whose texts are spoken at each evaluation
_IDENTITY_KEY = "told"  # in state.pt; its name must not change, or saved runs could not be continued
_log = logging.getLogger(__name__)


@dataclass
class ClipSet:
    """The clips of a run, with the rows they came from."""

    clips: list[TrainingClip] = field(default_factory=list)
    refused: list[RefusedClip] = field(default_factory=list)
    rows: dict[str, TranscriptRow] = field(default_factory=dict)
    """By the id of the clip."""

    def audio_of(self, clip: TrainingClip) -> Audio:
        return decode(self.rows[clip.id].read(), field=clip.id, max_s=clip.duration_s + 1)


class TrainingLoop:
    """One run's training. A saved run continues from its last save, with the same options and data only."""

    def __init__(
        self,
        options: Options,
        session: TrainingSession,
        clip_set: ClipSet,
        corpus: Corpus,
        print_line: Callable[[str], object],
    ) -> None:
        """
        Raises:
            InvalidRequest: the run's folder has another run, or the speaker's clips are too short for a reference.
        """
        self._options, self._session, self._print_line = options, session, print_line
        self._clip_set, self._corpus = clip_set, corpus
        self._folder, self._state_path = options.run_dir, options.run_dir / "state.pt"
        self._shape = Shape(options.rank, options.alpha, options.dropout)
        self._recipe = _recipe(options, session, corpus)
        self._identity = _identity(options, self._recipe, session, corpus)
        state = load_state(self._state_path)
        if state is not None:
            self._compare(state.get(_IDENTITY_KEY, {}))
        self._session.voice(corpus, {}, self._shape, clip_set.audio_of, {})  # fails now if clips are too short
        self._trainer: Trainer = session.trainer(corpus, self._recipe, self._shape)
        if state is not None:
            self._trainer.restore(state["trainer"])
            print_line(f"continuing after step {self._trainer.done}")

    def run(self) -> None:
        """Train until the steps or the patience are used up."""
        trainer, history = self._trainer, self._trainer.history
        board = Board(self._folder / "events")
        board.add("train", history.steps)
        board.add("eval", history.evaluations)
        with tqdm(total=self._recipe.steps, initial=trainer.done, desc="training", unit="step", disable=None) as bar:
            if trainer.done == 0 and trainer.is_evaluation_due and not history.evaluations:
                self._evaluate(board)
            while not trainer.is_finished:
                point = trainer.step()
                board.add("train", [point])
                bar.update()
                bar.set_postfix(speech=f"{point.speech:.3f}", text=f"{point.text:.3f}")
                if trainer.is_evaluation_due:
                    self._evaluate(board)
                elif trainer.done % self._options.save_every == 0 or trainer.is_finished:
                    self._save()
        board.close()
        self._draw()

    def write(self, settings: Settings) -> Path:
        """Write the voice to the run's folder, and to the library with `--install`."""
        best = self._trainer.history.best
        data = pack(self._voice(self._trainer.best(), best))
        path = self._folder / f"{self._options.output_voice_id}{BUNDLE_SUFFIX}"
        write_whole(path, data, durable=True, sole_writer=True)
        if best is not None and best.step == 0:
            self._print_line("no evaluation was better than the model before training: this adapter has no effect")
        if self._options.install:
            VoiceLibrary(settings.voices_dir).save(self._options.output_voice_id, data, field="voice")
            self._print_line(f"{self._options.output_voice_id} is in the library, {settings.voices_dir}")
        self._print_line(f"{path}: {len(data) / 1e6:.2f} MB, {self._outcome(best)}")
        return path

    def _outcome(self, best: LossPoint | None) -> str:
        if best is None:
            return f"after step {self._trainer.done}, not evaluated: no clips were held out"
        first = self._trainer.history.evaluations[0]
        return f"of step {best.step}, held-out speech loss {best.speech:.3f} (before training: {first.speech:.3f})"

    def _compare(self, saved: dict[str, Any]) -> None:
        """Raise InvalidRequest unless the saved run had the same options and data."""
        differing = [name for name in self._identity if saved.get(name) != self._identity[name]]
        if differing:
            changes = ", ".join(f"{name} was {saved.get(name)} and is {self._identity[name]}" for name in differing)
            raise InvalidRequest(
                f"the run in {self._folder} was started with other settings: {changes}; "
                f"choose another --run-dir, or delete {self._state_path}",
                field="run_dir",
            )

    def _evaluate(self, board: Board) -> None:
        trainer = self._trainer
        point = trainer.evaluate()
        board.add("eval", [point])
        self._print_line(
            f"step {point.step}: held-out loss, speech {point.speech:.3f}, text {point.text:.3f} nats/token"
        )
        if self._options.samples:
            self._write_samples(point)
        self._save()
        self._draw()

    def _write_samples(self, point: LossPoint) -> None:
        """Generate the samples of this evaluation; an error is logged and does not end the run."""
        rows = self._clip_set.rows
        held_out = [rows[clip.id] for clip in self._corpus.held_out[:_SAMPLES]]
        texts = self._options.sample_text or tuple(row.text for row in held_out)
        rules = Rules(self._options.model, self._options.language, self._options.max_clip_s)
        language = language_of(held_out[0], rules)
        voice = self._voice(self._trainer.adapter(), point)
        folder = self._folder / "samples"
        folder.mkdir(exist_ok=True)
        try:
            samples = self._session.samples(voice, texts, language)
        except WorkerError as error:
            _log.warning("no samples at step %d: %s", point.step, error.message)
            return
        for number, audio in enumerate(samples, 1):
            (folder / f"step-{point.step:06d}-{number}.wav").write_bytes(wav_of(audio))

    def _voice(self, tensors: dict[str, Any], point: LossPoint | None) -> Bundle:
        about = {
            "made_with": f"chatterbox-worker {__version__}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "consent": self._options.consent,
            "trained": {
                "model": self._options.model,
                "revision": self._session.checkpoint.revision,
                "step": self._trainer.done if point is None else point.step,
                "clips": len(self._corpus.clips),
            },
            "sources": [
                {"file": clip.id, "sha256": clip.digest, "duration_s": round(clip.duration_s, 1)}
                for clip in self._corpus.clips[:_SOURCES]
            ],
        }
        return self._session.voice(self._corpus, tensors, self._shape, self._clip_set.audio_of, about)

    def _save(self) -> None:
        try:
            save_state(self._state_path, {_IDENTITY_KEY: self._identity, "trainer": self._trainer.state()})
        except OSError as error:
            raise VolumeFailed(f"{self._state_path} cannot be written: {error.strerror or error}") from error

    def _draw(self) -> None:
        history = self._trainer.history
        title = f"{self._options.output_voice_id}: {self._options.model}, {len(self._corpus.clips)} clips"
        curve.draw(self._folder / "curve.png", title, history.steps, history.evaluations)


def _recipe(options: Options, session: TrainingSession, corpus: Corpus) -> Recipe:
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
        arithmetic=session.arithmetic(options.precision),
        recompute=session.is_short_of_memory if recompute is None else recompute,
        seed=options.seed,
    )


def _identity(options: Options, recipe: Recipe, session: TrainingSession, corpus: Corpus) -> dict[str, Any]:
    """Everything that decides the weights: a saved run is continued only if all of it is the same."""
    return {
        "model": options.model,
        "weights": session.checkpoint.t3_digest,
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
