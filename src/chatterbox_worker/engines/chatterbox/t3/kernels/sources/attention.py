"""The cache of keys and values: RoPE and writing to it, and attention, which reads it."""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


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
