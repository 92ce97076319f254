"""Failures on the device: what they are, how to retry, and the error for the caller."""

from __future__ import annotations

import gc
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError

log = logging.getLogger(__name__)

Item = TypeVar("Item")

CAPTURE_LOCK = threading.Lock()
"""Held while a CUDA graph is captured and while anything waits for the whole device; CUDA forbids both at once."""

_OUT_OF_MEMORY = re.compile(
    r"out of memory"  # "CUDA error: out of memory" as an AcceleratorError, "CUDA driver error: out of memory"
    r"|(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT)_\w*ALLOC(?:ATION)?_FAILED"
    r"|unable to find an engine to execute this computation"  # cuDNN, after no plan's workspace could be allocated
    r"|DefaultCPUAllocator: (?:not enough|can't allocate) memory"
)
_LIBRARY_FAILED = re.compile(r"CUDA (?:driver )?error|(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT)_\w+")


def is_out_of_memory(error: BaseException) -> bool:
    """Also if it is the cause of another failure, as when a graph's capture ends with an error of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, torch.OutOfMemoryError | MemoryError):
            return True
        if isinstance(seen, RuntimeError) and _OUT_OF_MEMORY.search(str(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_device_failure(error: BaseException) -> bool:
    """Whether the CUDA context is unusable, so that every later call fails too. Out of memory does not count.

    An error of CUDA or of one of its libraries is tried out: after a fatal one, waiting for the device fails.
    """
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    if isinstance(error, torch.AcceleratorError):
        return not _has_context() or not device_works()
    return bool(_LIBRARY_FAILED.search(str(error))) and _has_context() and not device_works()


def device_works(device: torch.device | None = None) -> bool:
    """Whether a GPU, by default this thread's, still works. Waits for all its work."""
    try:
        with CAPTURE_LOCK:
            torch.cuda.synchronize(device)
    except RuntimeError:
        return False
    return True


def answer_to(error: BaseException, activity: str) -> WorkerError:
    """The error that the caller gets; `activity` is what failed, such as "making sound"."""
    if isinstance(error, WorkerError):
        return error
    if is_device_failure(error):
        return process_failed("the GPU failed")
    if is_out_of_memory(error):
        return SynthesisFailed(f"there was not enough memory for {activity}, even for this text alone")
    return SynthesisFailed(f"the engine failed while {activity}")


def process_failed(what: str = "the engine ended") -> DeviceFailed:
    """The error after which only another process can speak."""
    return DeviceFailed(f"{what}; this worker asks to be replaced")


def free_memory() -> None:
    """Return the allocator's cached memory; never raises. Call it where no handled exception keeps its frames alive."""
    gc.collect()
    if _has_context():
        try:
            with CAPTURE_LOCK:
                torch.cuda.empty_cache()
        except RuntimeError as error:  # the caller's own work shows whether the device still works
            log.warning("the GPU's cached memory could not be returned: %s", error)


def attempt(work: Callable[[], object]) -> Exception | None:
    """Run `work` and return its failure, if it fails. If it runs out of memory, memory is freed and it runs again.

    `work` must be safe to repeat after it has raised.
    """
    failure = run(work)
    if failure is not None and is_out_of_memory(failure):
        free_memory()
        failure = run(work)
    return failure


def in_parts(work: Callable[[Sequence[Item]], None], items: Sequence[Item]) -> list[Exception | None]:
    """Run `work` on all items at once; if that fails, on ever smaller halves. Returns each item's failure or None.

    So a bad item fails alone, and an item that fits into memory alone succeeds. `work` must be safe to repeat after it
    has raised.
    """
    if not items:
        return []
    failure = attempt(lambda: work(items)) if len(items) == 1 else run(lambda: work(items))
    if failure is None or len(items) == 1 or is_device_failure(failure):
        return [failure] * len(items)
    if is_out_of_memory(failure):
        free_memory()
    half = (len(items) + 1) // 2
    return in_parts(work, items[:half]) + in_parts(work, items[half:])


def run(work: Callable[[], object]) -> Exception | None:
    """The failure of `work`, if it fails; if that is out of memory, without the frames that keep its tensors alive."""
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


def _has_context() -> bool:
    """Whether this process has used a GPU."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
