"""The next token, drawn from the logits."""

import triton
import triton.language as tl


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
        edge = tl.minimum(edge, tl.max(order, 0))  # with a top_p of 0 the tail is all: the most probable token stays
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
    token = tl.argmax(score, 0).to(tl.int64)
    tl.store(tokens + slot, tl.where(token < vocabulary, token, 0))  # of a row that is not finite it may be any
