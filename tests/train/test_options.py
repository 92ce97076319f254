"""The flags: docs/TRAINING.md lists exactly those of the parser."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.train.options import parse, parser
from support.paths import ROOT

GUIDE = (ROOT / "docs" / "TRAINING.md").read_text(encoding="utf-8")
NEEDED = ["--data", "d", "--model", "nano", "--output-voice-id", "anna"]


def _table() -> str:
    rows = ["| flag | default | |", "|---|---|---|"]
    for action in parser()._actions:
        if action.dest == "help":
            continue
        names = " / ".join(f"`{name}`" for name in action.option_strings)
        yes_or_no = isinstance(action, argparse.BooleanOptionalAction) and action.default is not None
        default = ("yes" if action.default else "no") if yes_or_no else _format_default(action)
        rows.append(f"| {names} | {default} | {(action.help or '').removesuffix(' (default: %(default)s)')} |")
    return "\n".join(rows)


def _format_default(action: argparse.Action) -> str:
    if action.required:
        return "required"
    return "" if action.default is None or action.default is False else f"`{action.default}`"


def test_the_guides_table_matches_the_parser() -> None:
    between = GUIDE.partition("<!-- flags -->\n")[2].partition("\n<!-- /flags -->")[0]
    assert between == _table(), f"write this between the markers of docs/TRAINING.md:\n{_table()}"


def test_a_run_has_a_folder_named_like_its_voice() -> None:
    assert parse(NEEDED).run_dir == Path("training/anna")
    assert parse([*NEEDED, "--run-dir", "x", "--sample-text", "A.", "--sample-text", "B."]).sample_text == ("A.", "B.")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--rank", "0"], "--rank: it must be a whole number from 1 to 256, not '0'"),
        (["--rank", "8.5"], "a whole number from 1 to 256, not '8.5'"),
        (["--learning-rate", "nan"], "it must be a number from 1e-07 to 1, not 'nan'"),
        (["--max-clip-s", "1800"], "it must be a number from 1 to 40, not '1800'"),
        (["--model", "preview"], "argument --model: 'preview' is not a model to fine-tune: choose multilingual"),
        (["--model", "farsi"], "csm; a model of an earlier run is none, but that run continues with more --steps"),
        (["--output-voice-id", "../x"], "'../x' is not an id"),
        (["--output-voice-id", "default"], "'default' is not an id"),
        (["--dataset", "x"], "not allowed with argument --data"),
        (["--language", "german"], "'german' is not a code of two letters, such as ar"),
        (["--speed", "2"], "unrecognized arguments: --speed"),
    ],
)
def test_a_bad_flag_is_named_and_ends_with_code_2(
    flags: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*NEEDED, *flags])
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


MULTILINGUAL = ["--data", "d", "--model", "multilingual", "--output-voice-id", "farsi"]
EXTENDED = ["--language", "fa", "--extend-tokenizer"]


def test_what_is_trained_decides_the_defaults() -> None:
    adapter, whole, rows = (parse([*MULTILINGUAL, *more]) for more in ([], ["--full"], EXTENDED))
    assert (adapter.rank, adapter.alpha, adapter.learning_rate, adapter.save_every) == (8, 16.0, 1e-4, 25)
    assert (whole.rank, whole.learning_rate, whole.save_every) == (None, 5e-5, 250)
    assert (rows.rank, rows.learning_rate, rows.save_every) == (None, 5e-4, 25)
    both = parse([*MULTILINGUAL, *EXTENDED, "--rank", "4"])
    assert (both.rank, both.learning_rate) == (4, 1e-4)
    assert parse([*MULTILINGUAL, *EXTENDED, "--full"]).learning_rate == 5e-5


@pytest.mark.parametrize(
    ("flags", "field", "why"),
    [
        (["--full", "--rank", "8"], "rank", "--rank is an adapter's; --full trains all weights without one"),
        (["--full", "--dropout", "0"], "dropout", "--dropout is an adapter's"),
        ([*EXTENDED, "--alpha", "8"], "alpha", "--alpha is an adapter's; with --extend-tokenizer it needs --rank"),
        (["--extend-tokenizer"], "language", "--extend-tokenizer needs --language"),
        (["--language", "fa"], "language", "speaks ar, .*; --extend-tokenizer adds a language"),
        (
            [*EXTENDED, "--model", "english"],
            "extend_tokenizer",
            "--model english names no languages; choose multilingual or multilingual-v2",
        ),
        (
            ["--full", "--model", "csm"],
            "full",
            "--model csm is trained by an adapter only; choose multilingual, .*nano",
        ),
        (
            ["--text-weight", "0.5", "--model", "csm"],
            "text_weight",
            "--model csm predicts no text; choose multilingual",
        ),
        ([*EXTENDED, "--model", "csm"], "extend_tokenizer", "--model csm names no languages"),
        (["--language", "es", "--model", "csm"], "language", "--language es: csm speaks en"),
        (["--full", "--output-voice-id", "Lucia"], "output_voice_id", "the name 'Lucia' must have"),
        (["--full", "--output-voice-id", "turbo"], "output_voice_id", "'turbo' has its own meaning already"),
    ],
)
def test_flags_that_cannot_be_combined_are_named(flags: list[str], field: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        parse([*MULTILINGUAL, *flags])
    assert caught.value.field == field
