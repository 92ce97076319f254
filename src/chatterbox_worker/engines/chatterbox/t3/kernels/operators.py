"""The kernels as torch operators: known to fake tensors, and replayed by graphs as torch's own.

On a GPU they launch `sources`' kernels; on other devices they have no implementation, because the plain path is used.
Shapes: r rows of a batch, h heads of width d, a cache layer (rows, 2h, length, d) with keys before values, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel
from chatterbox_worker.engines.chatterbox.kernels.library import LIBRARY, fake

Norm = tuple[Tensor, ...]
"""The weight (width,) of an RMS norm, or weight and bias of a layer norm."""

FEW_ROWS, TILE_ROWS = (1, 2, 4), (8, 16)
"""Rows for which there are `project`, `multiply` and `multiply_gated`: in float32, and by tensor cores."""
TILE_TYPES = (torch.bfloat16, torch.float16)
"""Of weights that tensor cores multiply without rounding them."""
LENGTHS, ROWS = (64, 128, 256, 512, 1024, 2048), (*FEW_ROWS, *TILE_ROWS, 32)
"""Contexts and rows for which kernels differ."""
_FEW_KEYS, _MANY_KEYS, _MOST_SPLITS = 128, 64, 8  # keys that a program of `attend` reads at once
_PROGRAMS = 512  # of `attend`, from which more splits cost more than they hide (H100, 8 to 64 rows of 16 heads)
_ELEMENTS = 1024  # of a program of SwiGLU
_EPSILON = 1e-5  # of `blocks`' norms


def _kernel(file: str, name: str, warps: int) -> Kernel:
    return Kernel(f"chatterbox_worker.engines.chatterbox.t3.kernels.sources.{file}", name, warps=warps)


def _call(name: str, *arguments: Any) -> Tensor:
    """Run the operator; on the meta device, to compile its kernel, its implementation for a GPU."""
    operator: Callable[..., Tensor] = getattr(torch.ops.chatterbox_worker, name)
    if arguments[0].is_meta:
        operator = _FOR_GPU[name]
    return operator(*arguments)


_store, _attend, _swiglu, _add_norm, _sample = (
    _kernel("attention", "store_rotated", 1), _kernel("attention", "attend", 4), _kernel("elementwise", "swiglu", 4),
    _kernel("elementwise", "add_norm", 4), _kernel("sampling", "sample", 16),
)  # fmt: skip
_WIDE = 2048  # inputs from which a program of a product has the larger number of warps


@dataclass(frozen=True, slots=True)
class _Product:
    """A product's kernel and the outputs (of `project`, pairs of them) that a program computes."""

    kernel: Kernel
    block: int
    stretches: int = 0

    @classmethod
    def by_tiles(cls, name: str, block: int, warps: int) -> _Product:
        """By tensor cores, each warp a stretch of the inputs."""
        return cls(_kernel("products", name, warps), block, warps)


# the fastest of 4 to 16 outputs and 2 to 16 warps on an H100 with one and two rows
_FEW = {
    "project": _Product(_kernel("products", "project", 2), 4),
    "multiply_gated": _Product(_kernel("products", "multiply_gated", 4), 8),
    "multiply narrow": _Product(_kernel("products", "multiply", 4), 8),
    "multiply wide": _Product(_kernel("products", "multiply", 8), 4),
}
# not measured: compiled for sm_80 to sm_120 none spills, and the programs of `project` and `multiply` run at once
_TILES = {
    "project": _Product.by_tiles("project", 8, 4),
    "multiply_gated": _Product.by_tiles("multiply_gated", 8, 4),
    "multiply narrow": _Product.by_tiles("multiply", 8, 4),
    "multiply wide": _Product.by_tiles("multiply", 8, 16),
}


def _product(name: str, x: Tensor) -> _Product:
    return (_TILES if len(x) in TILE_ROWS else _FEW)[name]


