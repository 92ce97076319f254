"""What a part is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Work = Callable[[], dict[str, Any]]
"""Does what the case measures, and returns its figures."""
Cases = Iterable[tuple[str, Work]]
"""By name, in the order in which they run."""


class Skipped(Exception):
    """Raised by a case that cannot run here, with the reason."""
