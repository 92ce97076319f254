"""The options of a run: one table of flags, checked before anything is loaded."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatterbox_worker import command_text
from chatterbox_worker.catalogue import LANGUAGES, MODELS
from chatterbox_worker.command_text import number, whole
from chatterbox_worker.custom_models import FAMILIES, parse_custom_models
from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.voices.adapter import MODELS as TRAINABLE

EXTENDABLE = ("multilingual", "multilingual-v2")
"""The models whose texts begin with the token of their language."""
_ONLY = {
    "full": (FAMILIES, "is trained by an adapter only"),
    "extend_tokenizer": (EXTENDABLE, "names no languages"),
    "text_weight": (FAMILIES, "predicts no text"),
}
"""Flags that not all models have: by name, those that do, and why not the others."""
_RANK = 8
_ADAPTER_RATE = 1e-4
_WHOLE_RATE = 5e-5  # the command of the public programs that fine-tune this T3 whole, finetune_t3.py
_ROWS_RATE = 5e-4  # of rows alone: that of textual inversion in diffusers, which also trains a few embeddings only
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
    replace: bool
    consent: str | None
    full: bool
    extend_tokenizer: bool
    rank: int | None
    """None: no adapter."""
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


def parse(arguments: Sequence[str]) -> Options:
    """The options of a command line; argparse ends the process with code 2 for an invalid one.

    Raises:
        InvalidRequest: flags that cannot be combined.
    """
    values = vars(parser().parse_args(arguments))
    values["run_dir"] = values["run_dir"] or Path("training") / values["output_voice_id"]
    values["sample_text"] = tuple(values["sample_text"] or ())
    _check_model(values)
    _check_scope(values)
    values |= {name: value for name, value in _defaults(values).items() if values[name] is None}
    options = Options(**values)
    _check(options)
    return options


def _defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of the options whose default depends on what is trained."""
    adapts = values["rank"] is not None or not (values["full"] or values["extend_tokenizer"])
    rate = _WHOLE_RATE if values["full"] else _ADAPTER_RATE if adapts else _ROWS_RATE
    return {
        "rank": _RANK if adapts else None, "alpha": 2.0 * _RANK, "dropout": 0.05, "learning_rate": rate,
        "text_weight": 0.1, "save_every": 250 if values["full"] else 25,
    }  # fmt: skip


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.train",
        description="Fine-tune a model on recordings with their transcripts; writes a voice or a model for the worker. "
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
    group.add_argument(
        "--model", type=_base, metavar=f"{{{','.join(TRAINABLE)}}}", required=True, help="the model to fine-tune"
    )
    group.add_argument(
        "--language", type=language_code, metavar="CODE", help="of rows without a language; multilingual needs one"
    )
    group.add_argument(
        "--max-clip-s",
        type=number(1, _LONGEST_CLIP_S),
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
    group.add_argument(
        "--output-voice-id",
        type=_voice_id,
        required=True,
        metavar="ID",
        help="the id of the voice, and the name of the model if one is made",
    )
    group.add_argument("--run-dir", type=Path, metavar="DIR", help="folder of the run (training/ID)")
    group.add_argument(
        "--install", action="store_true", help="also save the voice in the library, CHATTERBOX_VOICES_DIR"
    )
    group.add_argument("--replace", action="store_true", help="with --install: replace another voice of this id there")
    group.add_argument(
        "--consent", type=command_text.argument, metavar="NOTE", help="how the speaker agreed; stored in the file"
    )


def _training_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--full", action="store_true", help="train all weights, not an adapter: the result is a model")
    group.add_argument(
        "--extend-tokenizer",
        action="store_true",
        help="add the tag and the characters that --language lacks, and train their rows: the result is a model",
    )
    group.add_argument(
        "--rank",
        type=whole(1, 256),
        help=f"of the adapter: its size and capacity ({_RANK}; with --extend-tokenizer no adapter)",
    )
    group.add_argument(
        "--alpha", type=number(0.01, 1024), help=f"scale of the adapter, divided by the rank ({2 * _RANK})"
    )
    group.add_argument("--dropout", type=number(0, 0.9), help="of the adapter's input during training (0.05)")
    group.add_argument(
        "--learning-rate",
        type=number(1e-7, 1),
        help=f"the highest learning rate of AdamW ({_ADAPTER_RATE:g}; --full {_WHOLE_RATE:g}; "
        f"--extend-tokenizer without an adapter {_ROWS_RATE:g})",
    )
    group.add_argument("--batch-size", type=whole(1, 256), default=4, help="clips per batch")
    group.add_argument("--accumulate", type=whole(1, 1024), default=4, help="batches per optimizer step")
    group.add_argument("--epochs", type=whole(1, 10_000), default=10, help="how often every clip is used")
    group.add_argument("--steps", type=whole(1, 10_000_000), help="optimizer steps, instead of epochs")
    group.add_argument("--text-weight", type=number(0, 10), help="of the text's loss (0.1); the speech's has 1")
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="auto: bf16 or fp16 on a GPU, fp32 on a CPU",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        help="less memory, more time; automatic on a GPU under 24 GB (--full: 33)",
    )
    group.add_argument(
        "--seed", type=whole(0, 2**32 - 1), default=0, help="of the order, the split and the adapter's initial weights"
    )
    group.add_argument(
        "--save-every",
        type=whole(1, 1_000_000),
        metavar="STEPS",
        help="steps between saves: the most that a kill can lose (25; --full 250)",
    )


