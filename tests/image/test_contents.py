"""What the code in the image reaches for must be in the image."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions

from support.image_recipe import PINS
from support.paths import ROOT

SOURCES = [ROOT / "handler.py", *sorted((ROOT / "src").rglob("*.py"))]
# Imported where they are installed and done without elsewhere: the preview's voice, two languages' helpers, pictures.
OPTIONAL = {"dicta_onnx", "espeakng_loader", "matplotlib", "russian_text_stresser"}


def imported() -> dict[str, str]:
    """Top-level packages that are not the library's or ours, each with a file that wants it."""
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


def test_every_package_the_code_imports_is_in_the_images_lock() -> None:
    distributions = packages_distributions()
    missing = {
        name: path
        for name, path in imported().items()
        if name not in OPTIONAL | TRAINING
        and not {each.lower().replace("_", "-").replace(".", "-") for each in distributions.get(name, [name])}
        & set(PINS)
    }
    assert missing == {}, "add them to pyproject.toml and run `make lock`"


def test_nothing_asks_for_the_metadata_of_a_package_that_the_image_does_not_install() -> None:
    asking = [str(path.relative_to(ROOT)) for path in SOURCES if 'version("chatterbox-worker")' in path.read_text()]
    assert asking == [], "the image runs the package from its folder: chatterbox_worker.__version__ says the same"
