"""Where tensors are in memory changes no bit: weights of a mapped file begin anywhere, as the file's header is long."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import (
    load_s3gen_state,
    load_t3_state,
    load_voice_encoder_state,
)
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.device.cpu_products import (
    Then,
    align,
    pack_weight,
    product,
    product_add,
    zeros_on_demand,
)
from chatterbox_worker.engines.chatterbox.reference.voice_encoder import VoiceEncoder
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.conditioning import ConditioningEncoder
from support.tiny_engine import CPU, found


def moved(state: Mapping[str, Tensor], offset: int) -> dict[str, Tensor]:
    """Copies whose addresses are `offset` bytes after a cache line, as safetensors maps a file: any multiple of 8."""
    copies = {}
    for name, tensor in state.items():
        memory = torch.empty(tensor.nbytes + 64, dtype=torch.uint8)
        copies[name] = memory[offset : offset + tensor.nbytes].view(tensor.dtype).view(tensor.shape).copy_(tensor)
    return copies


@pytest.mark.parametrize("offset", [8, 40])
def test_the_same_weights_elsewhere_in_memory_give_the_same_numbers(offset: int) -> None:
    nano, random = found("nano"), torch.Generator().manual_seed(0)
    sound, voice = load_s3gen_state(nano, "flow.", "mel2wav."), load_voice_encoder_state(nano)
    prefix = {name: tensor for name, tensor in load_t3_state(nano).items() if name.startswith("cond_enc.")}
    mels, speech = torch.randn(16, 80, 46, generator=random), torch.randn(2, 25_600, generator=random)
    speakers, prompt = (
        torch.randn(8, 192, generator=random),
        torch.randn(9, len(prefix["cond_enc.spkr_enc.bias"]), generator=random),
    )

    def numbers(offset: int) -> list[Tensor]:
        s3gen = S3Gen.from_state(moved(sound, offset), device=CPU)
        encoder = VoiceEncoder(StateDict(moved(voice, offset), CPU, torch.float32))
        conditioning = ConditioningEncoder(moved(prefix, offset))
        return [
            *(s3gen.vocoder.pitch(mel[None]) for mel in mels),
            *(s3gen.flow._speakers(speaker[None]) for speaker in speakers),
            encoder.windows(speech),
            conditioning(speakers.new_ones(256) / 16, prompt, None),
        ]

    with torch.inference_mode():
        assert all(map(torch.equal, numbers(0), numbers(offset)))


_ACTIVATIONS: Mapping[Then, Callable[[Tensor], Tensor]] = {
    "none": lambda y: y,
    "gelu": functional.gelu,
    "gelu_tanh": lambda y: functional.gelu(y, approximate="tanh"),
    "swish": functional.silu,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("then", _ACTIVATIONS)
def test_a_product_is_torchs_whether_its_weight_is_packed_or_not(dtype: torch.dtype, then: Then) -> None:
    random = torch.Generator().manual_seed(0)
    weight, bias, x, residual = (
        torch.randn(shape, generator=random, dtype=dtype) for shape in ((7, 5), (7,), (2, 3, 5), (2, 3, 7))
    )
    packed = pack_weight(weight)
    assert packed.is_mkldnn is (dtype is torch.float32)
    assert pack_weight(packed) is packed
    with torch.inference_mode():
        assert not pack_weight(weight).is_inference()
    expected = functional.linear(x, weight, bias)
    torch.testing.assert_close(product(x, packed, bias, then), _ACTIVATIONS[then](expected))
    torch.testing.assert_close(product_add(residual, x, packed, bias), residual + expected)
    torch.testing.assert_close(product(x, packed, None), functional.linear(x, weight))
    cube = torch.ones(2, 2, 2, dtype=dtype)
    assert torch.equal(pack_weight(cube), cube)


@pytest.mark.parametrize("shape", [(3,), (2, 5, 7), (1000, 1001)])
def test_what_is_allocated_on_demand_begins_on_a_cache_line(shape: tuple[int, ...]) -> None:
    kept = [zeros_on_demand(shape) for _ in range(20)]

    assert all(tensor.shape == shape and not tensor.any() and align(tensor) is tensor for tensor in kept)
