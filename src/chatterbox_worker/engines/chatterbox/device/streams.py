"""The CUDA streams of this process: one per device, purpose and owner, each created once and kept.

torch has 32 streams per priority and hands them out in turn. A stream that is created for every object is therefore
soon another owner's too, and work of another thread on a stream that is being captured ends up in the graph. So every
stream has a name here, and graphs are captured on streams that nothing else uses.

Tokens have priority over sound and sound over the encoding of voices: a step of T3 is short and waited for by all
takes, a voice is one take's. A graph's kernels have the priority of the stream that they were captured on, so there is
a capture stream for each priority that has graphs.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Literal

import torch

Purpose = Literal["tokens", "sound", "watermark", "voices", "adapters"]
_RANKS: dict[Purpose, int] = {"tokens": 2, "sound": 1, "watermark": 1, "voices": 0, "adapters": 0}
"""The higher, the more urgent."""

_streams: dict[tuple[torch.device, str, str], torch.cuda.Stream] = {}
_lock = threading.Lock()


def stream_of(device: torch.device, purpose: Purpose, owner: str = "", *, captures: bool = False) -> torch.cuda.Stream:
    """The stream of a CUDA device for a purpose; engines are different owners. `captures`: the one to capture on."""
    key = (device, f"{purpose} captured" if captures else purpose, owner)
    with _lock:
        if key not in _streams:
            priority = _priority(_RANKS[purpose])
            _streams[key] = torch.cuda.Stream(device, priority=priority)  # type: ignore[no-untyped-call]
        return _streams[key]


def work_on_stream(
    device: torch.device, purpose: Purpose, owner: str = ""
) -> contextlib.AbstractContextManager[object]:
    """In the block, this thread's work goes to the stream, after all that is on the default stream now: the weights.

    On a CPU nothing happens.
    """
    if device.type != "cuda":
        return contextlib.nullcontext()
    stream = stream_of(device, purpose, owner)
    stream.wait_stream(torch.cuda.default_stream(device))
    return torch.cuda.stream(stream)


def finish_stream(device: torch.device) -> None:
    """Wait until all work on this thread's stream is done: before its memory is freed or used on another stream."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()


def _priority(rank: int) -> int:
    """CUDA's priority, 0 for the lowest and below 0 for higher ones, on a device that may have only two of them."""
    _, highest = torch.cuda.Stream.priority_range()  # type: ignore[call-arg]
    return min(0, max(highest, -_RANKS["tokens"]) + _RANKS["tokens"] - rank)
