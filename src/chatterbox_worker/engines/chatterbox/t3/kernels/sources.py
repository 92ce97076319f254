"""T3's step in Triton's language: most of a step on a GPU is the launching of small kernels and waiting for memory.

Each function is one kernel; its docstring states the formula, the grid and what bounds it. Arithmetic is float32,
whatever type the tensors have. Tensors are contiguous, with the shapes of `operators`.

With `overlaps` a kernel is launched while the one before it still runs (`launch`). What it reads before `gdc_wait` no
kernel of the same step writes: weights, the cache's older positions, and `positions` and `starts`, which were written
before an ordinary launch. Everything else comes after it.
"""

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


@triton.jit
def store_rotated(
    qkv,
    table,
    positions,
    starts,
    cache,
    query,
    heads: tl.constexpr,
    half: tl.constexpr,
    table_width: tl.constexpr,
    rotates: tl.constexpr,
):
    """RoPE and the cache: for head j of a row at position p, q' = q R_p to `query`, k R_p and v to the cache.

    x R_p = (a cos_p - b sin_p, b cos_p + a sin_p) for x = (a, b). Grid (rows, heads). Bound: reading 3 and writing 3
    vectors a head, a few kilobytes: a launch.
    """
    row, head = tl.program_id(0), tl.program_id(1)
    first = tl.arange(0, half)
    position = tl.load(positions + row)
    if rotates:
        cos = tl.load(table + position * table_width + first).to(tl.float32)
        sin = tl.load(table + position * table_width + half + first).to(tl.float32)
    else:
        cos = tl.full((half,), 1.0, tl.float32)
        sin = tl.full((half,), 0.0, tl.float32)
    source = qkv + (row * 3 * heads + head) * 2 * half + first
    key_at = (tl.load(starts + row * 2 * heads + head) + position) * 2 * half + first
    value_at = (tl.load(starts + row * 2 * heads + heads + head) + position) * 2 * half + first
    a, b = tl.load(source).to(tl.float32), tl.load(source + half).to(tl.float32)
    target = query + (row * heads + head) * 2 * half + first
    tl.store(target, a * cos - b * sin)
    tl.store(target + half, b * cos + a * sin)
    source += heads * 2 * half
    a, b = tl.load(source).to(tl.float32), tl.load(source + half).to(tl.float32)
    tl.store(cache + key_at, a * cos - b * sin)
    tl.store(cache + key_at + half, b * cos + a * sin)
    source += heads * 2 * half
    tl.store(cache + value_at, tl.load(source))
    tl.store(cache + value_at + half, tl.load(source + half))


