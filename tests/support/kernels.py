"""The project's own kernels without a GPU: run on a CPU by Triton's interpreter, and compiled for named GPUs.

The interpreter replaces Triton's own functions when Triton is imported, so what uses it is a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from chatterbox_worker.config import environment
from chatterbox_worker.engines.chatterbox.kernels.compiled import Binary
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel, compile_for
from chatterbox_worker.engines.chatterbox.kernels.library import LIBRARY
from support.paths import ROOT

CAPABILITIES = (80, 86, 89, 90, 100, 120)


def run_interpreted(script: str) -> None:
    """Run a file of `support` by the interpreter; it prints "equal"."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/support" / script)],
        env=environment() | {"TRITON_INTERPRET": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("equal\n")


def launch_on_cpu(operators: Mapping[str, Callable[..., Any]]) -> None:
    """Let operators run on a CPU: by their functions for a GPU, whose kernels the interpreter runs."""

    def interpret(kernel: Kernel, grid: tuple[int, int, int], *arguments: object, **constants: object) -> None:
        function = kernel.function()
        overlaps = {"overlaps": False} if "overlaps" in function.arg_names else {}
        function[grid](*arguments, **constants, **overlaps)

    Kernel.__call__ = interpret  # type: ignore[assignment, method-assign]
    for name, function in operators.items():
        torch.library.impl(LIBRARY, name, "CPU")(function)


def compile_everywhere(function: Any, types: Mapping[str, str], constants: Mapping[str, object], warps: int) -> None:
    """Compile for every GPU, with aligned addresses as a launch usually finds them, and for one without."""
    pointers = [name for name, kind in types.items() if kind.startswith("*")]
    for capability, aligned in ((CAPABILITIES[0], []), *((each, pointers) for each in CAPABILITIES)):
        binary = compile_for(function, types, constants, capability=capability, warps=warps, aligned=aligned)
        assert binary.code.startswith(b"\x7fELF")
        assert _parameters(binary) == len(types) + 2  # Triton's own two, which `launch` passes as 0
        assert f".target sm_{capability}" in binary.ptx


def _parameters(binary: Binary) -> int:
    entry = binary.ptx.partition(f".entry {binary.name}(")[2].partition(")")[0]
    return entry.count(".param")
