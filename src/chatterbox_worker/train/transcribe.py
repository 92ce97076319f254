"""Recordings without transcripts become a data set: clips of sentences and a table of what is said in them.

`python -m chatterbox_worker.train.transcribe RECORDINGS OUT`; training does the same for a folder without a table. OUT
is a folder of `metadata.csv`, for correction by hand, and `clips`. A run that was stopped continues: what was
transcribed is in `OUT/transcribed.jsonl` until the table is written.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain, count
from pathlib import Path
from typing import Protocol

from chatterbox_worker import command, command_text, files
from chatterbox_worker.asr import SpeechRecognizer, Transcript
from chatterbox_worker.audio.activity import measure_levels
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.decode import decode_in_pieces
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.passages import TOKEN_S, LevelMeter, Stretch, cut_stretches, plan_stretches
from chatterbox_worker.catalogue import MODEL_RATE
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, WorkerError, quote
from chatterbox_worker.recording_files import find_files, generated_folder
from chatterbox_worker.train.clips import LOWEST_RATE, RefusedClip
from chatterbox_worker.train.cuts import TranscribedClip, cut
from chatterbox_worker.train.options import language_code
from chatterbox_worker.train.progress import progress
from chatterbox_worker.train.spoken_language import LanguageCheck, OtherLanguage, WrongLanguage, other_language

RATE = MODEL_RATE
"""Hertz of the clips: the models' own rate."""
TABLE = "metadata.csv"
SUFFIXES = frozenset({
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".mp4", ".aac", ".webm", ".aiff", ".aif", ".amr",
})  # fmt: skip
WHOLE_S = 30.0
"""Longer recordings are cut: what the speech tokenizer reads at once."""
_PART = round(300 / TOKEN_S)  # tokens of what is transcribed at once, 5 minutes: 29 MB
_LONGEST_S = 6 * 3600.0
_MOST_SAMPLES = 6 * 3600 * 48_000 * 2  # of all channels: the same at 48 kHz in stereo
_MOST_BYTES = 4_000_000_000  # of one recording in memory: six hours of 16-bit stereo at 44.1 kHz


class Recognizer(Protocol):
    @property
    def name(self) -> str: ...
    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript: ...
    def detect_language(self, audio: Audio) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class TableRow:
    """A line of the table; the names are those that `rows.COLUMNS` and the hub's audiofolder know."""

    file_name: str
    """Under the data set's folder."""
    text: str
    id: str
    language: str
    speaker: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Recording:
    path: Path
    id: str
    speaker: str
    """The first folder under the source; empty for a recording that is in none."""


def make_dataset(
    source: Path,
    out: Path,
    recognizer: Recognizer,
    print_line: Callable[[str], object],
    *,
    language: str | None = None,
    whole_s: float = WHOLE_S,
) -> list[RefusedClip]:
    """Transcribe the recordings in `source`, a folder or one recording, into the data set `out`.

    Returns the recordings that cannot be used, with the reasons. `language`: None to recognise each recording's.
    `whole_s`: longer recordings are cut. Recordings that sound like another language than the given one are printed.

    Raises:
        InvalidRequest: there are no recordings, no speech in them, or most are in another language.
        NotReady: the recogniser cannot be loaded.
        OSError: the data set cannot be written.
    """
    recordings = list(find_recordings(source))
    clips = out / "clips"
    if any(recording.path.resolve().is_relative_to(clips.resolve()) for recording in recordings):
        raise InvalidRequest(
            f"{clips} has recordings, and the clips would be written there: delete it if an earlier run wrote them, "
            f"or name another folder than {out} for the data set",
            field="out",
        )
    generated_folder(clips)
    journal = _Journal(out / "transcribed.jsonl", [recognizer.name, language, whole_s])
    check = None if language is None else LanguageCheck(language, len(recordings))
    maker = _ClipMaker(out, recognizer, journal, print_line, language=language, whole_s=whole_s, check=check)
    rows: list[TableRow] = []
    refused: list[RefusedClip] = []
    with progress("transcribing", "recording", print_line, total=len(recordings)) as shown:
        for recording in shown.over(recordings):
            try:
                rows += maker.rows_of(recording)
            except WrongLanguage:
                raise
            except InvalidRequest as refusal:
                refused.append(RefusedClip(recording.id, recording.path.name, refusal.message))
    if not rows:
        whys = "; ".join(f"{each.where}: {each.why}" for each in refused[:3])
        raise InvalidRequest(f"no speech in {source} can be used: {whys}", field="data")
    for warning in check.warnings() if check else ():
        print_line(f"  {warning}")
    write_table(out / TABLE, rows)
    journal.path.unlink(missing_ok=True)
    minutes = sum(row.seconds for row in rows) / 60
    print_line(
        f"{out / TABLE}: {len(rows)} clips, {minutes:.1f} minutes, from {len(recordings)} recordings; correct it"
    )
    return refused


