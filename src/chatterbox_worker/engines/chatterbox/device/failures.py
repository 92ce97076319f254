"""Failures on the device: what they are, how to retry, and the error for the caller."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

Item = TypeVar("Item")

CAPTURE_LOCK = threading.Lock()
"""Held while a CUDA graph is captured and while anything waits for the whole device; CUDA forbids both at once."""


def is_out_of_memory(error: BaseException) -> bool:
    """Also if it is the cause of another failure, as when a graph's capture ends with an error of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, torch.OutOfMemoryError | MemoryError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_device_failure(error: BaseException) -> bool:
    """Whether the CUDA context is unusable, so that every later call fails too. Out of memory does not count."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def answer_to(error: BaseException, activity: str) -> WorkerError:
    """The error that the caller gets; `activity` is what failed, such as "making sound"."""
    if isinstance(error, WorkerError):
        return error
    if is_device_failure(error):
        return DeviceFailed("the GPU failed; this worker asks to be replaced")
    if is_out_of_memory(error):
        return SynthesisFailed(f"there was not enough memory for {activity}, even for this text alone")
    return SynthesisFailed(f"the engine failed while {activity}")


def free_memory() -> None:
    """Return the allocator's cached memory. Call it where no handled exception keeps its frames alive."""
    gc.collect()
    if torch.cuda.is_available():
        with CAPTURE_LOCK:
            torch.cuda.empty_cache()


def attempt(work: Callable[[], object]) -> Exception | None:
    """Run `work` and return its failure, if it fails. If it runs out of memory, memory is freed and it runs again.

    `work` must be safe to repeat after it has raised.
    """
    failure = _run(work)
    if failure is not None and is_out_of_memory(failure):
        free_memory()
        failure = _run(work)
    return failure


def in_parts(work: Callable[[Sequence[Item]], None], items: Sequence[Item]) -> list[Exception | None]:
    """Run `work` on all items at once; if that fails, on ever smaller halves. Returns each item's failure or None.

    So a bad item fails alone, and an item that fits into memory alone succeeds. `work` must be safe to repeat after it
    has raised.
    """
    if not items:
        return []
    failure = attempt(lambda: work(items)) if len(items) == 1 else _run(lambda: work(items))
    if failure is None or len(items) == 1 or is_device_failure(failure):
        return [failure] * len(items)
    if is_out_of_memory(failure):
        free_memory()
    half = (len(items) + 1) // 2
    return in_parts(work, items[:half]) + in_parts(work, items[half:])


def _run(work: Callable[[], object]) -> Exception | None:
    """The failure of `work`; if it is out of memory, without the frames that would keep its tensors alive."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - returned to the caller
        failure = error
    else:
        return None
    inner: BaseException | None = failure if is_out_of_memory(failure) else None
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__
    return failure
