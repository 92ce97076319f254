"""A copy of a tensor on the host that nothing waits for until it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class HostCopy:
    _host: Tensor
    _copied: torch.cuda.Event | None
    """Recorded after the copy; None on a CPU, where the copy is made at once."""

    @classmethod
    def start(cls, tensor: Tensor) -> Self:
        """Of a tensor on any device, of any shape and type, as it is now on this thread's stream."""
        if tensor.device.type != "cuda":
            return cls(tensor.clone(), None)
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return cls(host, event)

    def read(self) -> Tensor:
        """The tensor on the host, when it has arrived."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._host