LIBRARY.define("store_rotated(Tensor qkv, Tensor? table, Tensor positions, Tensor starts, Tensor(a!) layer) -> Tensor")
LIBRARY.define(
    "attend(Tensor query, Tensor layer, Tensor positions, Tensor starts, int length, Tensor(a!) arrivals) -> Tensor"
)
LIBRARY.define(
    "project(Tensor x, Tensor weight, Tensor? bias, Tensor gain, Tensor? shift, Tensor? table, Tensor positions, "
    "Tensor starts, Tensor(a!) layer) -> Tensor"
)
LIBRARY.define(
    "multiply(Tensor x, Tensor weight, Tensor? bias, Tensor? gain, Tensor? shift, Tensor? residual, bool gelu)"
    " -> Tensor"
)
LIBRARY.define("multiply_gated(Tensor x, Tensor weight, Tensor gain) -> Tensor")
LIBRARY.define("swiglu(Tensor gate_up) -> Tensor")
LIBRARY.define("add_norm(Tensor residual, Tensor x, Tensor shift, Tensor weight, Tensor bias) -> (Tensor, Tensor)")
LIBRARY.define(
    "sample(Tensor logits, Tensor penalties, Tensor keys, Tensor steps, Tensor divisor, Tensor is_greedy, "
    "Tensor min_p, Tensor tail, Tensor dropped, Tensor cfg_weight, bool guided, bool sorts) -> Tensor"
)


def store_rotated(qkv: Tensor, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor) -> Tensor:
    """Rotated queries (r, h, d) of qkv (r, 3, h, d) at `positions` (r,); keys and values go to the layer of the cache.

    `table` (positions, >= d) has cosines, then sines; None to rotate nothing. `starts` as from `T3.row_starts`.
    """
    return _call("store_rotated", qkv, table, positions, starts, layer)


def project(
    x: Tensor, affine: Affine, norm: Norm, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor
) -> Tensor:
    """`store_rotated` of the product of norm(x), x (r, w), with q, k and v stacked.

    r is of `FEW_ROWS`, or of `TILE_ROWS` with weights of `TILE_TYPES`.
    """
    gain, shift = _parts(norm)
    return _call("project", x, *affine, gain, shift, table, positions, starts, layer)


def multiply(
    x: Tensor, affine: Affine, *, norm: Norm | None = None, residual: Tensor | None = None, gelu: bool = False
) -> Tensor:
    """`residual` (r, outputs), if any, plus the linear layer of x or norm(x) (r, inputs), or GELU of it by tanh."""
    gain, shift = (None, None) if norm is None else _parts(norm)
    return _call("multiply", x, *affine, gain, shift, residual, gelu)


def multiply_gated(x: Tensor, affine: Affine, gain: Tensor) -> Tensor:
    """`swiglu` of the product of an RMS norm of x (r, w) with gate and up stacked: (r, outputs)."""
    return _call("multiply_gated", x, affine.weight, gain)


def _parts(norm: Norm) -> tuple[Tensor, Tensor | None]:
    return norm[0], norm[1] if len(norm) > 1 else None


def attend(query: Tensor, layer: Tensor, positions: Tensor, starts: Tensor, length: int, arrivals: Tensor) -> Tensor:
    """Attention (r, h, d) of queries (r, h, d) to positions 0 to `positions` (r,) of their rows, all below `length`.

    `arrivals`: at least r * h int32 zeros, which are zeros again afterwards.
    """
    return _call("attend", query, layer, positions, starts, length, arrivals)


def swiglu(gate_up: Tensor) -> Tensor:
    """(r, 2w), the gate first, to (r, w)."""
    return _call("swiglu", gate_up)


