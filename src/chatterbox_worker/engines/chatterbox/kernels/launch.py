"""Triton's kernels without its launcher, which compiles itself with a C compiler that an image does not have.

A kernel is a function in Triton's language, in `sources` of T3 or of S3Gen. It is compiled for a named GPU by
Triton and the assembler that it brings, in the process, on its first call for each combination of types and constants;
it is loaded and launched by the driver. No GPU is needed to compile, and what was compiled is kept (`compiled`).

A kernel with a constant `overlaps` is launched on GPUs of capability 9.0 and later as soon as every program of the
kernel before it has started ("programmatic dependent launch" in NVIDIA's guide): it reads its weights meanwhile, and
waits in itself before it reads what others write.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import tempfile
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.cuda._utils import _check_cuda, _cuda_load_module, _get_gpu_runtime_library

from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED, Binary
from chatterbox_worker.engines.chatterbox.kernels.proven import CAPABILITIES, Capability

_TYPES = {
    torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.int64: "*i64", torch.int32: "*i32",
    torch.bool: "*i1",
}  # fmt: skip
_WARP = 32  # threads
_HIDDEN_ARGUMENTS = 2  # that Triton 3.6 appends: addresses of a kernel's and a profiler's memory; ours need none
_MOST_SHARED_BYTES = 99 * 1024  # of a program: that of the GPUs with the least, sm_86, 89 and 120 (CUDA's guide)
_STAGES = 2  # of a loop: one block is read while another is used, in shared memory that every GPU has
_ALIGNMENT = 16  # bytes: the most that one thread reads at once
_OVERLAPS = "overlaps"  # the constant of kernels that may start before the one before them has ended
_OVERLAP_CAPABILITY = 90
_STREAM_SERIALIZATION = 6  # CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION of the driver's cuda.h


_COMPILING = threading.Lock()


class _Attribute(ctypes.Structure):
    """CUlaunchAttribute: an id and a union of 64 bytes, here an int."""

    _fields_ = (("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_int * 16))


class _Config(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = (
        *((f"{what}_{axis}", ctypes.c_uint) for what in ("grid", "block") for axis in "xyz"),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("attribute_count", ctypes.c_uint),
    )


_OVERLAPPING = _Attribute(_STREAM_SERIALIZATION, 0, (ctypes.c_int * 16)(1))


def compile_for(
    function: Any,
    types: Mapping[str, str],
    constants: Mapping[str, object],
    *,
    capability: int,
    warps: int,
    aligned: Collection[str],
) -> Binary:
    """Compile a function of `sources` for a GPU of this compute capability, as 90 for an H100.

    `types` are Triton's names of the types of the arguments that are not constants; those of `aligned` are addresses
    that 16 divides. A constant `overlaps` is set here.

    Raises:
        ValueError: it needs more shared memory than every GPU has, or memory of its own.
    """
    import triton  # noqa: PLC0415 - half a second, and only for kernels
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    overlaps = _OVERLAPS in function.arg_names and capability >= _OVERLAP_CAPABILITY
    if _OVERLAPS in function.arg_names:
        constants = {**constants, _OVERLAPS: overlaps}
    signature = dict(types) | dict.fromkeys(constants, "constexpr")
    source = ASTSource(
        function,
        {name: signature[name] for name in function.arg_names},
        constexprs=dict(constants),
        attrs={(function.arg_names.index(name),): [["tt.divisibility", _ALIGNMENT]] for name in aligned},
    )
    options = {"num_warps": warps, "num_stages": _STAGES}
    with _COMPILING, tempfile.TemporaryDirectory(prefix="chatterbox-worker-") as folder:
        triton.knobs.cache.dir = folder  # for the whole process; what is worth keeping is in `compiled`
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, _WARP), options=options)
    shared = int(compiled.metadata.shared)
    if shared > _MOST_SHARED_BYTES or compiled.metadata.global_scratch_size:
        raise ValueError(
            f"the kernel {compiled.metadata.name} needs {shared} bytes of shared memory or memory of its own"
        )
    return Binary(compiled.metadata.name, compiled.asm["cubin"], compiled.asm["ptx"], shared, warps * _WARP, overlaps)


class Kernel:
    """A function of `sources`, called with a grid, its tensors and integers in their order, and its constants.

    With tensors on the meta device it is compiled for RunPod's GPUs, and nothing runs.
    """

    def __init__(self, module: str, name: str, *, warps: int) -> None:
        """`module` is imported only to compile, because it imports Triton."""
        self._module, self._name, self._warps = module, name, warps
        self._loaded: dict[tuple[object, ...], tuple[Any, Binary]] = {}

    def __call__(self, grid: tuple[int, int, int], *arguments: Tensor | int, **constants: object) -> None:
        device = next(each.device for each in arguments if isinstance(each, Tensor))
        types, aligned = tuple(map(_type_of, arguments)), tuple(map(_is_aligned, arguments))
        key = (device.index, types, aligned, *constants.items())
        if device.type == "meta":
            for capability in CAPABILITIES if key not in self._loaded else ():
                self._loaded[key] = None, self._binary(types, aligned, constants, capability)
            return
        if key not in self._loaded:
            self._loaded[key] = self._load(types, aligned, constants, device)
        kernel, binary = self._loaded[key]
        values = [
            ctypes.c_void_p(each.data_ptr()) if isinstance(each, Tensor) else ctypes.c_int32(each) for each in arguments
        ]
        values += [ctypes.c_void_p(0) for _ in range(_HIDDEN_ARGUMENTS)]
        addresses = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        stream = torch.cuda.current_stream(device).cuda_stream
        attributes = ctypes.addressof(_OVERLAPPING) if binary.overlaps else None
        config = _Config(*grid, binary.threads, 1, 1, binary.shared_bytes, stream, attributes, int(binary.overlaps))
        driver = _get_gpu_runtime_library()
        _check_cuda(driver.cuLaunchKernelEx(ctypes.byref(config), kernel.func, addresses, None))

    def function(self) -> Any:
        """Triton's."""
        return getattr(importlib.import_module(self._module), self._name)

    def _load(
        self, types: Sequence[str], aligned: Sequence[bool], constants: Mapping[str, object], device: torch.device
    ) -> tuple[Any, Binary]:
        """The kernel, ready to be launched, and what it was compiled to."""
        binary = self._binary(types, aligned, constants, torch.cuda.get_device_capability(device))
        kernel = _cuda_load_module(binary.code, [binary.name])[binary.name]  # type: ignore[index]
        kernel.set_shared_memory_config(binary.shared_bytes)  # beyond 48 KB a driver wants to be asked
        return kernel, binary

    def _binary(
        self, types: Sequence[str], aligned: Sequence[bool], constants: Mapping[str, object], gpu: Capability
    ) -> Binary:
        capability = 10 * gpu[0] + gpu[1]
        options = (self._name, capability, self._warps, _STAGES, _ALIGNMENT, _OVERLAP_CAPABILITY)
        settings = (*options, *types, *aligned, *sorted(constants.items()))
        return COMPILED.get(
            _file_of(self._module), settings, lambda: self._compile(types, aligned, constants, capability)
        )

    def _compile(
        self, types: Sequence[str], aligned: Sequence[bool], constants: Mapping[str, object], capability: int
    ) -> Binary:
        function = self.function()
        names = [name for name in function.arg_names if name not in constants and name != _OVERLAPS]
        return compile_for(
            function,
            dict(zip(names, types, strict=True)),
            constants,
            capability=capability,
            warps=self._warps,
            aligned=[name for name, is_aligned in zip(names, aligned, strict=True) if is_aligned],
        )


@functools.cache
def _file_of(module: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ImportError(f"no module {module}")
    return Path(found.origin)


def _type_of(argument: Tensor | int) -> str:
    return _TYPES[argument.dtype] if isinstance(argument, Tensor) else "i32"


def _is_aligned(argument: Tensor | int) -> bool:
    return isinstance(argument, Tensor) and (argument.is_meta or argument.data_ptr() % _ALIGNMENT == 0)
