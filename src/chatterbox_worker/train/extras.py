"""Checks that the packages that only training needs are installed, before anything slow starts."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from chatterbox_worker.errors import NotReady

NEEDED = ("peft", "matplotlib", "tensorboard")
FOR_DATASETS = ("datasets",)


def require(packages: Sequence[str]) -> None:
    """
    Raises:
        NotReady: one is missing; the message says how to install it.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise NotReady(f"training needs {', '.join(missing)} (the extra named train): pip install {' '.join(missing)}")