def _evaluation_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--eval-share", type=number(0, 0.5), default=0.1, help="fraction of the clips to hold out; 0 for none"
    )
    group.add_argument(
        "--eval-every", type=whole(1, 1_000_000), metavar="STEPS", help="steps between evaluations (one epoch)"
    )
    group.add_argument(
        "--patience",
        type=whole(0, 1000),
        default=5,
        help="evaluations without improvement that end the run; 0 for never",
    )
    group.add_argument(
        "--samples", action=argparse.BooleanOptionalAction, default=True, help="generate samples at each evaluation"
    )
    group.add_argument(
        "--sample-text",
        type=command_text.argument,
        action="append",
        metavar="TEXT",
        help="the text of a sample; may be given more than once",
    )


def _check_model(values: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for a flag that the model does not have."""
    for name, (models, reason) in _ONLY.items():
        if values[name] and values["model"] not in models:
            flag = name.replace("_", "-")
            raise InvalidRequest(f"--{flag}: --model {values['model']} {reason}; choose {choices(models)}", field=name)


def _check_scope(values: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for flags of an adapter where none is trained."""
    whose = [name for name in ("rank", "alpha", "dropout") if values[name] is not None]
    if whose and values["full"]:
        raise InvalidRequest(f"--{whose[0]} is an adapter's; --full trains all weights without one", field=whose[0])
    if whose and values["extend_tokenizer"] and values["rank"] is None:
        raise InvalidRequest(f"--{whose[0]} is an adapter's; with --extend-tokenizer it needs --rank", field=whose[0])


def _check(options: Options) -> None:
    languages = MODELS[options.model].languages
    if options.extend_tokenizer and options.language is None:
        raise InvalidRequest("--extend-tokenizer needs --language, such as --language fa", field="language")
    if options.language is not None and options.language not in languages and not options.extend_tokenizer:
        hint = "; --extend-tokenizer adds a language" if options.model in EXTENDABLE else ""
        raise InvalidRequest(
            f"--language {options.language}: {options.model} speaks {choices(languages)}{hint}", field="language"
        )
    if options.full or options.extend_tokenizer:
        _check_model_name(options.output_voice_id)
    if options.dataset is None and (options.dataset_config or options.dataset_split != "train"):
        raise InvalidRequest("--dataset-config and --dataset-split need --dataset", field="dataset")
    if options.eval_share == 0 and options.eval_every is not None:
        raise InvalidRequest("--eval-every needs held-out clips, but --eval-share is 0", field="eval_every")
    if options.replace and not options.install:
        raise InvalidRequest("--replace is for the library's voice and needs --install", field="replace")


def _check_model_name(name: str) -> None:
    """Raise InvalidRequest for a name that CHATTERBOX_CUSTOM_MODELS does not accept."""
    try:
        parse_custom_models(f"{name}=/model:multilingual")
    except ValueError as error:
        raise InvalidRequest(f"--output-voice-id names the model too: {error}", field="output_voice_id") from error


def _base(text: str) -> str:
    if text in TRAINABLE:
        return text
    why = "" if text in MODELS else "; a model of an earlier run is none, but that run continues with more --steps"
    raise argparse.ArgumentTypeError(f"{text!r} is not a model to fine-tune: choose {choices(TRAINABLE)}{why}")


def language_code(text: str) -> str:
    """For argparse: a code of ISO 639-1, which need not be of a language that the models speak."""
    if not re.fullmatch("[a-z]{2}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a code of two letters, such as {choices(LANGUAGES)}")
    return text


def _voice_id(text: str) -> str:
    if not re.fullmatch(VOICE_ID, text) or text == "default":
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: 1 to 64 of A-Z a-z 0-9 . _ -, and not default")
    return text
