"""Products with a layer's weights, with the norm before and what follows them in the same kernel."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def _normalise(x, gain, shift, rows: tl.constexpr, width: tl.constexpr, kind: tl.constexpr, eps: tl.constexpr):
    """Rows (rows, width) and the factor (rows,) still to be applied to their products.

    `kind`: 0, no norm; 1, an RMS norm, whose factor 1 / rms is common to the row and can follow the product, so that
    nothing waits for the sum of squares; 2, a layer norm.
    """
    m, k = tl.arange(0, rows), tl.arange(0, width)
    v = tl.load(x + m[:, None] * width + k[None, :]).to(tl.float32)
    factor = tl.full((rows,), 1.0, tl.float32)
    if kind == 1:
        factor = 1.0 / tl.sqrt(tl.sum(v * v, 1) / width + eps)
        v = v * tl.load(gain + k).to(tl.float32)[None, :]
    if kind == 2:
        v = v - (tl.sum(v, 1) / width)[:, None]
        v = v * (1.0 / tl.sqrt(tl.sum(v * v, 1) / width + eps))[:, None]
        v = v * tl.load(gain + k).to(tl.float32)[None, :] + tl.load(shift + k).to(tl.float32)[None, :]
    return v, factor


@triton.jit
def _multiply(v, w, factor, stretches: tl.constexpr):
    """The product factor v w^T (rows, outputs) of v (rows, width), w (outputs, width) and factor (rows,).

    `stretches`: 0 multiplies in float32, so the work grows with the rows, and v is rows x width registers. Otherwise
    tensor cores multiply v, rounded to w's type, for up to 16 rows at once: each warp one of this many stretches of the
    width, whose float32 sums are added.
    """
    if stretches == 0:
        y = tl.sum(v[:, None, :] * w.to(tl.float32)[None, :, :], 2)
    else:
        length: tl.constexpr = v.shape[1] // stretches
        a = tl.permute(tl.reshape(v.to(w.dtype), (v.shape[0], stretches, length)), (1, 0, 2))
        b = tl.permute(tl.reshape(w, (w.shape[0], stretches, length)), (1, 2, 0))
        y = tl.sum(tl.dot(a, b, input_precision="ieee"), 0)
    return y * factor[:, None]


@triton.jit
def project(
    x,
    weight,
    bias,
    gain,
    shift,
    table,
    positions,
    starts,
    cache,
    query,
    rows: tl.constexpr,
    inputs: tl.constexpr,
    heads: tl.constexpr,
    half: tl.constexpr,
    block: tl.constexpr,
    table_width: tl.constexpr,
    rotates: tl.constexpr,
    kind: tl.constexpr,
    biased: tl.constexpr,
    eps: tl.constexpr,
    stretches: tl.constexpr,
    overlaps: tl.constexpr,
):
    """A norm, the product with the stacked q, k and v, RoPE, and the cache: `store_rotated` of norm(x) W^T + b.

    Grid (3 heads, half / block): a program computes `block` pairs (a, b) of one head's q, k or v. Bound: reading W, and
    x once a program: with 16 rows as much from the second cache as W from memory.
    """
    part, head = tl.program_id(0) // heads, tl.program_id(0) % heads
    k, m = tl.arange(0, inputs), tl.arange(0, rows)
    d = tl.program_id(1) * block + tl.arange(0, block)
    n = tl.program_id(0) * 2 * half + d
    first = tl.load(weight + n[:, None] * inputs + k[None, :])
    second = tl.load(weight + (half + n)[:, None] * inputs + k[None, :])
    if overlaps:
        gdc_launch_dependents()
        gdc_wait()
    v, factor = _normalise(x, gain, shift, rows, inputs, kind, eps)
    a, b = _multiply(v, first, factor, stretches), _multiply(v, second, factor, stretches)
    if biased:
        a += tl.load(bias + n).to(tl.float32)[None, :]
        b += tl.load(bias + half + n).to(tl.float32)[None, :]
    position = tl.load(positions + m)
    if rotates:
        cos = tl.load(table + position[:, None] * table_width + d[None, :]).to(tl.float32)
        sin = tl.load(table + position[:, None] * table_width + half + d[None, :]).to(tl.float32)
        if part < 2:
            a, b = a * cos - b * sin, b * cos + a * sin
    if part == 0:
        at = query + (m[:, None] * heads + head) * 2 * half + d[None, :]
    else:
        start = tl.load(starts + m * 2 * heads + (part - 1) * heads + head)
        at = cache + (start + position)[:, None] * 2 * half + d[None, :]
    tl.store(at, a)
    tl.store(at + half, b)


@triton.jit
def multiply(
    x,
    weight,
    bias,
    gain,
    shift,
    residual,
    out,
    rows: tl.constexpr,
    inputs: tl.constexpr,
    outputs: tl.constexpr,
    block: tl.constexpr,
    kind: tl.constexpr,
    gelu: tl.constexpr,
    biased: tl.constexpr,
    adds: tl.constexpr,
    eps: tl.constexpr,
    stretches: tl.constexpr,
    overlaps: tl.constexpr,
):
    """Residual plus f(norm(x) W^T + b), each part if it is wanted. f is GELU by tanh (arXiv:1606.08415).

    y (1 + tanh z) / 2 = y / (1 + e^-2z) with z = sqrt(2 / pi) (y + 0.044715 y^3). Grid (outputs / block,). Bound:
    reading W, and x as in `project`.
    """
    n = tl.program_id(0) * block + tl.arange(0, block)
    k, m = tl.arange(0, inputs), tl.arange(0, rows)
    w = tl.load(weight + n[:, None] * inputs + k[None, :])
    if overlaps:
        gdc_launch_dependents()
        gdc_wait()
    v, factor = _normalise(x, gain, shift, rows, inputs, kind, eps)
    y = _multiply(v, w, factor, stretches)
    if biased:
        y += tl.load(bias + n).to(tl.float32)[None, :]
    if gelu:
        y = y / (1.0 + tl.exp(-1.5957691216057308 * (y + 0.044715 * y * y * y)))
    at = m[:, None] * outputs + n[None, :]
    if adds:
        y += tl.load(residual + at).to(tl.float32)
    tl.store(out + at, y)


@triton.jit
def multiply_gated(
    x,
    weight,
    gain,
    out,
    rows: tl.constexpr,
    inputs: tl.constexpr,
    outputs: tl.constexpr,
    block: tl.constexpr,
    eps: tl.constexpr,
    stretches: tl.constexpr,
    overlaps: tl.constexpr,
):
    """`swiglu` of an RMS norm's product with W (2 outputs, inputs), the gate first. Grid (outputs / block,).

    Bound: reading W, and x as in `project`.
    """
    n = tl.program_id(0) * block + tl.arange(0, block)
    k, m = tl.arange(0, inputs), tl.arange(0, rows)
    first = tl.load(weight + n[:, None] * inputs + k[None, :])
    second = tl.load(weight + (outputs + n)[:, None] * inputs + k[None, :])
    if overlaps:
        gdc_launch_dependents()
        gdc_wait()
    v, factor = _normalise(x, gain, gain, rows, inputs, 1, eps)
    gate, up = _multiply(v, first, factor, stretches), _multiply(v, second, factor, stretches)
    tl.store(out + m[:, None] * outputs + n[None, :], gate / (1.0 + tl.exp(-gate)) * up)
