"""One run from flags to voice: prepare the clips, train, and write the result.

Everything that a run writes is in its folder, and the same command continues a stopped run: encoded clips are saved one
by one (`prepared`), the training state in one file (`state.pt`). A run continues only with the same options and data.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import split
from chatterbox_worker.engines.chatterbox.training.session import TrainingSession
from chatterbox_worker.errors import InvalidRequest, VolumeFailed
from chatterbox_worker.train import report
from chatterbox_worker.train.clips import RefusedClip, Rules, prepare_rows, refuse_single_clips
from chatterbox_worker.train.loop import ClipSet, TrainingLoop
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.progress import progress
from chatterbox_worker.train.rows import TranscriptRow, rows_of


def run(options: Options, settings: Settings, print_line: Callable[[str], object]) -> Path:
    """Returns the path of the finished voice file.

    Raises:
        WorkerError: the flags, the data or the weights do not allow it.
    """
    rows = _rows(options)  # before anything is written: a missing table is the most common mistake
    folder = _writable_folder(options.run_dir)
    if options.install:
        _writable_folder(settings.voices_dir)
    session = TrainingSession.open(options.model, settings, folder / "prepared", in_words=options.normalize)
    session.arithmetic(options.precision)  # an invalid precision fails before the clips are encoded
    try:
        clip_set = prepare_clips(rows, options, session, print_line)
        corpus = split(clip_set.clips, share=options.eval_share, seed=options.seed)
        loop = TrainingLoop(options, session, clip_set, corpus, print_line)
        loop.run()
        return loop.write(settings)
    finally:
        session.close()


def prepare_clips(
    rows: Iterator[TranscriptRow], options: Options, session: TrainingSession, print_line: Callable[[str], object]
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
    kept = [report.KeptClip(clip.id, clips.rows[clip.id].where, clip.duration_s, clip.person) for clip in clips.clips]
    report.write(options.run_dir / "clips.csv", kept, clips.refused)
    print_line(report.summary(kept, clips.refused))
    if not clips.clips:
        raise InvalidRequest(f"none of the {len(clips.refused)} clips can be used for training", field="data")
    return clips


def _rows(options: Options) -> Iterator[TranscriptRow]:
    if options.data is not None and options.data.suffix != ".parquet":
        return rows_of(options.data)
    from chatterbox_worker.train.hub import rows_of_dataset  # noqa: PLC0415 - importing datasets takes seconds

    name = options.dataset or str(options.data)
    return rows_of_dataset(name, config=options.dataset_config, split=options.dataset_split)


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
