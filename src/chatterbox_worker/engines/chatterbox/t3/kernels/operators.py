"""The kernels as torch operators: known to fake tensors, and replayed by graphs as torch's own.

On a GPU they launch `sources`' kernels; on other devices they have no implementation, because the plain path is used.
Shapes: r rows of a batch, h heads of width d, a cache layer (rows, 2h, length, d) with keys before values, V tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel
from chatterbox_worker.engines.chatterbox.kernels.library import LIBRARY, fake

_KEY_BLOCK, _KEYS_A_SPLIT, _MOST_SPLITS = 64, 256, 8
_ELEMENTS = 1024  # of a program of SwiGLU
_EPSILON = 1e-5  # of `blocks`' norms


def _source(name: str) -> Any:
    from chatterbox_worker.engines.chatterbox.t3.kernels import sources  # noqa: PLC0415 - imports Triton

    return getattr(sources, name)


def _kernel(name: str, warps: int) -> Kernel:
    return Kernel(lambda: _source(name), warps=warps)


_store, _attend, _swiglu, _add_norm, _sample = (
    _kernel("store_rotated", 1), _kernel("attend", 4), _kernel("swiglu", 4), _kernel("add_norm", 4),
    _kernel("sample", 16),
)  # fmt: skip
LIBRARY.define("store_rotated(Tensor qkv, Tensor? table, Tensor positions, Tensor starts, Tensor(a!) layer) -> Tensor")
LIBRARY.define(
    "attend(Tensor query, Tensor layer, Tensor positions, Tensor starts, int length, Tensor(a!) arrivals) -> Tensor"
)
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
    return torch.ops.chatterbox_worker.store_rotated(qkv, table, positions, starts, layer)  # type: ignore[no-any-return]


def attend(query: Tensor, layer: Tensor, positions: Tensor, starts: Tensor, length: int, arrivals: Tensor) -> Tensor:
    """Attention (r, h, d) of queries (r, h, d) to positions 0 to `positions` (r,) of their rows, all below `length`.

    `arrivals`: at least r * h int32 zeros, which are zeros again afterwards.
    """
    return torch.ops.chatterbox_worker.attend(query, layer, positions, starts, length, arrivals)  # type: ignore[no-any-return]


def swiglu(gate_up: Tensor) -> Tensor:
    """(r, 2w), the gate first, to (r, w)."""
    return torch.ops.chatterbox_worker.swiglu(gate_up)  # type: ignore[no-any-return]


def add_norm(residual: Tensor, x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of residual, x (r, w) and shift (w,), and its layer norm."""
    return torch.ops.chatterbox_worker.add_norm(residual, x, shift, weight, bias)  # type: ignore[no-any-return]


def sample(
    logits: Tensor, penalties: Tensor, keys: Tensor, steps: Tensor, columns: Any, *, guided: bool, sorts: bool
) -> Tensor:
    """The next tokens (n,) of n slots, by logits (n or 2n, V), penalties (n, V), keys (n, steps) and `SamplingRows`."""
    return torch.ops.chatterbox_worker.sample(  # type: ignore[no-any-return]
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
    splits = min(_MOST_SPLITS, 1 << max(0, (length - 1) // _KEYS_A_SPLIT).bit_length())
    out = torch.empty_like(query)
    partial = query.new_empty(rows, heads, splits, dim + 2, dtype=torch.float32)
    _attend(
        (rows, heads, splits), query, layer, positions, starts, out, partial, arrivals,
        heads=heads, dim=dim, splits=splits, block=_KEY_BLOCK,
    )  # fmt: skip
    return out


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


@fake("swiglu")
def _(gate_up: Tensor) -> Tensor:
    return gate_up.new_empty(gate_up.shape[0], gate_up.shape[1] // 2)


@fake("add_norm")
def _(residual: Tensor, _x: Tensor, _shift: Tensor, _weight: Tensor, _bias: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(residual), torch.empty_like(residual)


@fake("sample")
def _(_logits: Tensor, penalties: Tensor, _keys: Tensor, steps: Tensor, *_: Any) -> Tensor:
    return steps.new_empty(len(penalties))