def find_recordings(source: Path) -> Iterator[_Recording]:
    """`source` itself, or the audio files among its `find_files`.

    Raises:
        InvalidRequest: there is none.
    """
    is_folder = source.is_dir()
    folder = source if is_folder else source.parent
    found = [path for path in find_files(source) if is_recording(path)] if is_folder else [source]
    if not found:
        raise InvalidRequest(f"{source} has neither a table of transcripts nor recordings", field="data")
    taken: dict[str, int] = {}
    for path in found:
        parts = path.relative_to(folder).with_suffix("").parts
        name = "-".join(parts)
        taken[name] = taken.get(name, 0) + 1
        yield _Recording(
            path, name if taken[name] == 1 else f"{name}-{path.suffix[1:]}", parts[0] if len(parts) > 1 else ""
        )


def is_recording(path: Path) -> bool:
    """Whether the file is named as audio is."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def write_table(path: Path, rows: Iterable[TableRow]) -> None:
    """Write the table as CSV with a header."""
    with files.draft(path, durable=True, sole_writer=True) as draft, draft.open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, [field.name for field in fields(TableRow)])
        table.writeheader()
        table.writerows({**asdict(row), "seconds": f"{row.seconds:.2f}"} for row in rows)


@dataclass(frozen=True, slots=True)
class _Part:
    """What was transcribed of a part of a recording."""

    rows: list[TableRow]
    other: OtherLanguage | None
    """Its language if that is clearly not the given one; looked for in the first part."""


class _Journal:
    """The parts of recordings that are transcribed, as JSON lines: what a run that was stopped need not do again."""

    def __init__(self, path: Path, by: list[str | float | None]) -> None:
        """`by`: what the transcripts depend on; parts that were transcribed otherwise are not found."""
        self.path, self._by = path, by
        self._parts: dict[tuple[str, int, int], _Part] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                saved = json.loads(line)
                if saved["by"] == by:
                    other = saved["other"]
                    part = _Part([TableRow(**row) for row in saved["rows"]], other and OtherLanguage(**other))
                    self._parts[saved["id"], saved["bytes"], saved["part"]] = part
            except (ValueError, KeyError, TypeError):  # half a line, of a run that was killed
                continue

    def find(self, recording: _Recording, size: int, number: int) -> _Part | None:
        return self._parts.get((recording.id, size, number))

    def add(self, recording: _Recording, size: int, number: int, part: _Part) -> None:
        line = {"by": self._by, "id": recording.id, "bytes": size, "part": number, **asdict(part)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(line)}\n")  # an empty line before it: the one before may be half a line


class _Survey:
    """Measures the levels of a recording while it is decoded for the first time."""

    meter: LevelMeter

    def begin(self) -> None:
        self.meter = LevelMeter(RATE)

    def add(self, piece: Samples) -> None:
        self.meter.add(piece)


class _ClipMaker:
    """Transcribes one recording after the other, part by part, and writes its clips."""

    def __init__(
        self,
        out: Path,
        recognizer: Recognizer,
        journal: _Journal,
        print_line: Callable[[str], object],
        *,
        language: str | None,
        whole_s: float,
        check: LanguageCheck | None,
    ) -> None:
        self._out, self._recognizer, self._journal, self._print_line = out, recognizer, journal, print_line
        self._language, self._whole_s, self._check = language, whole_s, check
        self._ids: set[str] = set()

    def rows_of(self, recording: _Recording) -> list[TableRow]:
        """
        Raises:
            WrongLanguage: with it, most recordings are in another language.
            InvalidRequest: it cannot be used, or nothing is said in it.
        """
        data = _read(recording.path)
        survey = _Survey()
        pieces = decode_in_pieces(
            data,
            field=recording.path.name,
            max_s=_LONGEST_S,
            sample_rate=RATE,
            max_samples=_MOST_SAMPLES,
            survey=survey,
            lowest_rate=LOWEST_RATE,
        )
        is_whole = survey.meter.samples <= self._whole_s * RATE
        parts = _plan_parts(survey.meter)
        rows: list[TableRow] = []
        with progress(f"transcribing {recording.path.name}", "part", self._quiet_for(parts), total=len(parts)) as shown:
            cuts = cut_stretches((piece.samples for piece in pieces), parts, RATE)
            for number, (_, samples) in shown.over(enumerate(cuts)):
                part = self._journal.find(recording, len(data), number)
                if part is None:
                    part = self._transcribe(recording, samples, len(rows), whole=is_whole, first=number == 0)
                    self._journal.add(recording, len(data), number, part)
                if number == 0 and self._check is not None:
                    self._check.add(recording.path, part.other)
                self._ids.update(row.id for row in part.rows)
                rows += part.rows
        if not rows:
            raise InvalidRequest("no speech was recognised in it", field="audio")
        return rows

    def _quiet_for(self, parts: Sequence[Stretch]) -> Callable[[str], object]:
        """Lines for long recordings only."""
        return self._print_line if len(parts) > 1 else (lambda _: None)

    def _transcribe(self, recording: _Recording, samples: Samples, before: int, *, whole: bool, first: bool) -> _Part:
        audio = Audio(samples, RATE)
        transcript = self._recognizer.transcribe(audio, self._language)
        if whole:
            clips = [TranscribedClip(0.0, audio.duration_s, transcript.text)] if transcript.text else []
        else:
            clips = cut(measure_levels(audio), transcript.words)
        other = None
        if first and clips and self._language is not None:  # in sound without speech any language is found
            other = other_language(self._recognizer.detect_language(audio), self._language)
        rows = [
            self._write(recording, audio, clip, transcript.language, None if whole else before + number)
            for number, clip in enumerate(clips, 1)
        ]
        return _Part(rows, other)

    def _write(
        self, recording: _Recording, audio: Audio, clip: TranscribedClip, language: str, number: int | None
    ) -> TableRow:
        plain = recording.id if number is None else f"{recording.id}-{number:04}"
        name = next(each for each in chain((plain,), (f"{plain}-{n}" for n in count(2))) if each not in self._ids)
        start, end = round(clip.start_s * RATE), round(clip.end_s * RATE)
        sound = Audio(audio.samples[start:end], RATE)
        file_name = f"clips/{name}.flac"
        files.write_whole(self._out / file_name, encode(sound, "flac", RATE), sole_writer=True)
        return TableRow(file_name, clip.text, name, language, recording.speaker, round(sound.duration_s, 2))


def _plan_parts(meter: LevelMeter) -> list[Stretch]:
    """Parts of up to 5 minutes, cut at silences."""
    parts: list[Stretch] = []
    for stretch in plan_stretches(meter.finish()):
        if parts and stretch.end - parts[-1].start <= _PART:
            parts[-1] = Stretch(parts[-1].start, stretch.end)
        else:
            parts.append(Stretch(stretch.start, stretch.end))
    return parts


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InvalidRequest(f"it has {size / 1e9:.1f} GB; at most {_MOST_BYTES / 1e9:g} are read", field="audio")
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"it cannot be read: {error.strerror or error}", field="audio") from error


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.train.transcribe",
        description="Make a data set of recordings: clips of sentences and a table of what is said in them.",
        epilog="Whisper's model and device come from CHATTERBOX_ASR_MODEL and CHATTERBOX_ASR_DEVICE.",
    )
    result.add_argument("source", type=Path, metavar="RECORDINGS", help="a folder of recordings, or one recording")
    result.add_argument("out", type=Path, metavar="OUT", help="the data set's folder")
    result.add_argument("--language", type=language_code, metavar="CODE", help="recognised if left out")
    return result


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 for a data set, 2 for recordings that cannot be used, 1 for any other error."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    options = parser().parse_args(arguments)
    try:
        if not options.source.exists():
            raise InvalidRequest(f"there is no {quote(str(options.source))}", field="data")
        if (options.out / TABLE).exists():
            raise InvalidRequest(f"{options.out / TABLE} is there already; delete it to transcribe again", field="out")
        recognizer = SpeechRecognizer.of(Settings.from_env(environment()))
        recognizer.load()
        for each in make_dataset(
            options.source, options.out, recognizer, command.print_line, language=options.language
        ):
            command.print_line(f"  refused: {each.where}: {each.why}")
    except WorkerError as error:
        return command_text.fail(error, 2 if isinstance(error, InvalidRequest) else 1)
    except OSError as error:
        return command_text.fail(f"{error.filename or options.out} cannot be written: {error.strerror or error}")
    return 0


if __name__ == "__main__":
    command.run(main, "stopped; run the same command again to continue")
