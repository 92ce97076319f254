"""How many kernels a GPU runs: every operation of T3's step, the flow and the vocoder, counted without a GPU.

    python -m bench.launches                      every model, every bucket of the flow and the vocoder
    python -m bench.launches --models turbo --buckets 448

The models run on fake tensors of a GPU: shapes, types and strides of the full-size models, and no values. Each stage is
counted as it is by default and with the project's own kernels, CHATTERBOX_KERNELS=on (`step_kernels` and so on). One
kernel is counted for every ATen operation that is not a view; an operation that only consists of others counts as
those, except attention and the RMS norm, for which a GPU has one kernel. Added are copies that ATen makes within an
operation:

* of each index of an indexing operation with several, if their strides differ once they are broadcast: they are
  brought to one layout (aten/src/ATen/native/TensorAdvancedIndexing.cpp);
* of a mask of attention that is boolean: three, two scalars and a `where` (transformers/attention.cpp).

Some operations launch more than one kernel on a device (a sort, a padding), so the counts are a lower bound, good for
comparing two versions. What is counted is what a CUDA graph replays. The table is for people; the last line is JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from tools.fake_gpu import CUDA, on_cuda

_META = torch.device("meta")
_MODELS = [name for name in MODELS if name in LAYOUTS]
_CONTEXT = 512  # positions attended to; the count is the same for all
_ONE_KERNEL = {"scaled_dot_product_attention", "rms_norm"}  # CompositeImplicit, but a GPU has a kernel for each
_BOOLEAN_MASK = 3  # launches

Shapes = Mapping[str, Tensor]
"""A state dict on the meta device."""


class LaunchCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what runs within it: `operations` by name, and `hidden` copies by the operation that makes them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.hidden: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self.operations.total() + self.hidden.total()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = func.name().removeprefix("aten::"), kwargs or {}
        base = name.partition(".")[0]
        if name.startswith("prim::"):
            return func(*args, **kwargs)
        if base not in _ONE_KERNEL and func.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd):
            with self:
                return func.decompose(*args, **kwargs)
        if hidden := _hidden_copies(base, args, kwargs):
            self.hidden[base] += hidden
        if not func.is_view and base != "_unsafe_view":
            self.operations[base] += 1
        if base == "scaled_dot_product_attention":
            return _attend(*args[:3])
        return func(*args, **kwargs)


def _hidden_copies(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    if name == "scaled_dot_product_attention":
        mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
        return _BOOLEAN_MASK if mask is not None and mask.dtype == torch.bool else 0
    if name not in ("index", "index_put_", "index_put", "_index_put_impl_"):
        return 0
    given = [index for index in args[1] if index is not None]
    indices = torch.broadcast_tensors(*given)  # type: ignore[no-untyped-call]
    if len({index.stride() for index in indices}) < 2:
        return 0
    return sum(not index.is_contiguous() for index in indices)


def _attend(query: Tensor, _key: Tensor, value: Tensor) -> Tensor:
    """The result (B, H, T, D) as a GPU's kernels lay it out: (B, T, H, D) in memory."""
    batch, heads, length, _ = query.shape
    return query.new_empty(batch, length, heads, value.shape[3]).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class Count:
    """One row of the table."""

    model: str
    stage: str
    shape: str
    operations: int
    hidden: int

    @property
    def total(self) -> int:
        return self.operations + self.hidden


def count(work: Callable[[], object]) -> LaunchCounter:
    counter = LaunchCounter()
    with torch.inference_mode(), counter:
        work()
    return counter


def step_counts(name: str, state: Shapes, *, size: int = 4) -> list[Count]:
    """T3's step, by whether the logits are sorted, for one utterance and for `size`; plain, then with own kernels."""
    mode = FakeTensorMode()
    t3 = on_cuda(T3(state, precision=Precision.FAST, device=_META), mode)
    counts: list[Count] = []
    with mode:
        slots = Slots(t3, size, 2 * _CONTEXT, graphs=False)
        for stage in ("step", "step_kernels"):
            t3.kernels = frozenset(Family) if stage.endswith("kernels") else frozenset()
            for used, sorts in itertools.product((1, size), (False, True)):
                counter = count(functools.partial(slots._step_once, (used, _CONTEXT, sorts)))
                counts.append(Count(name, stage, f"{used} slots{', sorted' if sorts else ''}", *_split(counter)))
    return counts


