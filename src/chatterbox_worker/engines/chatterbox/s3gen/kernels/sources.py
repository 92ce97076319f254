"""The flow's and the vocoder's chains of small operations in three kernels, in Triton's language.

Each function is one kernel; its docstring states the formula, the grid and what bounds it. Arithmetic is float32,
whatever type the tensors have. Tensors are contiguous, with the shapes of `operators`.
"""

import triton
import triton.language as tl


@triton.jit
def norm_product(
    x,
    gain,
    offset,
    weight,
    bias,
    out,
    rows,
    width: tl.constexpr,
    outputs: tl.constexpr,
    biased: tl.constexpr,
    gelu: tl.constexpr,
    eps: tl.constexpr,
    block_rows: tl.constexpr,
    block_outputs: tl.constexpr,
    block_width: tl.constexpr,
):
    """A layer norm and the product after it: f(n W^T + b) for n = (x - mean) / sqrt(var + eps) gain + offset.

    f is GELU, y (1 + erf(y / sqrt 2)) / 2 (arXiv:1606.08415), or nothing. n is rounded to the tensors' type, as if it
    had been stored. Grid (blocks of rows, blocks of outputs); every block of outputs computes its rows' n again, out of
    the cache. Bound: the tensor cores, 2 rows width outputs operations.
    """
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    output = tl.program_id(1) * block_outputs + tl.arange(0, block_outputs)
    within = tl.arange(0, block_width)
    in_rows, in_outputs = (row < rows)[:, None], (output < outputs)[None, :]
    lines, columns = x + row[:, None] * width, weight + output[None, :] * width
    total = tl.zeros((block_rows,), tl.float32)
    for start in range(0, width, block_width):
        at = start + within
        part = tl.load(lines + at[None, :], mask=in_rows & (at < width)[None, :], other=0.0).to(tl.float32)
        total += tl.sum(part, 1)
    mean = (total / width)[:, None]
    squares = tl.zeros((block_rows,), tl.float32)
    for start in range(0, width, block_width):
        at = start + within
        part = tl.load(lines + at[None, :], mask=in_rows & (at < width)[None, :], other=0.0).to(tl.float32)
        centred = tl.where((at < width)[None, :], part - mean, 0.0)
        squares += tl.sum(centred * centred, 1)
    scale = (1.0 / tl.sqrt(squares / width + eps))[:, None]
    y = tl.zeros((block_rows, block_outputs), tl.float32)
    for start in range(0, width, block_width):
        at = start + within
        inside = at < width
        part = tl.load(lines + at[None, :], mask=in_rows & inside[None, :], other=0.0).to(tl.float32)
        factor = tl.load(gain + at, mask=inside, other=0.0).to(tl.float32)[None, :]
        shift = tl.load(offset + at, mask=inside, other=0.0).to(tl.float32)[None, :]
        n = ((part - mean) * scale * factor + shift).to(x.dtype.element_ty)
        w = tl.load(columns + at[:, None], mask=in_outputs & inside[:, None], other=0.0)
        y = tl.dot(n, w, y, input_precision="ieee")
    if biased:
        y += tl.load(bias + output, mask=output < outputs, other=0.0).to(tl.float32)[None, :]
    if gelu:
        y = 0.5 * y * (1.0 + tl.erf(y * 0.7071067811865476))
    tl.store(out + row[:, None] * outputs + output[None, :], y, mask=in_rows & in_outputs)


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
