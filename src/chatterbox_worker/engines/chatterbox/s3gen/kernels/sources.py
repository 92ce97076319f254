"""The flow's and the vocoder's chains of operations, in Triton's language.

Each function is one kernel; its docstring states the formula, the grid and what bounds it. Arithmetic is float32,
whatever type the tensors have. Tensors are contiguous, with the shapes of `operators`.
"""

import triton
import triton.language as tl


@triton.jit
def norm_mish_add(
    x,
    gain,
    offset,
    added,
    out,
    x_frames,
    added_frames,
    each_frame: tl.constexpr,
    width: tl.constexpr,
    block: tl.constexpr,
    eps: tl.constexpr,
):
    """What follows a convolution: mish(n) + a, for the layer norm n = (x - mean) / sqrt(var + eps) gain + offset.

    mish(n) = n tanh(log(1 + e^n)) = n m / (m + 2) with m = e^n (e^n + 2) (arXiv:1908.08681). a is one vector, or with
    `each_frame` one for each frame. Grid (frames, rows); x and a may have more frames a row. Bound: reading 2 and
    writing 1 vector a frame.
    """
    frame, row = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, block)
    inside = at < width
    s = tl.load(x + (row * x_frames + frame) * width + at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(s, 0) / width
    centred = tl.where(inside, s - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / width + eps)
    factor = tl.load(gain + at, mask=inside, other=0.0).to(tl.float32)
    n = centred * scale * factor + tl.load(offset + at, mask=inside, other=0.0).to(tl.float32)
    e = tl.exp(tl.minimum(n, 20.0))  # beyond 20 the quotient is 1 in float32
    m = e * (e + 2.0)
    if each_frame:
        added += (row * added_frames + frame) * width
    a = tl.load(added + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + (row * tl.num_programs(0) + frame) * width + at, n * (m / (m + 2.0)) + a, mask=inside)


@triton.jit
def snake(
    x,
    alpha,
    mask,
    out,
    size,
    scaled: tl.constexpr,
    masked: tl.constexpr,
    block: tl.constexpr,
):
    """Snake: y + sin(y)^2 for y = alpha m x, which is alpha times Snake of m x (arXiv:2006.08195).

    x is (rows, channels, size), alpha a number a channel, m a flag a sample; without `scaled` and `masked` they
    are 1. Grid (blocks of samples, channels, rows). Bound: reading and writing one number.
    """
    channel, row = tl.program_id(1), tl.program_id(2)
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < size
    place = (row * tl.num_programs(1) + channel) * size + at
    y = tl.load(x + place, mask=inside, other=0.0)
    if masked:
        y = tl.where(tl.load(mask + row * size + at, mask=inside, other=0) != 0, y, 0.0)
    if scaled:
        y *= tl.load(alpha + channel)
    sine = tl.sin(y)
    tl.store(out + place, y + sine * sine, mask=inside)


@triton.jit
def feed_forward(
    x,
    gain,
    offset,
    wide,
    wide_bias,
    narrow,
    out,
    count,
    frames: tl.constexpr,
    width: tl.constexpr,
    inner: tl.constexpr,
    stride: tl.constexpr,
    block: tl.constexpr,
    unit: tl.constexpr,
    eps: tl.constexpr,
):
    """X + b + gelu(n W^T + a) V^T for the layer norm n of x (count, width), W (inner, width) and V (width, inner).

    Grid (blocks of `frames`,). W and V lie in rows of `stride`, and b is `unit` times V's column `inner`. gelu(z) is
    z (1 + erf(z / sqrt 2)) / 2 with erf within 1.5e-7 (Abramowitz and Stegun 7.1.26): less than half precision's last
    bit. The hidden layer stays in registers, `block` units at a time, rounded as the plain path stores it.

    Bound: 4 width inner operations a frame on tensor cores, and reading W and V (1 MB) once a program from the second
    cache. A former kernel of norm and product lost to cuBLAS: it left out 2 of the 21 times that numbers as many as x's
    are read or written, and its product was slower. This one leaves out 18, because the hidden layer, 4 times as wide,
    is not written and read before the GELU and after it. A program is half of what an H100's multiprocessor holds, so
    this needs some 100 programs: with fewer frames multiprocessors are idle, where cuBLAS divides the outputs too.
    """
    m, c, h = tl.program_id(0) * frames + tl.arange(0, frames), tl.arange(0, width), tl.arange(0, block)
    at = m[:, None] * width + c[None, :]
    inside = (m < count)[:, None]
    s = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    s = s - (tl.sum(s, 1) / width)[:, None]
    s = s * (1.0 / tl.sqrt(tl.sum(s * s, 1) / width + eps))[:, None]
    n = s * tl.load(gain + c).to(tl.float32)[None, :] + tl.load(offset + c).to(tl.float32)[None, :]
    n = n.to(wide.dtype.element_ty)
    y = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)  # again: x and n at once are too many registers
    y += unit * tl.load(narrow + c * stride + inner).to(tl.float32)[None, :]
    for start in range(0, inner, block):
        w = tl.load(wide + (start + h)[None, :] * width + c[:, None])
        z = tl.dot(n, w, input_precision="ieee") + tl.load(wide_bias + start + h).to(tl.float32)[None, :]
        a = tl.abs(z) * 0.7071067811865476
        t = 1.0 / (1.0 + 0.3275911 * a)
        p = t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
        rest = t * (0.254829592 + p) * tl.exp(-a * a)  # 1 - erf(a)
        z = 0.5 * (z + tl.abs(z) * (1.0 - rest))
        v = tl.load(narrow + c[None, :] * stride + (start + h)[:, None])
        y = tl.dot(z.to(v.dtype), v, y, input_precision="ieee")
    tl.store(out + at, y, mask=inside)
