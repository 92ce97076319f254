"""One run from flags to voice: prepare the clips, train, and write the result.

Everything that a run writes is in its folder, and the same command continues a stopped run: encoded clips are saved one
by one (`prepared`), the training state in one file (`state.pt`). A run continues only with the same options and data.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from chatterbox_worker import files
from chatterbox_worker.asr import SpeechRecognizer, is_installed
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.checks.words import compare
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import TrainingClip, split
from chatterbox_worker.errors import Busy, InvalidRequest, NotReady, VolumeFailed, quote
from chatterbox_worker.train import report
from chatterbox_worker.train.clips import RefusedClip, Rules, prepare_rows, refuse_single_clips
from chatterbox_worker.train.loop import ClipSet, TrainingLoop
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.people import find_two_voices
from chatterbox_worker.train.progress import progress
from chatterbox_worker.train.rows import TranscriptRow, rows_of, tables_in
from chatterbox_worker.train.samples import CountErrors
from chatterbox_worker.train.session import Session, open_session
from chatterbox_worker.train.transcribe import TABLE, WHOLE_S, find_recordings, is_recording, make_dataset
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX
from chatterbox_worker.voices.library import VoiceLibrary

_log = logging.getLogger(__name__)


def run(options: Options, settings: Settings, print_line: Callable[[str], object]) -> Path:
    """Returns the path of the finished voice file. A run that makes a model writes that first.

    Raises:
        WorkerError: the flags, the data or the weights do not allow it.
    """
    rows = _find_rows(options)  # before anything is written: a missing table is a common mistake
    _writable_folder(options.run_dir)
    try:
        with files.lock_folder(options.run_dir):
            return _run(rows, options, settings, print_line)
    except BlockingIOError:
        raise Busy(f"another run writes to {options.run_dir}; wait for it, or choose another --run-dir") from None


def _run(
    rows: Iterator[TranscriptRow] | None, options: Options, settings: Settings, print_line: Callable[[str], object]
) -> Path:
    if options.install:
        _writable_folder(settings.voices_dir)
        _check_free(options, VoiceLibrary(settings.voices_dir))
    recognizer = SpeechRecognizer.of(settings)
    if rows is None and options.data is not None:
        rows = rows_of(_transcribe(options.data, options, recognizer, print_line))
    assert rows is not None  # noqa: S101 - only recordings have none
    session, kept = open_session(rows, options, settings, print_line)
    session.arithmetic(options.precision)  # an invalid precision fails before the clips are encoded
    try:
        clip_set = prepare_clips(kept, options, session, print_line)
        corpus = split(clip_set.clips, share=options.eval_share, seed=options.seed)
        count_errors = _error_counter(recognizer) if options.samples and corpus.held_out else None
        loop = TrainingLoop(options, session, clip_set, corpus, print_line, count_errors=count_errors)
        loop.run()
        return loop.write(settings)
    finally:
        session.close()


def _check_free(options: Options, library: VoiceLibrary) -> None:
    """Raises InvalidRequest if the library has a voice of this id that is neither this run's nor to be replaced."""
    voice = options.output_voice_id
    if options.replace or voice not in {entry.id for entry in library.list()}:
        return
    own = options.run_dir / f"{voice}{BUNDLE_SUFFIX}"
    if not own.is_file() or own.read_bytes() != library.export(voice):
        raise InvalidRequest(
            f"another voice {quote(voice)} is in {library.folder}; use --replace to replace it, or another "
            "--output-voice-id",
            field="output_voice_id",
        )


