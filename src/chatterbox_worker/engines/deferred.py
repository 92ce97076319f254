"""Modules that a start imports and no job uses, loaded when something first uses them. Imports no torch.

At its end `import torch` registers functions in Python that compute the shapes of tensors without values (the meta
device), for operators that have none in C++: a seventh of its time. RunPod's SDK imports what its command line needs
for SSH and for TOML files: a fifth of its time. Only speed depends on this.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_DEFERRED = ("torch._meta_registrations", "paramiko", "tomlkit")


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _DEFERRED else None
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def defer_imports() -> None:
    """Call before torch and RunPod's SDK are imported; later it has no effect."""
    sys.meta_path.insert(0, _Finder())
