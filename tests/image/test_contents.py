"""Everything that the code in the image imports must be in the image."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import distribution, distributions, packages_distributions

from support.image_recipe import PINS
from support.paths import ROOT

SOURCES = [ROOT / "handler.py", *sorted((ROOT / "src").rglob("*.py"))]
# Optional, imported only if installed: the preview's voice, helpers for two languages, pictures, the client's segments,
# Home Assistant's protocol.
OPTIONAL = {"dicta_onnx", "espeakng_loader", "faster_whisper", "matplotlib", "pydub", "wyoming"}

INSTALLED = {re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower() for each in distributions()}


def imported() -> dict[str, str]:
    """Top-level packages that are neither the standard library's nor ours, each with a file that imports it."""
    found: dict[str, str] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names}
    return {
        name: path
        for name, path in found.items()
        if name not in sys.stdlib_module_names and name != "chatterbox_worker"
    }


TRAINING = {"datasets", "matplotlib", "peft", "tensorboard"}  # the train extra; no image trains


def test_every_imported_package_is_in_the_images_lock() -> None:
    distributions = packages_distributions()
    missing = {
        name: path
        for name, path in imported().items()
        if name not in OPTIONAL | TRAINING
        and not {each.lower().replace("_", "-").replace(".", "-") for each in distributions.get(name, [name])}
        & set(PINS)
    }
    assert missing == {}, "add them to pyproject.toml and run `make lock`"


def test_the_code_does_not_read_its_own_package_metadata() -> None:
    asking = [str(path.relative_to(ROOT)) for path in SOURCES if 'version("chatterbox-worker")' in path.read_text()]
    assert asking == [], "the image does not install the package: use chatterbox_worker.__version__"


def test_the_packages_leave_room_for_the_base_image_within_the_limit() -> None:
    """6.5 GB without weights: the packages with as much bytecode as source, and 0.5 GB for the system and Python."""
    files = [
        file
        for name in PINS
        for file in (distribution(name).files or [] if name in INSTALLED else [])
        if file.size and file.suffix != ".pyc"
    ]
    source = sum(file.size or 0 for file in files if file.suffix == ".py")
    assert 4e9 < sum(file.size or 0 for file in files) + source < 6.0e9
