"""Numbers in a range, from the text of a setting or of a command's argument.

Each function raises ValueError with what the text must be; the caller adds the name and the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal


def whole(low: int, high: int) -> Callable[[str], int]:
    """From text to a whole number; also "5.36870912e+09", as RunPod's command-line tool writes 5368709120."""

    def parse(text: str) -> int:
        is_number = re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d{1,2})?", text, re.IGNORECASE)
        value = Decimal(text) if is_number else Decimal("nan")
        if not (value.is_finite() and value == value.to_integral_value() and low <= value <= high):
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(value)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """From text to a number; `high` may be infinity."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # true of NaN
            limits = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise ValueError(f"it must be a number {limits}")
        return value

    return parse
