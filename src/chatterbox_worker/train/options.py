"""The options of a run: one table of flags, checked before anything is loaded."""

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

_LONGEST_CLIP_S = 40  # upstream's 1000 tokens: no model generates more in one run


@dataclass(frozen=True, slots=True)
class Options:
    """The values of the flags, by name."""

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
    normalize: bool
    eval_share: float
    eval_every: int | None
    patience: int
    save_every: int
    samples: bool
    sample_text: tuple[str, ...]
    seed: int


def parse(arguments: Sequence[str] | None) -> Options:
    """The options of a command line; argparse ends the process with code 2 for an invalid one.

    Raises:
        InvalidRequest: flags that cannot be combined.
    """
    values = vars(parser().parse_args(arguments))
    values["run_dir"] = values["run_dir"] or Path("training") / values["output_voice_id"]
    values["sample_text"] = tuple(values["sample_text"] or ())
    options = Options(**values)
    _check(options)
    return options


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.train",
        description="Fine-tune T3 on recordings of a voice with their transcripts, and write a voice for the worker. "
        "The same command continues a run that was stopped.",
        epilog="Weights and device come from CHATTERBOX_WEIGHTS_DIR and CHATTERBOX_DEVICE. docs/TRAINING.md explains.",
    )
    _data_flags(result.add_argument_group("data"))
    _output_flags(result.add_argument_group("output"))
    _training_flags(result.add_argument_group("training"))
    _evaluation_flags(result.add_argument_group("evaluation"))
    return result


def _data_flags(group: argparse._ArgumentGroup) -> None:
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        type=Path,
        help="folder with a table of transcripts, or the table: CSV, JSON lines, LJSpeech; "
        "a folder of recordings without one, or one recording, is transcribed",
    )
    source.add_argument(
        "--dataset", help="audio set of the hub, such as MrDragonFox/Elise; a folder of one; a .parquet file"
    )
    group.add_argument("--dataset-config", metavar="NAME", help="which configuration of the set")
    group.add_argument("--dataset-split", metavar="NAME", default="train", help="which split of the set")
    group.add_argument("--model", choices=TRAINABLE, required=True, help="the model to fine-tune")
    group.add_argument(
        "--language",
        choices=LANGUAGES,
        metavar="CODE",
        help="of rows without a language; multilingual needs one",
    )
    group.add_argument(
        "--max-clip-s",
        type=_number(1, _LONGEST_CLIP_S),
        default=30.0,
        metavar="S",
        help="longer recordings are refused",
    )
    group.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="read numbers, units and the like of transcripts in words, as speech does",
    )


def _output_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--output-voice-id", type=_voice_id, required=True, metavar="ID", help="the id of the voice")
    group.add_argument("--run-dir", type=Path, metavar="DIR", help="folder of the run (training/ID)")
    group.add_argument(
        "--install", action="store_true", help="also save the voice in the library, CHATTERBOX_VOICES_DIR"
    )
    group.add_argument("--consent", metavar="NOTE", help="how the speaker agreed; stored in the file")


def _training_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--rank", type=_whole(1, 256), default=8, help="of the adapter: its size and capacity")
    group.add_argument(
        "--alpha", type=_number(0.01, 1024), default=16.0, help="scale of the adapter, divided by the rank"
    )
    group.add_argument("--dropout", type=_number(0, 0.9), default=0.05, help="of the adapter's input during training")
    group.add_argument(
        "--learning-rate", type=_number(1e-7, 1), default=1e-4, help="the highest learning rate of AdamW"
    )
    group.add_argument("--batch-size", type=_whole(1, 256), default=4, help="clips per batch")
    group.add_argument("--accumulate", type=_whole(1, 1024), default=4, help="batches per optimizer step")
    group.add_argument("--epochs", type=_whole(1, 10_000), default=10, help="how often every clip is used")
    group.add_argument("--steps", type=_whole(1, 10_000_000), help="optimizer steps, instead of epochs")
    group.add_argument("--text-weight", type=_number(0, 10), default=0.1, help="of the text's loss; the speech's has 1")
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="auto: bf16 or fp16 on a GPU, fp32 on a CPU",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        help="less memory, more time; automatic on a GPU under 24 GB",
    )
    group.add_argument(
        "--seed", type=_whole(0, 2**32 - 1), default=0, help="of the order, the split and the adapter's initial weights"
    )
    group.add_argument(
        "--save-every",
        type=_whole(1, 1_000_000),
        default=25,
        metavar="STEPS",
        help="steps between saves: the most that a kill can lose",
    )


def _evaluation_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--eval-share", type=_number(0, 0.5), default=0.1, help="fraction of the clips to hold out; 0 for none"
    )
    group.add_argument(
        "--eval-every", type=_whole(1, 1_000_000), metavar="STEPS", help="steps between evaluations (one epoch)"
    )
    group.add_argument(
        "--patience",
        type=_whole(0, 1000),
        default=5,
        help="evaluations without improvement that end the run; 0 for never",
    )
    group.add_argument(
        "--samples", action=argparse.BooleanOptionalAction, default=True, help="generate samples at each evaluation"
    )
    group.add_argument(
        "--sample-text", action="append", metavar="TEXT", help="the text of a sample; may be given more than once"
    )


def _check(options: Options) -> None:
    languages = MODELS[options.model].languages
    if options.language is not None and options.language not in languages:
        raise InvalidRequest(
            f"--language {options.language}: {options.model} speaks {choices(languages)}", field="language"
        )
    if options.dataset is None and (options.dataset_config or options.dataset_split != "train"):
        raise InvalidRequest("--dataset-config and --dataset-split need --dataset", field="dataset")
    if options.eval_share == 0 and options.eval_every is not None:
        raise InvalidRequest("--eval-every needs held-out clips, but --eval-share is 0", field="eval_every")


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
