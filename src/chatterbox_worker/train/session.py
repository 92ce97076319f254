"""What a run needs of a model: to prepare clips, to train on them, and to speak with the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.language import NewLanguage
from chatterbox_worker.engines.chatterbox.training.result import TrainedModel
from chatterbox_worker.engines.chatterbox.training.scope import Scope
from chatterbox_worker.engines.chatterbox.training.session import TrainingSession, unchanged
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, Recipe, Trainer
from chatterbox_worker.errors import InvalidRequest, NotReady, choices
from chatterbox_worker.train import report
from chatterbox_worker.train.clips import Prepare
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.voices.bundle import Bundle


class Preparer(Protocol):
    @property
    def clip(self) -> Prepare[TrainingClip]: ...


class Session(Protocol):
    """`TrainingSession` describes its methods."""

    @property
    def preparer(self) -> Preparer: ...
    @property
    def revision(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def new_tokens(self) -> int: ...
    def arithmetic(self, wanted: str) -> Arithmetic: ...
    def is_short_of_memory(self, scope: Scope) -> bool: ...
    def trainer(self, corpus: Corpus, recipe: Recipe, scope: Scope) -> Trainer: ...
    def voice(
        self,
        corpus: Corpus,
        tensors: Mapping[str, Any],
        scope: Scope,
        audio_of: Callable[[TrainingClip], Audio],
        about: Mapping[str, Any],
    ) -> Bundle: ...
    def model(self, tensors: Mapping[str, Any], scope: Scope) -> TrainedModel | None: ...
    def samples(
        self, voice: Bundle, texts: Sequence[tuple[str, str]], model: TrainedModel | None = None
    ) -> list[Audio]: ...
    def similarity(self, audio: Audio, corpus: Corpus) -> float | None: ...
    def close(self) -> None: ...


def open_session(
    rows: Iterable[TranscriptRow], options: Options, settings: Settings, print_line: Callable[[str], object]
) -> tuple[Session, Iterable[TranscriptRow]]:
    """The session, with the tokens of a new language if it adds one; and the rows.

    Raises:
        InvalidRequest: no transcript is in the new language, there is nothing to add, or the device does not support
            the precision.
        NotReady: the weights are missing or broken, or a package is missing.
    """
    folder = options.run_dir / "prepared"
    if options.model == "csm":
        return _open_csm(options, settings, folder), rows
    extend = unchanged
    if options.extend_tokenizer and options.language is not None:
        rows = list(rows)
        own = [row.text for row in rows if (row.language or options.language).lower()[:2] == options.language]
        if rows and not own:
            others = sorted({(row.language or "").lower() for row in rows})
            raise InvalidRequest(
                f"--language {options.language}: no transcript is in it; the table's language is {choices(others)}",
                field="language",
            )
        extend = NewLanguage(
            options.language,
            own,
            options.run_dir,
            lambda new: print_line(report.new_tokens(new)),
            in_words=options.normalize,
        ).extend
    return TrainingSession.open(options.model, settings, folder, in_words=options.normalize, extend=extend), rows


def _open_csm(options: Options, settings: Settings, folder: Path) -> Session:
    try:
        from chatterbox_worker.engines.csm.training.session import CsmTrainingSession  # noqa: PLC0415
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "transformers":
            raise
        raise NotReady("the model csm needs the package transformers (the extra named csm)") from error
    return CsmTrainingSession.open(settings, folder, precision=options.precision, in_words=options.normalize)
