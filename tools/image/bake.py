"""Download the image's weights: `python3 bake.py /weights --models "multilingual turbo" --packs "es-es"`.

With `--custom "persian=owner/repo@revision:multilingual"` fine-tuned models of the hub are downloaded too.

One folder per model, as `locate.find` looks for them, with plain files: a hub cache would add its links, locks and
metadata to the layer. A file that two models share is stored once. This runs while the image is built, with only those
modules of the package that locate files and need no tensors; so nothing else of the package may be imported here.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chatterbox_worker.custom_models import CustomModel, parse_custom_models
from chatterbox_worker.engines.chatterbox.checkpoint.custom import find_custom, write_manifest
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.errors import NotReady, choices

log = logging.getLogger("bake")


def bake(folder: Path, names: Sequence[str], hub_cache: Path, custom: Sequence[CustomModel] = ()) -> None:
    """Download the models `names` at their pinned revisions, and `custom` ones, and lay them out under `folder`.

    `hub_cache` must be on `folder`'s file system, otherwise all files are copied once more.

    Raises:
        NotReady: a download failed, or a file is not what its name says.
    """
    own = {model.name: model for model in custom}
    for name in (*names, *own):
        started_s = time.monotonic()
        look = partial(find_custom, own[name]) if name in own else partial(find, LAYOUTS[name])
        checkpoint = look(hub_cache=hub_cache)
        _lay_out(checkpoint, folder, folder / name)
        if name in own:
            write_manifest(checkpoint, own[name], folder / name)
        size = sum((folder / name / file).stat().st_size for file in checkpoint.files)
        log.info(
            "%s: %s@%s, %d files, %.2f GB, %.0f s",
            name, checkpoint.layout.remote.repo, checkpoint.revision, len(checkpoint.files), size / 1e9,
            time.monotonic() - started_s,
        )  # fmt: skip


def _lay_out(checkpoint: Checkpoint, root: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, path in checkpoint.files.items():
        source, target = path.resolve(), folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_relative_to(root.resolve()) and not _is_hidden(source.relative_to(root.resolve())):
            target.symlink_to(os.path.relpath(source, target.parent.resolve()))  # moved here for an earlier model
            continue
        shutil.move(source, target)  # a rename on one file system
        source.symlink_to(target.resolve())  # keeps the cache complete for models that share the file
        target.chmod(0o644)  # readable for every user of the image


def _is_hidden(path: Path) -> bool:
    """Whether it is in the download's own folder."""
    return path.parts[0].startswith(".")


def _download_word_model() -> None:
    """Download the word model for Chinese to $PKUSEG_HOME. It is optional for the worker, and so for the build."""
    from spacy_pkuseg import pkuseg  # noqa: PLC0415

    try:
        pkuseg()
    except (OSError, EOFError, ValueError, RuntimeError) as error:  # OSError includes requests' errors
        log.warning("the image has no Chinese word model: %s", str(error).partition("\n")[0])


def _custom(text: str) -> tuple[CustomModel, ...]:
    try:
        models = parse_custom_models(text)
    except ValueError as error:
        sys.exit(f"--custom: {error}")
    if local := next((model for model in models if not model.is_on_hub), None):
        sys.exit(f"--custom: {local.place} of {local.name} is not on the hub; put it on the network volume instead")
    return models


def main(arguments: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every request
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default="", help="separated by spaces or commas")
    parser.add_argument("--packs", default="", help="separated by spaces or commas")
    parser.add_argument("--custom", default="", help="as CHATTERBOX_CUSTOM_MODELS, of the hub")
    chosen = parser.parse_args(arguments)
    custom = _custom(chosen.custom)
    named = dict.fromkeys(f"{chosen.models},{chosen.packs}".replace(",", " ").split())
    names = [name for name in named if name not in {model.name for model in custom}]
    if unknown := [name for name in names if name not in LAYOUTS]:
        sys.exit(f"{unknown[0]!r} has no weights; known are {choices(LAYOUTS)}")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hub.", dir=chosen.folder) as hub_cache:
        try:
            bake(chosen.folder, names, Path(hub_cache), custom)
        except NotReady as error:
            sys.exit(error.message)
    if any("Cangjie5_TC.json" in LAYOUTS[name].files for name in (*names, *(model.family for model in custom))):
        _download_word_model()


if __name__ == "__main__":
    main()