def prepare_clips(
    rows: Iterable[TranscriptRow], options: Options, session: Session, print_line: Callable[[str], object]
) -> ClipSet:
    """The clips that can be used for training; the others are listed with a reason.

    Raises:
        InvalidRequest: no clip can be used.
    """
    clips = ClipSet()
    rules = Rules(options.model, options.language, options.max_clip_s)
    with progress("encoding", "clip", print_line) as shown:
        for row, clip in prepare_rows(shown.over(rows), rules, session.preparer.clip):
            if isinstance(clip, RefusedClip):
                clips.refused.append(clip)
            else:
                clips.clips.append(clip)
                clips.rows[clip.id] = row
    clips.clips, single = refuse_single_clips(clips.clips, lambda clip: clips.rows[clip.id].where)
    clips.refused += single
    others = _other_voices(clips.clips)
    kept = [
        report.KeptClip(clip.id, clips.rows[clip.id].where, clip.duration_s, clip.person, clip.id in others)
        for clip in clips.clips
    ]
    report.write(options.run_dir / "clips.csv", kept, clips.refused)
    print_line(report.summary(kept, clips.refused))
    if not clips.clips:
        raise InvalidRequest(f"none of the {len(clips.refused)} clips can be used for training", field="data")
    return clips


def _other_voices(clips: Sequence[TrainingClip]) -> set[str]:
    """The ids of clips that sound like another person than most of their speaker's."""
    others: set[str] = set()
    for person in {clip.person for clip in clips}:
        own = [clip for clip in clips if clip.person == person]
        found = find_two_voices(np.stack([clip.speaker.numpy() for clip in own]))
        if found is not None:
            others.update(clip.id for clip, is_second in zip(own, found.is_second, strict=True) if is_second)
    return others


def _find_rows(options: Options) -> Iterator[TranscriptRow] | None:
    """None for recordings without transcripts; there is at least one, or a data set of an earlier run.

    Raises:
        InvalidRequest: the data are missing or broken.
    """
    if options.data is not None and options.data.suffix != ".parquet":
        if is_recording(options.data) or (options.data.is_dir() and not tables_in(options.data)):
            if not (_transcribed(options) / TABLE).exists():
                next(find_recordings(options.data))
            return None
        return rows_of(options.data)
    from chatterbox_worker.train.hub import rows_of_dataset  # noqa: PLC0415 - importing datasets takes seconds

    name = options.dataset or str(options.data)
    return rows_of_dataset(name, config=options.dataset_config, split=options.dataset_split)


def _transcribed(options: Options) -> Path:
    return options.run_dir / "transcribed"


def _transcribe(
    source: Path, options: Options, recognizer: SpeechRecognizer, print_line: Callable[[str], object]
) -> Path:
    """The data set of recordings without transcripts: that of an earlier run, which may be corrected, or a new one.

    Raises:
        InvalidRequest: there is no speech in the recordings.
        NotReady: the recogniser cannot be loaded.
    """
    out = _transcribed(options)
    if (out / TABLE).exists():
        print_line(f"{out / TABLE} of an earlier run is used; delete it to transcribe again")
        return out
    recognizer.load()
    _writable_folder(out)
    languages = MODELS[options.model].languages
    language = options.language or (languages[0] if len(languages) == 1 else None)
    whole_s = min(WHOLE_S, options.max_clip_s)
    for each in make_dataset(source, out, recognizer, print_line, language=language, whole_s=whole_s):
        print_line(f"  {each.where}: {each.why}")
    return out


def _error_counter(recognizer: SpeechRecognizer) -> CountErrors | None:
    """None without the extra named asr, and where the recogniser cannot be loaded, which is logged."""
    if not is_installed():
        return None
    try:
        recognizer.load()
    except NotReady as error:
        _log.warning("samples are not checked for word errors: %s", error.message)
        return None
    return lambda audio, text, language: compare(
        [text], recognizer.transcribe(audio, language, word_times=False, beam_size=1).text, language
    )


def _writable_folder(path: Path) -> Path:
    """Create the folder and write to it once, so that a long run does not end with an unwritable folder.

    Raises:
        VolumeFailed: it cannot be created or written.
    """
    probe = path / f".probe-{secrets.token_hex(4)}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise VolumeFailed(f"{path} cannot be written: {error.strerror or error}") from error
    return path
