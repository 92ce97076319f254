"""What stands between the products where they are torch's."""

import triton
import triton.language as tl


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