@triton.jit
def attend(
    query,
    cache,
    positions,
    starts,
    out,
    partial,
    arrivals,
    heads: tl.constexpr,
    dim: tl.constexpr,
    splits: tl.constexpr,
    block: tl.constexpr,
    overlaps: tl.constexpr,
):
    """Attention of one query: softmax(q K^T / sqrt(dim)) V over keys 0 to p of the row, p its position.

    Grid (rows, heads, splits): each program reads every splits-th block of keys, with a running maximum and sum
    (arXiv:1805.02867); the last one to arrive at a head adds up the parts. The first block is read ahead, without the
    key and value at p, which the kernel before writes. Bound: reading keys and values once.
    """
    row, head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    dims, within = tl.arange(0, dim), tl.arange(0, block)
    index = row * heads + head
    newest = tl.load(positions + row)
    keys = cache + tl.load(starts + row * 2 * heads + head) * dim
    values = cache + tl.load(starts + row * 2 * heads + heads + head) * dim
    start = split * block
    at = start + within
    offsets = at[:, None] * dim + dims[None, :]
    k = tl.load(keys + offsets, mask=(at < newest)[:, None], other=0.0)
    v = tl.load(values + offsets, mask=(at < newest)[:, None], other=0.0)
    if overlaps:
        gdc_launch_dependents()
        gdc_wait()
    q = tl.load(query + index * dim + dims).to(tl.float32) * (dim**-0.5)
    is_newest = (at == newest)[:, None]
    k = tl.where(is_newest, tl.load(keys + newest * dim + dims)[None, :], k)
    v = tl.where(is_newest, tl.load(values + newest * dim + dims)[None, :], v)
    most = -float("inf")
    total = 0.0
    sums = tl.zeros((dim,), tl.float32)
    while start <= newest:  # the interpreter cannot count in a range of loaded numbers
        inside = start + within <= newest
        scores = tl.where(inside, tl.sum(k.to(tl.float32) * q[None, :], 1), -float("inf"))
        new_most = tl.maximum(most, tl.max(scores, 0))
        weights = tl.exp(scores - new_most)
        old = tl.exp(most - new_most)
        sums = sums * old + tl.sum(weights[:, None] * v.to(tl.float32), 0)
        total = total * old + tl.sum(weights, 0)
        most = new_most
        start += splits * block
        inside = start + within <= newest
        offsets = (start + within)[:, None] * dim + dims[None, :]
        k = tl.load(keys + offsets, mask=inside[:, None], other=0.0)
        v = tl.load(values + offsets, mask=inside[:, None], other=0.0)
    if splits == 1:
        tl.store(out + index * dim + dims, sums / total)
    else:
        place = partial + (index * splits + split) * (dim + 2)
        tl.store(place + dims, sums)
        tl.store(place + dim, most)
        tl.store(place + dim + 1, total)
        tl.debug_barrier()  # all threads have stored before one of them says so
        arrived = tl.atomic_add(arrivals + index, 1, sem="acq_rel")
        if arrived == splits - 1:
            _merge(partial + index * splits * (dim + 2), out + index * dim, dim, splits)
            tl.store(arrivals + index, 0)


@triton.jit
def _merge(partial, out, dim: tl.constexpr, splits: tl.constexpr):
    """Add up the parts of an attention, (splits, dim + 2): sums, maximum and divisor."""
    dims = tl.arange(0, dim)
    parts = partial + tl.arange(0, splits) * (dim + 2)
    mosts = tl.load(parts + dim, volatile=True)
    factors = tl.exp(mosts - tl.max(mosts, 0))
    divisor = tl.sum(tl.load(parts + dim + 1, volatile=True) * factors, 0)
    merged = tl.sum(tl.load(parts[:, None] + dims[None, :], volatile=True) * factors[:, None], 0)
    tl.store(out + dims, merged / divisor)


@triton.jit
def swiglu(gate_up, out, width: tl.constexpr, block: tl.constexpr):
    """SwiGLU, gate sigmoid(gate) up (arXiv:2002.05202) for (rows, 2 width), the gate first. Grid (rows, blocks).

    Bound: reading 2 and writing 1 numbers: a launch.
    """
    row = tl.program_id(0)
    at = tl.program_id(1) * block + tl.arange(0, block)
    inside = at < width
    gate = tl.load(gate_up + row * 2 * width + at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, gate / (1.0 + tl.exp(-gate)) * up, mask=inside)


@triton.jit
def add_norm(residual, x, weight, bias, shift, total, out, width: tl.constexpr, block: tl.constexpr, eps: tl.constexpr):
    """The sum s = residual + x + shift and its layer norm (s - mean) / sqrt(var + eps) weight + bias. Grid (rows,).

    The sum is rounded to the tensors' type before the norm, as if it had been stored. Bound: reading 2 and writing 2
    rows: a launch.
    """
    row = tl.program_id(0)
    at = tl.arange(0, block)
    inside = at < width
    s = tl.load(residual + row * width + at, mask=inside, other=0.0).to(tl.float32)
    s += tl.load(x + row * width + at, mask=inside, other=0.0).to(tl.float32)
    s += tl.load(shift + at, mask=inside, other=0.0).to(tl.float32)
    stored = s.to(total.dtype.element_ty)
    tl.store(total + row * width + at, stored, mask=inside)
    s = stored.to(tl.float32)
    mean = tl.sum(tl.where(inside, s, 0.0), 0) / width
    centred = tl.where(inside, s - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / width + eps)
    gain = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    offset = tl.load(bias + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, centred * scale * gain + offset, mask=inside)


