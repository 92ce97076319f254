"""The flow's and the vocoder's chains of small operations in two kernels, in Triton's language.

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
