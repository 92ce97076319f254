"""What a run may be told: one table of flags, checked before anything is loaded."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chatterbox_worker.catalogue import LANGUAGES, MODELS
from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.voices.adapter import MODELS as TRAINABLE

_LONGEST_CLIP_S = 40  # upstream's 1000 tokens: no model says more at once


@dataclass(frozen=True, slots=True)
class Options:
    """The flags' values, by their names."""

    data: Path | None
    dataset: str | None
    dataset_config: str | None
    dataset_split: str
    model: str
    language: str | None
    output_voice_id: str
    run_dir: Path
    install: bool
    consent: str | None
    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    batch_size: int
    accumulate: int
    epochs: int
    steps: int | None
    text_weight: float
    precision: str
    gradient_checkpointing: bool | None
    max_clip_s: float
    eval_share: float
    eval_every: int | None
    patience: int
    save_every: int
    samples: bool
    sample_text: tuple[str, ...]
    seed: int


def parse(arguments: Sequence[str] | None) -> Options:
    """The options of a command line; argparse ends the process with code 2 for what it cannot take.

    Raises:
        InvalidRequest: flags that do not go together.
    """
    values = vars(parser().parse_args(arguments))
    values["run_dir"] = values["run_dir"] or Path("training") / values["output_voice_id"]
    values["sample_text"] = tuple(values["sample_text"] or ())
    options = Options(**values)
    _check(options)
    return options


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.train",
        description="Fine-tune T3 on recordings of a voice with their transcripts, and write a voice that the worker speaks with. "
        "The same command again goes on where a run was stopped.",
        epilog="Weights and device come from CHATTERBOX_WEIGHTS_DIR and CHATTERBOX_DEVICE. docs/TRAINING.md explains.",
    )
    _data_flags(made.add_argument_group("what is learnt from"))
    _result_flags(made.add_argument_group("what comes out"))
    _learning_flags(made.add_argument_group("how it is learnt"))
    _judging_flags(made.add_argument_group("how it is judged"))
    return made


def _data_flags(group: argparse._ArgumentGroup) -> None:
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=Path, help="folder with a table of transcripts, or the table: CSV, JSON lines, LJSpeech"
    )
    source.add_argument(
        "--dataset", help="audio set of the hub, such as MrDragonFox/Elise; a folder of one; a .parquet file"
    )
    group.add_argument("--dataset-config", metavar="NAME", help="which configuration of the set")
    group.add_argument("--dataset-split", metavar="NAME", default="train", help="which split of the set")
    group.add_argument("--model", choices=TRAINABLE, required=True, help="what is fine-tuned")
    group.add_argument(
        "--language",
        choices=LANGUAGES,
        metavar="CODE",
        help="of transcripts whose row does not say; multilingual needs one",
    )
    group.add_argument(
        "--max-clip-s",
        type=_number(1, _LONGEST_CLIP_S),
        default=30.0,
        metavar="S",
        help="longer recordings are refused",
    )


def _result_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output-voice-id", type=_voice_id, required=True, metavar="ID", help="what the voice is called"
    )
    group.add_argument("--run-dir", type=Path, metavar="DIR", help="folder of the run; training/ID by default")
    group.add_argument(
        "--install", action="store_true", help="also save the voice in the library, CHATTERBOX_VOICES_DIR"
    )
    group.add_argument("--consent", metavar="NOTE", help="how the speaker agreed; goes into the file")


def _learning_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--rank", type=_whole(1, 256), default=8, help="of the adapter: its size and what it can hold")
    group.add_argument(
        "--alpha", type=_number(0.01, 1024), default=16.0, help="scale of the adapter, divided by the rank"
    )
    group.add_argument("--dropout", type=_number(0, 0.9), default=0.05, help="of the adapter's input while it learns")
    group.add_argument("--learning-rate", type=_number(1e-7, 1), default=1e-4, help="of AdamW, at its highest")
    group.add_argument("--batch-size", type=_whole(1, 256), default=4, help="clips at once in memory")
    group.add_argument("--accumulate", type=_whole(1, 1024), default=4, help="batches to a step")
    group.add_argument("--epochs", type=_whole(1, 10_000), default=10, help="how often every clip is learnt from")
    group.add_argument("--steps", type=_whole(1, 10_000_000), help="optimizer steps, instead of epochs")
    group.add_argument("--text-weight", type=_number(0, 10), default=0.1, help="of the text's loss beside the speech's")
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="auto: bf16 or fp16 on a GPU, fp32 on a CPU",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        help="less memory, more time; by itself on a GPU under 24 GB",
    )
    group.add_argument(
        "--seed", type=_whole(0, 2**32 - 1), default=0, help="of the order, the split and the adapter's start"
    )
    group.add_argument(
        "--save-every", type=_whole(1, 1_000_000), default=25, metavar="STEPS", help="how much a kill may cost"
    )


def _judging_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--eval-share", type=_number(0, 0.5), default=0.1, help="of the clips, held out; 0 for none")
    group.add_argument(
        "--eval-every", type=_whole(1, 1_000_000), metavar="STEPS", help="steps between judgements; an epoch by default"
    )
    group.add_argument(
        "--patience",
        type=_whole(0, 1000),
        default=5,
        help="judgements without a better one that end the run; 0 for never",
    )
    group.add_argument("--samples", action=argparse.BooleanOptionalAction, default=True, help="speak at each judgement")
    group.add_argument(
        "--sample-text", action="append", metavar="TEXT", help="what is spoken; may be given more than once"
    )


def _check(options: Options) -> None:
    languages = MODELS[options.model].languages
    if options.language is not None and options.language not in languages:
        raise InvalidRequest(
            f"--language {options.language}: {options.model} speaks {choices(languages)}", field="language"
        )
    if options.dataset is None and (options.dataset_config or options.dataset_split != "train"):
        raise InvalidRequest("--dataset-config and --dataset-split go with --dataset", field="dataset")
    if options.eval_share == 0 and options.eval_every is not None:
        raise InvalidRequest("--eval-every needs clips that are held out; --eval-share is 0", field="eval_every")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def _voice_id(text: str) -> str:
    if not re.fullmatch(VOICE_ID, text) or text == "default":
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: 1 to 64 of A-Z a-z 0-9 . _ -, and not default")
    return text
