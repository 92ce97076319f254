"""The loop of one training run: step, evaluate, generate samples, save, draw; and the voice or the model at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatterbox_worker import __version__
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.custom_models import CustomModel
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape
from chatterbox_worker.engines.chatterbox.training.result import TrainedModel
from chatterbox_worker.engines.chatterbox.training.resume import load_state, save_state
from chatterbox_worker.engines.chatterbox.training.scope import Scope
from chatterbox_worker.engines.chatterbox.training.trainer import LossPoint, Trainer
from chatterbox_worker.errors import InvalidRequest, VolumeFailed
from chatterbox_worker.files import write_whole
from chatterbox_worker.train import curve
from chatterbox_worker.train.board import Board, losses_of
from chatterbox_worker.train.clips import RefusedClip, Rules, language_of
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.progress import Progress, StepLog, progress
from chatterbox_worker.train.recipe import changes_between, identity_of, recipe_of
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.train.samples import CountErrors, SampleScore, SampleWriter, recorded_similarity
from chatterbox_worker.train.session import Session
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, pack
from chatterbox_worker.voices.library import VoiceLibrary

_SOURCES = 1000  # clips listed in a voice file; a header has space for a few thousand at most
_MODEL_FOLDER = "model"  # in the run's, for a run that trains more than an adapter
_SAMPLES = 2  # held-out clips whose texts are spoken at each evaluation
_IDENTITY_KEY = "told"  # in state.pt; its name must not change, or saved runs could not be continued


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
        session: Session,
        clip_set: ClipSet,
        corpus: Corpus,
        print_line: Callable[[str], object],
        *,
        count_errors: CountErrors | None,
    ) -> None:
        """`count_errors`: how the samples are checked for word errors; None for not at all.

        Raises:
            InvalidRequest: the run's folder has another run, or the speaker's clips are too short for a reference.
        """
        self._options, self._session, self._print_line = options, session, print_line
        self._clip_set, self._corpus = clip_set, corpus
        self._folder, self._state_path = options.run_dir, options.run_dir / "state.pt"
        shape = None if options.rank is None else Shape(options.rank, options.alpha, options.dropout)
        self._scope = Scope(shape, session.new_tokens, options.full)
        self._recipe = recipe_of(options, session, corpus, self._scope)
        self._identity = identity_of(options, self._recipe, session, corpus, self._scope)
        state = load_state(self._state_path)
        if state is not None:
            self._compare(state.get(_IDENTITY_KEY, {}))
        self._session.voice(corpus, {}, Scope(), clip_set.audio_of, {})  # fails now if clips are too short
        self._trainer: Trainer = session.trainer(corpus, self._recipe, self._scope)
        if state is not None:
            self._trainer.restore(state["trainer"])
            print_line(f"continuing after step {self._trainer.done} of {self._recipe.steps}")
        self._log = StepLog(self._folder / "log.jsonl", done=self._trainer.done)
        self._scores = [SampleScore.of(line) for line in self._log.lines("samples")]
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
        shown.advance(loss=point.speech, **({"text_loss": point.text} if point.text else {}))
        self._log.add(
            "step", point.step, steps=self._recipe.steps, **losses_of(point),
            learning_rate=self._recipe.rate_at(point.step - 1), elapsed_s=shown.seconds, left_s=shown.left_s,
        )  # fmt: skip

    def write(self, settings: Settings) -> Path:
        """Write the voice to the run's folder, and to the library with `--install`; before it the model, if any.

        Raises:
            VolumeFailed: the model cannot be written.
        """
        best = self._trainer.history.best
        if model := self._session.model(self._trainer.best(), self._scope):
            self._write_model(model, best)
        data = pack(self._voice(self._trainer.best(), best))
        path = self._folder / f"{self._options.output_voice_id}{BUNDLE_SUFFIX}"
        write_whole(path, data, durable=True, sole_writer=True)
        if self._trainer.done < self._recipe.steps:
            idle = self._trainer.history.idle
            self._print_line(
                f"ended at step {self._trainer.done}: {idle} evaluations without an improvement (--patience)"
            )
        if best is not None and best.step == 0:
            self._print_line("no evaluation was better than the model before training: the result is as it was")
        if self._options.install:
            VoiceLibrary(settings.voices_dir).save(self._options.output_voice_id, data, field="voice")
            self._print_line(f"{self._options.output_voice_id} is in the library, {settings.voices_dir}")
        self._print_line(f"{path}: {len(data) / 1e6:.2f} MB, {self._outcome(best)}")
        return path

    def _write_model(self, model: TrainedModel, best: LossPoint | None) -> None:
        folder, options = self._folder / _MODEL_FOLDER, self._options
        try:
            path = model.write(folder, self._about(best))
        except OSError as error:
            raise VolumeFailed(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
        known = MODELS[options.model].languages
        own = options.language
        languages = () if own is None or own in known else (own, *known)
        entry = CustomModel(options.output_voice_id, str(folder.resolve()), options.model, languages)
        self._print_line(f"{path}: {path.stat().st_size / 1e9:.2f} GB, {self._outcome(best)}; to serve it:")
        self._print_line(f'CHATTERBOX_CUSTOM_MODELS="{entry}"')

    def _outcome(self, best: LossPoint | None) -> str:
        if best is None:
            return f"after step {self._trainer.done}, not evaluated: no clips were held out"
        first = self._trainer.history.evaluations[0]
        return f"of step {best.step}, held-out speech loss {best.speech:.3f} (before training: {first.speech:.3f})"

    def _compare(self, saved: dict[str, Any]) -> None:
        """Raise InvalidRequest unless the saved run had the same options and data, apart from what may grow."""
        if changes := changes_between(saved, self._identity):
            raise InvalidRequest(
                f"the run in {self._folder} was started with other settings: {changes}; "
                f"choose another --run-dir, or delete {self._state_path}",
                field="run_dir",
            )

    def _evaluate(self) -> None:
        point = self._trainer.evaluate()
        self._board.add("eval", [point])
        self._save()  # before the samples, which take longer than many steps
        self._log.add("evaluation", point.step, **losses_of(point))
        text = f", text {point.text:.3f}" if point.text else ""
        self._print_line(f"step {point.step}: held-out loss, speech {point.speech:.3f}{text} nats/token")
        self._draw()

    def _write_samples(self) -> None:
        """Speak and score the samples of an evaluation at this step, unless there is none or that was done before."""
        evaluations, done = self._trainer.history.evaluations, self._trainer.done
        is_scored = any(score.step == done for score in self._scores)
        if not self._options.samples or not evaluations or evaluations[-1].step != done or is_scored:
            return
        trained = self._trainer.trained()
        model = self._session.model(trained, self._scope)
        score = self._samples.write(self._voice(trained, evaluations[-1]), done, model)
        if score is None:
            return
        self._scores.append(score)
        self._board.add_scores([score])
        self._log.add("samples", done, similarity=score.similarity, word_errors=score.word_errors)
        errors = "" if score.word_errors is None else f", word errors {100 * score.word_errors:.0f} %"
        alike = "" if score.similarity is None else f", similarity to the speaker {score.similarity:.2f}"
        self._print_line(f"step {done}: samples{alike}{errors}")
        self._draw()

    def _sample_texts(self) -> list[tuple[str, str]]:
        """The texts of samples, each with its language."""
        rows = [self._clip_set.rows[clip.id] for clip in self._corpus.held_out[:_SAMPLES]]
        own = [(row.text, language_of(row, self._rules)) for row in rows]
        return [(text, own[0][1]) for text in self._options.sample_text] if self._options.sample_text and own else own

    def _voice(self, tensors: dict[str, Any], point: LossPoint | None) -> Bundle:
        about = self._about(point)
        voice = self._session.voice(self._corpus, tensors, self._scope, self._clip_set.audio_of, about)
        return replace(voice, details=replace(voice.details, language=self._language))

    @property
    def _language(self) -> str | None:
        """The one that all clips are in."""
        languages = {language_of(self._clip_set.rows[clip.id], self._rules) for clip in self._corpus.clips}
        return languages.pop() if len(languages) == 1 else None

    @property
    def _rules(self) -> Rules:
        return Rules(self._options.model, self._options.language, self._options.max_clip_s)

    def _about(self, point: LossPoint | None) -> dict[str, Any]:
        return {
            "made_with": f"chatterbox-worker {__version__}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "consent": self._options.consent,
            "trained": {
                "model": self._options.model,
                "revision": self._session.revision,
                "step": self._trainer.done if point is None else point.step,
                "clips": len(self._corpus.clips),
            },
            "sources": [
                {"file": clip.id, "sha256": clip.digest, "duration_s": round(clip.duration_s, 1)}
                for clip in self._corpus.clips[:_SOURCES]
            ],
        }

    def _save(self) -> None:
        try:
            save_state(self._state_path, {_IDENTITY_KEY: self._identity, "trainer": self._trainer.state()})
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