def sound_counts(name: str, state: Shapes, buckets: Sequence[int]) -> list[Count]:
    """The flow and the vocoder of one row, by bucket; plain, then with own kernels."""
    mode = FakeTensorMode()
    s3gen = on_cuda(S3Gen.from_state(state, device=_META, profile="fast"), mode)
    counts = _count_sound(name, s3gen, buckets, mode)
    s3gen.use_kernels(frozenset(Family))
    with_kernels = _count_sound(name, s3gen, buckets, mode)
    return counts + [dataclasses.replace(each, stage=f"{each.stage}_kernels") for each in with_kernels]


def _count_sound(name: str, s3gen: S3Gen, buckets: Sequence[int], mode: FakeTensorMode) -> list[Count]:
    counts: list[Count] = []
    with mode:
        for tokens in buckets:
            works: dict[str, Callable[[], object]] = {
                "flow": functools.partial(s3gen.flow, _flow_inputs(s3gen, tokens)),
                "vocoder": functools.partial(s3gen.vocoder, *_vocoder_inputs(tokens)),
            }
            counts += [Count(name, stage, str(tokens), *_split(count(work))) for stage, work in works.items()]
    return counts


def _split(counter: LaunchCounter) -> tuple[int, int]:
    return counter.operations.total(), counter.hidden.total()


def _flow_inputs(s3gen: S3Gen, tokens: int) -> FlowInputs:
    frames, lengths = FRAMES_PER_TOKEN * tokens, torch.zeros(1, dtype=torch.int64, device=CUDA)
    return FlowInputs(
        tokens=torch.zeros(1, tokens, dtype=torch.int64, device=CUDA),
        prompt_mel=torch.zeros(1, frames, MEL_BANDS, device=CUDA),
        embedding=torch.zeros(1, s3gen.flow.embedding_width, device=CUDA),
        noise=torch.zeros(1, MEL_BANDS, frames, device=CUDA),
        token_lengths=lengths,
        frame_lengths=lengths,
    )


def _vocoder_inputs(tokens: int) -> tuple[Tensor, ...]:
    frames = FRAMES_PER_TOKEN * tokens
    return (
        torch.zeros(1, MEL_BANDS, frames, device=CUDA),
        torch.zeros(1, HARMONICS, device=CUDA),
        torch.zeros(1, HARMONICS, SAMPLES_PER_FRAME * frames, device=CUDA),
        torch.zeros(1, dtype=torch.int64, device=CUDA),
    )


def full_size(layout: Layout) -> tuple[Shapes, Shapes]:
    """The state dicts of T3 and S3Gen, from upstream's own modules."""
    from tools.upstream import FULL, build_s3gen, build_t3  # noqa: PLC0415 - seconds of imports

    with _META:
        return build_t3(layout, FULL).state_dict(), build_s3gen(FULL, meanflow=layout.meanflow).state_dict()


def summary(counts: Sequence[Count], layout: Layout) -> dict[str, int]:
    """The most kernels of each stage: of any bucket and number of slots, with the model's default sampling."""
    default = [
        each for each in counts if not each.stage.startswith("step") or each.shape.endswith("sorted") == layout.is_gpt
    ]
    stages = dict.fromkeys(each.stage for each in counts)
    return {stage: max(each.total for each in default if each.stage == stage) for stage in stages}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.launches", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=_MODELS, choices=list(LAYOUTS))
    parser.add_argument("--buckets", nargs="+", type=int, default=list(BUCKETS), help="tokens; default: all")
    options = parser.parse_args(arguments)
    print(f"{'model':14}{'stage':17}{'shape':18}{'operations':>12}{'hidden':>9}{'total':>9}")
    result = {}
    for name in options.models:
        t3, s3gen = full_size(LAYOUTS[name])
        counts = step_counts(name, t3) + sound_counts(name, s3gen, options.buckets)
        for each in counts:
            print(f"{each.model:14}{each.stage:17}{each.shape:18}{each.operations:>12}{each.hidden:>9}{each.total:>9}")
        result[name] = summary(counts, LAYOUTS[name])
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