def add_norm(residual: Tensor, x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of residual, x (r, w) and shift (w,), and its layer norm."""
    total, normed = _call("add_norm", residual, x, shift, weight, bias)
    return total, normed


def sample(
    logits: Tensor, penalties: Tensor, keys: Tensor, steps: Tensor, columns: Any, *, guided: bool, sorts: bool
) -> Tensor:
    """The next tokens (n,) of n slots, by logits (n or 2n, V), penalties (n, V), keys (n, steps) and `SamplingRows`."""
    return _call(
        "sample",
        logits, penalties, keys, steps, columns.divisor, columns.is_greedy, columns.min_p, columns.tail,
        columns.dropped, columns.cfg_weight, guided, sorts,
    )  # fmt: skip


@torch.library.impl(LIBRARY, "store_rotated", "CUDA")
def _store_rotated(qkv: Tensor, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor) -> Tensor:
    rows, _, heads, dim = qkv.shape
    query = qkv.new_empty(rows, heads, dim)
    _store(
        (rows, heads, 1), qkv, qkv if table is None else table, positions, starts, layer, query,
        heads=heads, half=dim // 2, table_width=0 if table is None else table.stride(0), rotates=table is not None,
    )  # fmt: skip
    return query


@torch.library.impl(LIBRARY, "attend", "CUDA")
def _attend_keys(
    query: Tensor, layer: Tensor, positions: Tensor, starts: Tensor, length: int, arrivals: Tensor
) -> Tensor:
    rows, heads, dim = query.shape
    block = _FEW_KEYS if rows in FEW_ROWS else _MANY_KEYS
    splits = _splits(rows * heads, -(-length // block))
    out = torch.empty_like(query)
    partial = query.new_empty(rows, heads, splits, dim + 2, dtype=torch.float32)
    _attend(
        (rows, heads, splits), query, layer, positions, starts, out, partial, arrivals,
        heads=heads, dim=dim, splits=splits, block=block,
    )  # fmt: skip
    return out


@torch.library.impl(LIBRARY, "project", "CUDA")
def _project_rows(
    x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor, shift: Tensor | None, table: Tensor | None,
    positions: Tensor, starts: Tensor, layer: Tensor,
) -> Tensor:  # fmt: skip
    rows, inputs = x.shape
    heads, dim = layer.shape[1] // 2, layer.shape[3]
    product, query = _product("project", x), x.new_empty(rows, heads, dim)
    block = min(product.block, dim // 2)
    product.kernel(
        (3 * heads, dim // 2 // block, 1), x, weight, _or(bias, x), gain, _or(shift, gain), _or(table, x), positions,
        starts, layer, query,
        rows=rows, inputs=inputs, heads=heads, half=dim // 2, block=block,
        table_width=0 if table is None else table.stride(0), rotates=table is not None, kind=_kind(gain, shift),
        biased=bias is not None, eps=_EPSILON, stretches=product.stretches,
    )  # fmt: skip
    return query


@torch.library.impl(LIBRARY, "multiply", "CUDA")
def _multiply_rows(
    x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, shift: Tensor | None, residual: Tensor | None,
    gelu: bool,
) -> Tensor:  # fmt: skip
    rows, (outputs, inputs) = x.shape[0], weight.shape
    product, out = _product("multiply narrow" if inputs < _WIDE else "multiply wide", x), x.new_empty(rows, outputs)
    product.kernel(
        (outputs // product.block, 1, 1), x, weight, _or(bias, x), _or(gain, x), _or(shift, x), _or(residual, x), out,
        rows=rows, inputs=inputs, outputs=outputs, block=product.block, kind=_kind(gain, shift), gelu=gelu,
        biased=bias is not None, adds=residual is not None, eps=_EPSILON, stretches=product.stretches,
    )  # fmt: skip
    return out


@torch.library.impl(LIBRARY, "multiply_gated", "CUDA")
def _multiply_gated_rows(x: Tensor, weight: Tensor, gain: Tensor) -> Tensor:
    rows, inputs, outputs = *x.shape, weight.shape[0] // 2
    product, out = _product("multiply_gated", x), x.new_empty(rows, outputs)
    product.kernel(
        (outputs // product.block, 1, 1), x, weight, gain, out,
        rows=rows, inputs=inputs, outputs=outputs, block=product.block, eps=_EPSILON, stretches=product.stretches,
    )  # fmt: skip
    return out


def _or(tensor: Tensor | None, other: Tensor) -> Tensor:
    """An argument for a kernel that does not read it."""
    return other if tensor is None else tensor


def _kind(gain: Tensor | None, shift: Tensor | None) -> int:
    """Of a norm, as in `sources`."""
    return 0 if gain is None else 1 if shift is None else 2


def _splits(heads: int, blocks: int) -> int:
    """Among how many programs, a power of 2, the keys of a head are divided, for this many heads and blocks of keys."""
    most = min(_MOST_SPLITS, _PROGRAMS // heads)
    return min(1 << max(0, blocks - 1).bit_length(), 1 << max(0, most.bit_length() - 1))


@torch.library.impl(LIBRARY, "swiglu", "CUDA")
def _swiglu_rows(gate_up: Tensor) -> Tensor:
    rows, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = gate_up.new_empty(rows, width)
    _swiglu((rows, -(-width // _ELEMENTS), 1), gate_up, out, width=width, block=_ELEMENTS)
    return out


@torch.library.impl(LIBRARY, "add_norm", "CUDA")
def _add_norm_rows(residual: Tensor, x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    rows, width = residual.shape
    total, out = torch.empty_like(residual), torch.empty_like(residual)
    block = 1 << (width - 1).bit_length()
    _add_norm(
        (rows, 1, 1), residual, x, weight, bias, shift, total, out, width=width, block=block, eps=_EPSILON,
    )  # fmt: skip
    return total, out


@torch.library.impl(LIBRARY, "sample", "CUDA")
def _sample_rows(
    logits: Tensor, penalties: Tensor, keys: Tensor, steps: Tensor, divisor: Tensor, is_greedy: Tensor, min_p: Tensor,
    tail: Tensor, dropped: Tensor, cfg_weight: Tensor, guided: bool, sorts: bool,
) -> Tensor:  # fmt: skip
    slots, vocabulary = penalties.shape
    tokens = torch.empty_like(steps, memory_format=torch.contiguous_format)
    _sample(
        (slots, 1, 1), logits, penalties, keys, steps, divisor, is_greedy, min_p, tail, dropped, cfg_weight, tokens,
        keys.stride(0), steps.stride(0),
        vocabulary=vocabulary, block=1 << (vocabulary - 1).bit_length(), guided=guided, sorts=sorts,
    )  # fmt: skip
    return tokens


@fake("store_rotated")
def _(qkv: Tensor, _table: Tensor | None, _positions: Tensor, _starts: Tensor, _layer: Tensor) -> Tensor:
    rows, _, heads, dim = qkv.shape
    return qkv.new_empty(rows, heads, dim)


@fake("attend")
def _(query: Tensor, _layer: Tensor, _positions: Tensor, _starts: Tensor, _length: int, _arrivals: Tensor) -> Tensor:
    return torch.empty_like(query)


@fake("project")
def _(x: Tensor, *arguments: Any) -> Tensor:
    layer = arguments[-1]
    return x.new_empty(x.shape[0], layer.shape[1] // 2, layer.shape[3])


@fake("multiply")
def _(x: Tensor, weight: Tensor, *_: Any) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0])


@fake("multiply_gated")
def _(x: Tensor, weight: Tensor, _gain: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0] // 2)


@fake("swiglu")
def _(gate_up: Tensor) -> Tensor:
    return gate_up.new_empty(gate_up.shape[0], gate_up.shape[1] // 2)


@fake("add_norm")
def _(residual: Tensor, _x: Tensor, _shift: Tensor, _weight: Tensor, _bias: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(residual), torch.empty_like(residual)


@fake("sample")
def _(_logits: Tensor, penalties: Tensor, _keys: Tensor, steps: Tensor, *_: Any) -> Tensor:
    return steps.new_empty(len(penalties))


_FOR_GPU: dict[str, Callable[..., Any]] = {
    "store_rotated": _store_rotated,
    "attend": _attend_keys,
    "project": _project_rows,
    "multiply": _multiply_rows,
    "multiply_gated": _multiply_gated_rows,
    "swiglu": _swiglu_rows,
    "add_norm": _add_norm_rows,
    "sample": _sample_rows,
}
