"""The checkpoint of a model by its name, as the settings say where weights are. Imports no torch."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from chatterbox_worker.config import Settings, variable
from chatterbox_worker.engines.chatterbox.checkpoint.custom import find_custom
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.errors import NotReady


def is_chatterbox(name: str, settings: Settings) -> bool:
    """Whether this engine speaks the model or pack."""
    return name in LAYOUTS or any(model.name == name for model in settings.custom_models)


def decoded(checkpoint: Checkpoint, settings: Settings, *, offline: bool | None = None) -> Checkpoint:
    """The same with the S3Gen of the setting `decoder`, if its own takes ten steps. `offline`: see `checkpoint_of`.

    Raises:
        NotReady: that S3Gen is missing or broken.
    """
    if settings.decoder == "own" or checkpoint.layout.meanflow:
        return checkpoint
    try:
        source = checkpoint_of(settings.decoder, settings, offline=offline)
    except NotReady as error:
        raise NotReady(f"{variable('decoder')} is {settings.decoder}, but {error.message}") from error
    return replace(checkpoint, s3gen_from=source)


def checkpoint_of(
    name: str, settings: Settings, *, offline: bool | None = None, only: Container[str] | None = None
) -> Checkpoint:
    """The files of a model, a custom model or a pack, downloaded if necessary.

    `offline`: without downloads; None for what the hub's own setting HF_HUB_OFFLINE says. `only`: see `find`; of a
    custom model all files are found.

    Raises:
        NotReady: as `find`.
    """
    if offline is None:
        from huggingface_hub import constants  # noqa: PLC0415 - 0.1 s that a search on the disk does not need

        offline = constants.HF_HUB_OFFLINE
    for model in settings.custom_models:
        if model.name == name:
            return find_custom(model, weights_dir=settings.weights_dir, offline=offline)
    return find(LAYOUTS[name], weights_dir=settings.weights_dir, offline=offline, only=only)
