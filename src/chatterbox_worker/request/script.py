"""A dialogue as a script: `[alice]: Hello.`, a turn for each line that begins with a name in brackets. Pure.

A turn goes on to the next such line, over as many lines and paragraphs as it has. Brackets without a colon after them
("[laugh]", "[pause:1s]") and brackets inside a line belong to the text; a name has no brackets and no colon in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request.fields import LONGEST_SPEAKER_NAME

_HEAD = re.compile(r"[ \t]*\[([^\[\]:\n]*)\][ \t]*:")


@dataclass(frozen=True, slots=True)
class ScriptTurn:
    name: str | None
    """None for the text before the first name."""
    text: str
    line: int
    """The line where it begins, from 1."""


def parse_script(script: str) -> list[ScriptTurn]:
    """The turns, in order; none of them is empty.

    Raises:
        InvalidRequest: there is no name, an empty or a long one, or a turn without a text; names the line.
    """
    turns: list[ScriptTurn] = []
    name: str | None = None
    begins, lines = 1, list[str]()
    for number, line in enumerate(script.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        head = _HEAD.match(line)
        if head is None:
            lines.append(line)
            continue
        turns += _turn(name, lines, begins)
        name, begins, lines = _check_name(head[1], number), number, [line[head.end() :]]
    turns += _turn(name, lines, begins)
    if name is None:
        raise InvalidRequest("a script has a name at the start of a turn, as in '[alice]: Hello.'", field="text")
    return turns


def _turn(name: str | None, lines: list[str], begins: int) -> list[ScriptTurn]:
    text = "\n".join(lines).strip()
    if text:
        skipped = next(index for index, line in enumerate(lines) if line.strip()) if name is None else 0
        return [ScriptTurn(name, text, begins + skipped)]
    if name is not None:
        raise InvalidRequest(f"line {begins}: [{name}] says nothing; write ... for a pause", field="text")
    return []


def _check_name(written: str, line: int) -> str:
    name = " ".join(written.split())
    if not 0 < len(name) <= LONGEST_SPEAKER_NAME:
        raise InvalidRequest(
            f"line {line}: the name {quote(name)} must have 1 to {LONGEST_SPEAKER_NAME} characters", field="text"
        )
    return name
