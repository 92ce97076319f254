"""The kernels of the flow and the vocoder against the plain path: `TRITON_INTERPRET=1 python THIS_FILE`.

Each kernel by itself, and the whole flow and vocoder of a small model with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from chatterbox_worker.engines.chatterbox.checkpoint import state_dict
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.remainder import s3gen_state
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen import estimator, vocoder
from chatterbox_worker.engines.chatterbox.s3gen.estimator import Estimator
from chatterbox_worker.engines.chatterbox.s3gen.flow import Flow, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.frames import conv_image
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import Vocoder
from support.checkpoints import checkpoint
from support.kernels import launch_on_cpu

CPU = torch.device("cpu")
TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3}  # of values around 1
ARGUMENTS = {Estimator: 4, vocoder._ResBlock: 3}  # before the switch
KERNELS: dict[Any, Any] = {Estimator: frozenset(Family), vocoder._ResBlock: True}


def check_norm_mish_add(dtype: torch.dtype, *added: int) -> None:
    x, gain, offset = ((9 * torch.randn(*size)).to(dtype) for size in ((2, 9, 80), (80,), (80,)))
    sum_with = torch.randn(*added).to(dtype)
    ours = operators.norm_mish_add(x, Affine(gain, offset), sum_with, 6)
    normed = functional.layer_norm(x.float(), (80,), gain.float(), offset.float())[:, :6]
    plain = functional.mish(normed) + (sum_with if len(added) == 1 else sum_with[:, :6]).float()
    torch.testing.assert_close(ours, plain.to(dtype), atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def check_snake(alpha: Tensor | None, mask: Tensor | None) -> None:
    x = torch.randn(2, 3, 1, 1500) * 5
    ours = operators.snake(x, alpha, mask)
    torch.testing.assert_close(ours, vocoder._snake(x.clone(), alpha, mask), atol=1e-5, rtol=1e-5)


def check_feed_forward() -> None:
    """More frames than a program has, and fewer than two have; b is the weights of a unit that is 8."""
    x, gain, offset = torch.randn(2, 35, 64), torch.rand(64) + 0.5, torch.randn(64)
    wide, wide_bias = torch.randn(136, 64) / 8, torch.randn(136)
    narrow, unit = torch.randn(64, 136) / 11, torch.zeros(8)
    wide[128:], wide_bias[128:], unit[0] = 0.0, 8.0 * torch.eye(8)[0], 8.0
    ours = operators.feed_forward(x, Affine(gain, offset), Affine(wide, wide_bias), narrow, 8.0)
    hidden = functional.gelu(functional.linear(functional.layer_norm(x, (64,), gain, offset), wide, wide_bias))
    assert torch.equal(hidden[0, 0, 128:], unit)
    torch.testing.assert_close(ours, x + hidden @ narrow.T, atol=1e-5, rtol=1e-5)


def check_flow(weights: dict[str, Tensor]) -> None:
    """In the form for a GPU: convolutions as images, biases in what is multiplied."""
    flow = Flow(StateDict(weights, CPU, torch.float32).scope("flow"), steps=1, folds_biases=True)
    lengths = torch.tensor([8, 6])
    batch = FlowInputs(
        tokens=torch.randint(0, 6561, (2, 8)), prompt_mel=torch.randn(2, 16, 80), embedding=torch.randn(2, 192),
        noise=torch.randn(2, 80, 16), token_lengths=lengths, frame_lengths=2 * lengths,
    )  # fmt: skip
    plain = flow(batch)
    ours = with_kernels(Estimator, lambda: flow(batch))
    assert not torch.equal(ours, plain)
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)


def check_vocoder(weights: dict[str, Tensor]) -> None:
    sounds = Vocoder(StateDict(weights, CPU, torch.float32).scope("mel2wav"))
    inputs = (torch.randn(2, 80, 2), torch.rand(2, 9), torch.randn(2, 9, 960), torch.tensor([2, 1]))
    plain, _ = sounds(*inputs)
    ours, _ = with_kernels(vocoder._ResBlock, lambda: sounds(*inputs))
    assert not torch.equal(ours, plain)
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=0)


def with_kernels(kind: Any, work: Callable[[], Any]) -> Any:
    """What `work` returns if all objects of a kind run kernels, which only a GPU does otherwise."""
    call = kind.__call__
    kind.__call__ = lambda *args, **_: call(*args[: ARGUMENTS[kind]], kernels=KERNELS[kind])
    try:
        return work()
    finally:
        kind.__call__ = call


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    launch_on_cpu(
        {
            "norm_mish_add": operators._activate,
            "snake": operators._bend,
            "feed_forward": operators._feed,
        }
    )
    for dtype in TOLERANCE:
        check_norm_mish_add(dtype, 80)
        check_norm_mish_add(dtype, 2, 7, 80)
    alpha, mask = torch.rand(3, 1, 1) + 0.5, torch.rand(2, 1, 1, 1500) < 0.9
    for given in ((alpha, mask), (alpha, None), (None, mask), (None, None)):
        check_snake(*given)
    check_feed_forward()
    found = find(LAYOUTS["english"], weights_dir=checkpoint("english"), offline=True)
    with (
        mock.patch.object(state_dict, "pack_weight", lambda weight: weight),
        mock.patch.object(vocoder, "_layout", return_value=torch.contiguous_format),
        mock.patch.object(estimator, "conv", conv_image),
        mock.patch.object(operators, "has_feed_forward", return_value=True),
    ):
        check_flow(s3gen_state(found, "flow."))
        check_vocoder(s3gen_state(found, "mel2wav."))
    print("equal")  # noqa: T201


if __name__ == "__main__":
    main()
