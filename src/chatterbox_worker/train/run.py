"""One run from flags to voice: gather the clips, learn, and write what came of it.

Everything a run makes is in its folder, and the same command goes on where it was stopped: the clips that were listened to
are kept one by one (`prepared`), the learning in one file (`state.pt`). A run goes on only with what it was begun with.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.training.corpus import split
from chatterbox_worker.engines.chatterbox.training.session import TrainingSession
from chatterbox_worker.errors import InvalidRequest, VolumeFailed
from chatterbox_worker.train import report
from chatterbox_worker.train.clips import RefusedClip, Rules, usable, without_loners
from chatterbox_worker.train.learning import Gathered, Learning
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.rows import TranscriptRow, rows_of


def run(options: Options, settings: Settings, say: Callable[[str], object]) -> Path:
    """The finished voice file's path.

    Raises:
        WorkerError: the flags, the data or the weights do not allow it.
    """
    rows = _rows(options)  # before anything is made: a table that is not there is the commonest slip
    folder = _folder(options.run_dir)
    if options.install:
        _folder(settings.voices_dir)
    workshop = TrainingSession.open(options.model, settings, folder / "prepared")
    workshop.arithmetic(options.precision)  # said before the clips are listened to
    try:
        gathered = gather(rows, options, workshop, say)
        corpus = split(gathered.clips, share=options.eval_share, seed=options.seed)
        learning = Learning(options, workshop, gathered, corpus, say)
        learning.go()
        return learning.write(settings)
    finally:
        workshop.close()


def gather(
    rows: Iterator[TranscriptRow], options: Options, workshop: TrainingSession, say: Callable[[str], object]
) -> Gathered:
    """What can be learnt from; the rest is named with its reason.

    Raises:
        InvalidRequest: there is nothing, or too little.
    """
    made = Gathered()
    rules = Rules(options.model, options.language, options.max_clip_s)
    listening = tqdm(rows, desc="listening", unit="clip", disable=None)
    for row, clip in usable(listening, rules, workshop.preparer.clip):
        if isinstance(clip, RefusedClip):
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


def _rows(options: Options) -> Iterator[TranscriptRow]:
    if options.data is not None and options.data.suffix != ".parquet":
        return rows_of(options.data)
    from chatterbox_worker.train.hub import rows_of_dataset  # noqa: PLC0415 - datasets' seconds of imports

    name = options.dataset or str(options.data)
    return rows_of_dataset(name, config=options.dataset_config, split=options.dataset_split)


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
