"""Which of the project's kernels run by default: those that a GPU of the same generation has measured and that won.

`python -m bench.gpu --only candidates --out DIR` measures each family against what runs without it, and prints the
lines that `PROVEN` should have for the GPU at hand. `CHATTERBOX_KERNELS=measure` does so at each start, for that start.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import torch

from chatterbox_worker.errors import NotReady

Capability = tuple[int, int]
"""A GPU's compute capability, as (9, 0) for an H100."""


class Family(StrEnum):
    """Kernels that are switched on together; the text is what they compute."""

    STEP = "T3's step, its products for 1, 2 and 4 rows"
    STEP_OF_8 = "T3's products for 8 rows"
    STEP_OF_16 = "T3's products for 16 rows"
    SOUND = "the flow's convolutions' norms and the vocoder's Snake"
    FEED_FORWARD = "the flow's feed-forward"


_NONE: frozenset[Capability] = frozenset()
PROVEN: Mapping[Family, frozenset[Capability]] = MappingProxyType(
    {
        Family.STEP: frozenset({(9, 0)}),  # an H100: a third of the time of torch's kernels
        Family.STEP_OF_8: _NONE,
        Family.STEP_OF_16: _NONE,
        Family.SOUND: frozenset({(9, 0)}),
        Family.FEED_FORWARD: _NONE,
    }
)
"""On which GPUs each family is proven."""

CAPABILITIES: tuple[Capability, ...] = ((8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))
"""Those of RunPod's GPUs, for which an image's kernels are compiled: A100; A4000 to A6000 and 3090; L4, L40 and 4090;
H100 and H200; B200; 5090 and RTX PRO 6000."""


def proven_on(capability: Capability) -> frozenset[Family]:
    """The families that run by default on a GPU of this capability."""
    return frozenset(family for family, capabilities in PROVEN.items() if capability in capabilities)


def families(setting: str, device: torch.device, profile: str) -> frozenset[Family]:
    """The families that an engine on this device runs, for a value of CHATTERBOX_KERNELS.

    `auto`: those proven there, in the profile in which they were measured ("fast"). `on`: all. `measure`: all are to be
    measured first. Else the families' names in lower case, separated by commas.

    Raises:
        NotReady: they were asked for, and Triton is not installed or the profile's weights are not what they read.
    """
    if setting == "off" or device.type != "cuda":
        return frozenset()
    has_triton = importlib.util.find_spec("triton") is not None
    if setting == "auto":
        measured = has_triton and profile == "fast"
        return proven_on(torch.cuda.get_device_capability(device)) if measured else frozenset()
    if profile in ("int8", "nf4"):
        raise NotReady(
            f"CHATTERBOX_KERNELS is {setting}, but the kernels do not read {profile} weights; set it to off or auto"
        )
    if not has_triton:
        raise NotReady(
            f"CHATTERBOX_KERNELS is {setting}, but Triton, which compiles them, is not installed; set it to off"
        )
    names = {family.name.lower() for family in Family} if setting in ("on", "measure") else set(setting.split(","))
    return frozenset(family for family in Family if family.name.lower() in names)
