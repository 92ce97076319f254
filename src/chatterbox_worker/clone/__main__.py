"""`python -m chatterbox_worker.clone --input-dir DIR --output-voice-id NAME`: a voice from recordings of one person.

1 to 5 minutes in any audio format. The command lists what it keeps and what it leaves out, with the reasons, and draws
the same as a picture. The voice is written to the voices folder as one file, where every edge lists it. `--export NAME`
and `--import FILE` move voices.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatterbox_worker import command, command_text, wiring
from chatterbox_worker.clone import summary
from chatterbox_worker.clone.arguments import parse_arguments
from chatterbox_worker.clone.details import details_adder
from chatterbox_worker.clone.exchange import export_voice, free_id, import_voice
from chatterbox_worker.clone.findings import Findings, examine
from chatterbox_worker.clone.recordings import files_in
from chatterbox_worker.clone.voice import ClonedVoice, build_voice
from chatterbox_worker.clone.windows import Encoder
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, NotReady, WorkerError
from chatterbox_worker.files import check_writable
from chatterbox_worker.local import with_folders
from chatterbox_worker.request import voice_language
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, pack
from chatterbox_worker.voices.library import VoiceLibrary

_GET_ENCODER = (
    "Speakers are distinguished by Chatterbox's voice encoder, a file of 6 MB that every model's checkpoint has: "
    "let this machine reach the Hugging Face hub once, or put ve.pt of ResembleAI/chatterbox into a folder and name "
    "that with --weights-dir. To go on without it, use --trust-one-speaker: all speech is then assumed to be one "
    "person's."
)


def _settings(options: argparse.Namespace) -> Settings:
    """From the environment; without a volume, with the folders that `make queue` and `make serve` use."""
    settings = Settings.from_env(with_folders(environment()))
    return replace(
        settings,
        voices_dir=options.voices_dir or settings.voices_dir,
        weights_dir=options.weights_dir or settings.weights_dir,
    )


def _track(items: Sequence[Any], unit: str) -> Iterable[Any]:
    tracked: Iterable[Any] = tqdm(
        items, desc={"file": "reading", "recording": "comparing"}[unit], unit=unit, leave=False, disable=None
    )
    return tracked


def _encoder(options: argparse.Namespace, settings: Settings) -> Encoder | None:
    if options.trust_one_speaker:
        return None
    try:
        return wiring.speaker_encoder(settings)
    except NotReady as error:
        raise NotReady(f"{error.message}. {_GET_ENCODER}") from error


def _import_draw() -> Callable[[str, Findings, ClonedVoice | InvalidRequest, Path], None]:
    try:
        from chatterbox_worker.clone.report import draw  # noqa: PLC0415 - matplotlib is an extra
    except ModuleNotFoundError as error:
        raise NotReady(
            f"the picture needs {error.name} (the extra named tools): pip install {error.name}, or use --no-report"
        ) from error
    return draw


def _clone(options: argparse.Namespace, settings: Settings, library: VoiceLibrary) -> Iterator[str]:
    name = free_id(options.output_voice_id, library, may_replace=options.replace or options.dry_run)
    picture = None if options.no_report else options.report or Path(f"{name}.png")
    draw = None if picture is None else _import_draw()
    files_in(options.input_dir)  # a misspelt folder is reported before missing weights
    for path in (picture, None if options.dry_run else library.folder / f"{name}{BUNDLE_SUFFIX}"):
        if path is not None:
            check_writable(path)
    encoder = _encoder(options, settings)
    add_details = details_adder(options.transcript, options.language, settings, recognise=options.transcribe)
    findings = examine(
        options.input_dir,
        encoder,
        min_similarity=options.similarity,
        min_snr_db=options.min_snr,
        allow_music=options.allow_music,
        like=options.like,
        track=_track,
    )
    yield from summary.lines(findings)
    yield summary.total(findings)
    voice: ClonedVoice | InvalidRequest
    try:
        voice = build_voice(
            findings,
            min_speech_s=options.min_seconds,
            consent=options.consent,
            despite_doubts=options.despite_doubts,
        )
    except InvalidRequest as error:
        voice = error
    if draw is not None and picture is not None:
        draw(name, findings, voice, picture)
        yield f"picture: {picture}"
    if isinstance(voice, InvalidRequest):
        raise voice
    yield summary.clip(voice)
    bundle = add_details(voice.bundle)
    if bundle.details.language is not None:
        yield f"language of the clip: {bundle.details.language}; --language CODE changes it"
    if bundle.details.transcript is not None:
        yield f"words of the clip, for csm: {bundle.details.transcript}"
    if options.dry_run:
        return
    library.save(name, pack(bundle), field="output_voice_id")
    yield f"voice {name}: {library.folder / f'{name}{BUNDLE_SUFFIX}'}"
    if options.consent is None:
        yield (
            "the voice file has no note of consent: only use the voice of a person who agreed, "
            "and record that with --consent"
        )


def _lines(options: argparse.Namespace) -> Iterator[str]:
    settings = _settings(options)
    library = VoiceLibrary(settings.voices_dir)
    if options.export is not None:
        yield export_voice(library, options.export, options.out, may_replace=options.replace)
    elif options.import_file is not None:
        language = voice_language(options.language, settings.languages)
        name, path = options.output_voice_id, options.import_file
        yield import_voice(library, path, name, may_replace=options.replace, language=language)
    else:
        yield from _clone(options, settings, library)


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)-7s| %(name)s | %(message)s")
    try:
        for line in _lines(options):
            command.print_line(line)
    except (WorkerError, OSError) as error:
        return command_text.fail(error)
    return 0


if __name__ == "__main__":
    command.run(main)
