"""The checkpoint of a model by its name, as the settings say where weights are. Imports no torch."""

from __future__ import annotations

from collections.abc import Container

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find


def is_chatterbox(name: str) -> bool:
    """Whether this engine speaks the model or pack."""
    return name in LAYOUTS


def checkpoint_of(
    name: str, settings: Settings, *, offline: bool | None = None, only: Container[str] | None = None
) -> Checkpoint:
    """The files of a model or pack, downloaded if necessary.

    `offline`: without downloads; None for what the hub's own setting HF_HUB_OFFLINE says. `only`: see `find`.

    Raises:
        NotReady: as `find`.
    """
    if offline is None:
        from huggingface_hub import constants  # noqa: PLC0415 - 0.1 s that a search on the disk does not need

        offline = constants.HF_HUB_OFFLINE
    return find(LAYOUTS[name], weights_dir=settings.weights_dir, offline=offline, only=only)
