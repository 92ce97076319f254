"""Triton's kernels without its launcher, which compiles itself with a C compiler that an image does not have.

A kernel is a function in Triton's language, in a module `sources` of T3 or of S3Gen. It is compiled for a named GPU by
Triton and the assembler that it brings, in the process, on its first call for each combination of types and constants;
it is loaded and launched by the driver. No GPU is needed to compile.
"""

from __future__ import annotations

import ctypes
import importlib.util
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.cuda._utils import _check_cuda, _cuda_load_module, _get_gpu_runtime_library

from chatterbox_worker.errors import NotReady

_TYPES = {
    torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.int64: "*i64", torch.int32: "*i32",
    torch.bool: "*i1",
}  # fmt: skip
_WARP = 32  # threads
_HIDDEN_ARGUMENTS = 2  # that Triton 3.6 appends: addresses of a kernel's and a profiler's memory; ours need none
_MOST_SHARED_BYTES = 48 * 1024  # without asking the driver for more
_STAGES = 2  # of a loop: one block is read while another is used, in shared memory that every GPU has
_ALIGNMENT = 16  # bytes: the most that one thread reads at once


@dataclass(frozen=True, slots=True)
class Binary:
    """A compiled kernel."""

    name: str
    code: bytes
    ptx: str
    shared_bytes: int
    threads: int


def compile_for(
    function: Any,
    types: Mapping[str, str],
    constants: Mapping[str, object],
    *,
    capability: int,
    warps: int,
    aligned: Collection[str] = (),
) -> Binary:
    """Compile a function of `sources` for a GPU of this compute capability, as 90 for an H100.

    `types` are Triton's names of the types of the arguments that are not constants; those of `aligned` are addresses
    that 16 divides.

    Raises:
        ValueError: it needs more shared memory than every GPU has, or memory of its own.
    """
    import triton  # noqa: PLC0415 - half a second, and only for kernels
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    triton.knobs.cache.dir = str(Path(tempfile.gettempdir()) / "chatterbox-worker-triton")
    signature = dict(types) | dict.fromkeys(constants, "constexpr")
    source = ASTSource(
        function,
        {name: signature[name] for name in function.arg_names},
        constexprs=dict(constants),
        attrs={(function.arg_names.index(name),): [["tt.divisibility", _ALIGNMENT]] for name in aligned},
    )
    options = {"num_warps": warps, "num_stages": _STAGES}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, _WARP), options=options)
    shared = int(compiled.metadata.shared)
    if shared > _MOST_SHARED_BYTES or compiled.metadata.global_scratch_size:
        raise ValueError(
            f"the kernel {compiled.metadata.name} needs {shared} bytes of shared memory or memory of its own"
        )
    return Binary(compiled.metadata.name, compiled.asm["cubin"], compiled.asm["ptx"], shared, warps * _WARP)


def check_compiler() -> None:
    """
    Raises:
        NotReady: Triton is not installed.
    """
    if importlib.util.find_spec("triton") is None:
        raise NotReady("CHATTERBOX_KERNELS is on, but Triton, which compiles them, is not installed; set it to off")


class Kernel:
    """A function of `sources`, called with a grid, its tensors and integers in their order, and its constants."""

    def __init__(self, load: Callable[[], Any], *, warps: int) -> None:
        """`load` returns the function: importing Triton is put off until a kernel is used."""
        self._load, self._warps = load, warps
        self._loaded: dict[tuple[object, ...], tuple[Any, Binary]] = {}

    def __call__(self, grid: tuple[int, int, int], *arguments: Tensor | int, **constants: object) -> None:
        device = next(each.device for each in arguments if isinstance(each, Tensor))
        types, aligned = tuple(map(_type_of, arguments)), tuple(map(_is_aligned, arguments))
        key = (device.index, types, aligned, *constants.items())
        if key not in self._loaded:
            self._loaded[key] = self._compile(types, aligned, constants, device)
        kernel, binary = self._loaded[key]
        values = [
            ctypes.c_void_p(each.data_ptr()) if isinstance(each, Tensor) else ctypes.c_int32(each) for each in arguments
        ]
        values += [ctypes.c_void_p(0) for _ in range(_HIDDEN_ARGUMENTS)]
        addresses = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
        threads = (binary.threads, 1, 1)
        driver = _get_gpu_runtime_library()
        _check_cuda(driver.cuLaunchKernel(kernel.func, *grid, *threads, binary.shared_bytes, stream, addresses, None))

    def _compile(
        self, types: Sequence[str], aligned: Sequence[bool], constants: Mapping[str, object], device: torch.device
    ) -> tuple[Any, Binary]:
        function = self._load()
        major, minor = torch.cuda.get_device_capability(device)
        names = [name for name in function.arg_names if name not in constants]
        binary = compile_for(
            function,
            dict(zip(names, types, strict=True)),
            constants,
            capability=10 * major + minor,
            warps=self._warps,
            aligned=[name for name, is_aligned in zip(names, aligned, strict=True) if is_aligned],
        )
        return _cuda_load_module(binary.code, [binary.name])[binary.name], binary  # type: ignore[index]


def _type_of(argument: Tensor | int) -> str:
    return _TYPES[argument.dtype] if isinstance(argument, Tensor) else "i32"


def _is_aligned(argument: Tensor | int) -> bool:
    return isinstance(argument, Tensor) and argument.data_ptr() % _ALIGNMENT == 0
