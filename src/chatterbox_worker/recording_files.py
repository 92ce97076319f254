"""The files that a person put into a folder of recordings: not hidden ones, nor the sound that training wrote there."""

from __future__ import annotations

import os
from pathlib import Path

_MARK = ".generated"
_ABOUT = "Clips or samples of a training run: a command that looks for recordings leaves this folder out.\n"


def find_files(folder: Path) -> list[Path]:
    """Every file in the folder and its subfolders, by path, except hidden ones and subfolders of `generated_folder`."""
    found: list[Path] = []
    for name, folders, names in os.walk(folder):
        here = Path(name)
        if here != folder and (here / _MARK).exists():
            folders.clear()
            continue
        folders[:] = [each for each in folders if not each.startswith(".")]
        found += [here / each for each in names if not each.startswith(".") and (here / each).is_file()]
    return sorted(found)


def generated_folder(path: Path) -> Path:
    """Create the folder for sound that is no recording, with a mark inside, which moves with it. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    (path / _MARK).write_text(_ABOUT, encoding="utf-8")
    return path
