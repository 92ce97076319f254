"""What went wrong on the device, and what that means for whoever asked."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

Item = TypeVar("Item")

ALONE = threading.Lock()
"""Held while a CUDA graph is captured and while anything waits for the whole device: CUDA forbids the one during the other."""


def is_out_of_memory(error: BaseException) -> bool:
    """Also where the call that failed was left by way of another failure, as a graph's capture is."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, torch.OutOfMemoryError | MemoryError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_device_failure(error: BaseException) -> bool:
    """Whether the CUDA context is beyond use; every later call would fail likewise. Out of memory is not that."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def answer_to(error: BaseException, doing: str) -> WorkerError:
    """What the caller is told; `doing` as in "making sound"."""
    if isinstance(error, WorkerError):
        return error
    if is_device_failure(error):
        return DeviceFailed("the GPU failed; this worker asks to be replaced")
    if is_out_of_memory(error):
        return SynthesisFailed(f"there was not enough memory for {doing}, even for this text alone")
    return SynthesisFailed(f"the engine failed while {doing}")


def free_memory() -> None:
    """Give back what the allocator keeps for later. Call it where no handled exception keeps its frames alive."""
    gc.collect()
    if torch.cuda.is_available():
        with ALONE:
            torch.cuda.empty_cache()


def attempt(work: Callable[[], object]) -> Exception | None:
    """The failure of `work`, if it fails; for want of memory only if it does so twice, the second time with all there is to have.

    `work` must not mind being repeated after it has raised.
    """
    failure = _tried(work)
    if failure is not None and is_out_of_memory(failure):
        free_memory()
        failure = _tried(work)
    return failure


def in_parts(work: Callable[[Sequence[Item]], None], items: Sequence[Item]) -> list[Exception | None]:
    """`work` on all items at once; where that fails, on ever smaller halves. Gives each item's failure or None, in order.

    So a bad item fails alone, and one that fits into memory alone is done. `work` must not mind being repeated after it
    has raised.
    """
    if not items:
        return []
    failure = attempt(lambda: work(items)) if len(items) == 1 else _tried(lambda: work(items))
    if failure is None or len(items) == 1 or is_device_failure(failure):
        return [failure] * len(items)
    if is_out_of_memory(failure):
        free_memory()
    half = (len(items) + 1) // 2
    return in_parts(work, items[:half]) + in_parts(work, items[half:])


def _tried(work: Callable[[], object]) -> Exception | None:
    """The failure; for want of memory without the frames that would keep its tensors."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - kept, and answered by whoever asked
        failure = error
    else:
        return None
    inner: BaseException | None = failure if is_out_of_memory(failure) else None
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return failure
