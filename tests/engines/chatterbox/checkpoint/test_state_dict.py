"""A checkpoint's tensors as modules read them: by name, cast, folded and laid out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.s3gen.frames import linear

CPU = torch.device("cpu")


@pytest.mark.parametrize("is_normed", [True, False])
def test_a_convolution_is_the_same_in_every_form(is_normed: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv1d(5, 7, 3)
    conv = nn.utils.parametrizations.weight_norm(plain) if is_normed else plain
    for parameter in conv.parameters():  # the norms among them
        parameter.data *= torch.rand_like(parameter)
    state = StateDict({f"a.conv.{name}": value for name, value in conv.state_dict().items()}, CPU, torch.float32, "a.")
    x = torch.randn(1, 5, 20)
    with torch.no_grad():
        expected = conv(x)
        torch.testing.assert_close(torch.conv1d(x, *state.conv("conv")), expected)
        taps = x.unfold(2, 3, 1).permute(0, 2, 3, 1).flatten(2)
        torch.testing.assert_close(linear(taps.contiguous(), state.taps("conv")).mT, expected)
        for layout in (torch.channels_last, torch.contiguous_format):
            image = state.image("conv", layout, lambda weight: weight * 2)
            assert image.weight.is_contiguous(memory_format=layout)
            torch.testing.assert_close(torch.conv2d(x[:, :, None], image.weight / 2, image.bias)[:, :, 0], expected)


def test_what_is_missing_is_named_and_what_may_be_missing_is_none() -> None:
    tensors = {"a.q.weight": torch.ones(2, 2), "a.q.bias": torch.ones(2), "a.k.weight": torch.zeros(2, 2)}
    state = StateDict(tensors, CPU, torch.float32).scope("a")
    assert ("q.weight" in state, "v.weight" in state) == (True, False)
    assert (state.optional("q.bias") is not None, state.optional("k.bias")) == (True, None)
    assert state.stack("q", "k").weight.shape == (4, 2)
    assert state.stack("k", "k").bias is None
    both = state.stack("q", "q").bias
    assert both is not None
    assert both.tolist() == [1, 1, 1, 1]
    with pytest.raises(KeyError, match=r"a\.q\+v\.weight"):
        state.stack("q", "v")
    with pytest.raises(KeyError, match=r"a\.v\.weight"):
        state["v.weight"]


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(torch.bfloat16, torch.float32), (torch.float16, torch.float16), (torch.float32, torch.float32)],
)
def test_bfloat16_for_a_cpu_is_stored_as_float32(dtype: torch.dtype, stored: torch.dtype) -> None:
    provided: dict[str, Tensor] = {}

    def provide(name: str, build: Callable[[], Tensor]) -> Tensor:
        return provided.setdefault(name, build())

    tensors = {"w": torch.rand(2, 2, dtype=torch.float64)}
    assert StateDict(tensors, CPU, dtype, provide=provide)["w"].dtype is dtype
    assert {name: tensor.dtype for name, tensor in provided.items()} == {f"w {stored}": stored}
    assert StateDict(tensors, torch.device("meta"), dtype).stored is dtype
