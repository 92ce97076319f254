"""A RunPod queue on localhost: the real worker loop behind it, RunPod's client API in front of it."""

from chatterbox_worker.localqueue.context import WorkerState
from chatterbox_worker.localqueue.fault import Fault, FaultPlan
from chatterbox_worker.localqueue.jobs import JobState, Limits, QueuedJob
from chatterbox_worker.localqueue.local_queue import LocalQueue, WorkerStartError
from chatterbox_worker.localqueue.store import JobNotFoundError

__all__ = [
    "Fault",
    "FaultPlan",
    "JobNotFoundError",
    "JobState",
    "Limits",
    "LocalQueue",
    "QueuedJob",
    "WorkerStartError",
    "WorkerState",
]