@triton.jit
def _softmax(x):
    e = tl.exp(x - tl.max(x, 0))
    return e / tl.sum(e, 0)


@triton.jit
def _order(x):
    """Floats as integers in the same order."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


@triton.jit
def sample(
    logits,
    penalties,
    keys,
    steps,
    divisor,
    greedy,
    min_p,
    tail,
    dropped,
    cfg,
    tokens,
    key_stride,
    step_stride,
    vocabulary: tl.constexpr,
    block: tl.constexpr,
    guided: tl.constexpr,
    sorts: tl.constexpr,
):
    """The next token of a slot: guidance, penalty, temperature, min_p, top_k, top_p and the draw, as in `sampling`.

    Grid (slots,). top_k and top_p without a sort: their edges are found bit by bit among the logits' 2^32 values.
    Bound: 32 sums over the vocabulary in registers, tens of microseconds; one launch instead of thirty.
    """
    slot = tl.program_id(0)
    at = tl.arange(0, block)
    inside = at < vocabulary
    penalty = tl.load(penalties + slot * vocabulary + at, mask=inside, other=1.0)
    if guided:
        c = tl.load(logits + 2 * slot * vocabulary + at, mask=inside, other=0.0)
        u = tl.load(logits + (2 * slot + 1) * vocabulary + at, mask=inside, other=0.0)
        x = c + tl.load(cfg + slot) * (c - u)
        x = tl.where(x < 0, x * penalty, x / penalty)
    else:
        x = tl.load(logits + slot * vocabulary + at, mask=inside, other=0.0)
    x = tl.where(inside, x / tl.load(divisor + slot), -float("inf"))
    if guided:
        p = _softmax(x)
        x = tl.where(p < tl.load(min_p + slot) * tl.max(p, 0), -float("inf"), x)
    if sorts:
        order = _order(x)
        keep = vocabulary - tl.load(dropped + slot).to(tl.int32)
        edge = tl.full((), -2147483648, tl.int32)  # the largest value that `keep` logits reach
        for bit in range(32):
            candidate = edge + (tl.full((), -2147483648, tl.int32).to(tl.uint32, bitcast=True) >> bit).to(
                tl.int32, bitcast=True
            )
            edge = tl.where(tl.sum((order >= candidate).to(tl.int32), 0) >= keep, candidate, edge)
        x = tl.where(order < edge, -float("inf"), x)
        order = _order(x)
        p = _softmax(x)
        rest = tl.load(tail + slot)
        edge = tl.full((), -2147483648, tl.int32)  # the largest value below which there is at most the tail
        for bit in range(32):
            candidate = edge + (tl.full((), -2147483648, tl.int32).to(tl.uint32, bitcast=True) >> bit).to(
                tl.int32, bitcast=True
            )
            edge = tl.where(tl.sum(tl.where(order < candidate, p, 0.0), 0) <= rest, candidate, edge)
        below = tl.sum(tl.where(order < edge, p, 0.0), 0)
        ties = order == edge
        upto = below + tl.cumsum(tl.where(ties, p, 0.0), 0)
        last = tl.max(tl.where(ties, at, -1), 0)
        improbable = (order < edge) | (ties & (upto <= rest) & (at != last))
        x = tl.where(improbable, tl.where(rest > 0, -float("inf"), x), x)
    if not guided:
        x = tl.where(x < 0, x * penalty, x / penalty)
    h = tl.load(keys + slot * key_stride + tl.load(steps + slot * step_stride)).to(tl.uint64, bitcast=True)
    h += (at + 1).to(tl.uint64) * 0x9E3779B97F4A7C15
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9
    h = (h ^ (h >> 27)) * 0x94D049BB133111EB
    noise = -tl.log((h >> 41).to(tl.float32) * (2.0**-23) + 2.0**-24)
    noise = tl.where(tl.load(greedy + slot), 1.0, noise)
    score = tl.where(inside, _softmax(x) / noise, -1.0)
    tl.store(tokens + slot, tl.argmax(score, 0).to(tl.int64))
