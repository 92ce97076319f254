"""The flags: docs/TRAINING.md lists exactly those of the parser."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

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
        (["--rank", "0"], "--rank: '0' is not a whole number from 1 to 256"),
        (["--rank", "8.5"], "'8.5' is not a whole number"),
        (["--learning-rate", "nan"], "'nan' is not a number from 1e-07 to 1"),
        (["--max-clip-s", "1800"], "'1800' is not a number from 1 to 40"),
        (["--model", "preview"], "invalid choice: 'preview'"),
        (["--output-voice-id", "../x"], "'../x' is not an id"),
        (["--output-voice-id", "default"], "'default' is not an id"),
        (["--dataset", "x"], "not allowed with argument --data"),
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
