"""The loop of one training run: step, evaluate, generate samples, save, draw; and the voice at its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from chatterbox_worker.errors import InvalidRequest, VolumeFailed
from chatterbox_worker.files import write_whole
from chatterbox_worker.train import curve
from chatterbox_worker.train.board import Board
from chatterbox_worker.train.clips import RefusedClip, Rules, language_of
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.progress import Progress, StepLog, progress
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.train.samples import CountErrors, SampleScore, SampleWriter, recorded_similarity
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary

_SOURCES = 1000  # clips listed in a voice file; a header has space for a few thousand at most
_SAMPLES = 2  # held-out clips whose texts are spoken at each evaluation
_IDENTITY_KEY = "told"  # in state.pt; its name must not change, or saved runs could not be continued
_MAY_GROW = ("steps", "patience")
"""What a continued run may have more of: neither changes a step that was taken."""


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
    """One run's training. A saved run continues from its last save, with the same data and options.

    Only the steps and the patience may be more than before.
    """

    def __init__(
        self,
        options: Options,
        session: TrainingSession,
        clip_set: ClipSet,
        corpus: Corpus,
        print_line: Callable[[str], object],
        *,
        count_errors: CountErrors | None = None,
    ) -> None:
        """`count_errors`: how the samples are checked for word errors; None for not at all.

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
        self._scores: list[SampleScore] = []
        if state is not None:
            self._trainer.restore(state["trainer"])
            self._scores = [SampleScore(*score) for score in state.get("scores", [])]
            print_line(f"continuing after step {self._trainer.done} of {self._recipe.steps}")
        self._log = StepLog(self._folder / "log.jsonl", done=self._trainer.done)
        self._board = Board(self._folder / "events")
        self._samples = SampleWriter(self._folder / "samples", session, corpus, self._sample_texts(), count_errors)

    def run(self) -> None:
        """Train until the steps or the patience are used up."""
        trainer, history = self._trainer, self._trainer.history
        self._board.add("train", history.steps)
        self._board.add("eval", history.evaluations)
        self._board.add_scores(self._scores)
        if trainer.done == 0 and trainer.is_evaluation_due and not history.evaluations:
            self._evaluate()
        self._write_samples()  # those of the last evaluation, if the run was stopped before they were saved
        with progress("training", "step", self._print_line, total=self._recipe.steps, done=trainer.done) as shown:
            while not trainer.is_finished:
                self._step(shown)
                if trainer.is_evaluation_due:
                    self._evaluate()
                    self._write_samples()
                elif trainer.done % self._options.save_every == 0 or trainer.is_finished:
                    self._save()
        self._board.close()
        self._draw()

    def _step(self, shown: Progress) -> None:
        point = self._trainer.step()
        self._board.add("train", [point])
        shown.advance(loss=point.speech, text_loss=point.text)
        self._log.add(
            "step", point.step, steps=self._recipe.steps, speech_loss=point.speech, text_loss=point.text,
            learning_rate=self._recipe.rate_at(point.step - 1), elapsed_s=shown.seconds, left_s=shown.left_s,
        )  # fmt: skip

    def write(self, settings: Settings) -> Path:
        """Write the voice to the run's folder, and to the library with `--install`."""
        best = self._trainer.history.best
        data = pack(self._voice(self._trainer.best(), best))
        path = self._folder / f"{self._options.output_voice_id}{BUNDLE_SUFFIX}"
        write_whole(path, data, durable=True, sole_writer=True)
        if self._trainer.done < self._recipe.steps:
            idle = self._trainer.history.idle
            self._print_line(
                f"ended at step {self._trainer.done}: {idle} evaluations without an improvement (--patience)"
            )
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
        """Raise InvalidRequest unless the saved run had the same options and data, apart from what may grow."""
        differing = [name for name in self._identity if not _fits(name, saved.get(name), self._identity[name])]
        if differing:
            changes = ", ".join(f"{name} was {saved.get(name)} and is {self._identity[name]}" for name in differing)
            raise InvalidRequest(
                f"the run in {self._folder} was started with other settings: {changes}; "
                f"choose another --run-dir, or delete {self._state_path}",
                field="run_dir",
            )

    def _evaluate(self) -> None:
        point = self._trainer.evaluate()
        self._board.add("eval", [point])
        self._save()  # before the samples, which take longer than many steps
        self._log.add("evaluation", point.step, speech_loss=point.speech, text_loss=point.text)
        self._print_line(
            f"step {point.step}: held-out loss, speech {point.speech:.3f}, text {point.text:.3f} nats/token"
        )
        self._draw()

    def _write_samples(self) -> None:
        """Speak and score the samples of an evaluation at this step, unless there is none or that was done before."""
        evaluations, done = self._trainer.history.evaluations, self._trainer.done
        is_scored = any(score.step == done for score in self._scores)
        if not self._options.samples or not evaluations or evaluations[-1].step != done or is_scored:
            return
        score = self._samples.write(self._voice(self._trainer.adapter(), evaluations[-1]), done)
        if score is None:
            return
        self._scores.append(score)
        self._board.add_scores([score])
        self._save()
        self._log.add("samples", done, similarity=score.similarity, word_errors=score.word_errors)
        errors = "" if score.word_errors is None else f", word errors {100 * score.word_errors:.0f} %"
        self._print_line(f"step {done}: samples, similarity to the speaker {score.similarity:.2f}{errors}")
        self._draw()

    def _sample_texts(self) -> list[tuple[str, str]]:
        """The texts of samples, each with its language."""
        rows = [self._clip_set.rows[clip.id] for clip in self._corpus.held_out[:_SAMPLES]]
        rules = Rules(self._options.model, self._options.language, self._options.max_clip_s)
        own = [(row.text, language_of(row, rules)) for row in rows]
        return [(text, own[0][1]) for text in self._options.sample_text] if self._options.sample_text and own else own

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
            scores = [astuple(score) for score in self._scores]
            saved = {_IDENTITY_KEY: self._identity, "trainer": self._trainer.state(), "scores": scores}
            save_state(self._state_path, saved)
        except OSError as error:
            raise VolumeFailed(f"{self._state_path} cannot be written: {error.strerror or error}") from error

    def _draw(self) -> None:
        history = self._trainer.history
        title = f"{self._options.output_voice_id}: {self._options.model}, {len(self._corpus.clips)} clips"
        curve.draw(
            self._folder / "curve.png",
            title,
            history.steps,
            history.evaluations,
            scores=self._scores,
            recorded=recorded_similarity(self._corpus),
        )


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


def _fits(name: str, saved: Any, wanted: Any) -> bool:
    """Whether a run that was saved with this value of an option may continue with the wanted one."""
    if name in _MAY_GROW and isinstance(saved, int):
        return (wanted or math.inf) >= (saved or math.inf)  # a patience of 0 has no limit
    return bool(saved == wanted)
