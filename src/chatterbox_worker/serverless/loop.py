"""Loads the models, proves that they speak, and runs RunPod's SDK until it ends.

The SDK is imported (`sdk_import`) while the models load, and the models speak while it gets ready.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from types import ModuleType
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import GpuUnusable, NotReady, WorkerError
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.fitness import SpeechProof
from chatterbox_worker.serverless.sdk_import import import_sdk
from chatterbox_worker.serverless.shutdown import Shutdown
from chatterbox_worker.serverless.stops import Stops
from chatterbox_worker.serverless.worker import Job, RunningJobs, Unready, Worker
from chatterbox_worker.wiring import build

log = logging.getLogger(__name__)


class RunPod:
    """The platform as the worker sees it, through the SDK (`worker.Platform`)."""

    def __init__(self, settings: Settings) -> None:
        self.running = RunningJobs()
        self.stops = Stops()
        self.shutdown = Shutdown(settings.concurrency, self.running.cancel_all)
        self.config: dict[str, Any] = {
            "return_aggregate_stream": True,
            "concurrency_modifier": self.shutdown.concurrency,
        }
        """The argument of `runpod.serverless.start`."""
        self.streams = settings.stream
        """Whether the handler is a generator."""
        self.outputs = Volume(settings.outputs_dir, max_age_s=settings.outputs_max_age_s)

    @property
    def takes_progress(self) -> bool:
        return not self.streams

    def report_progress(self, job: Job, update: dict[str, Any]) -> None:
        import runpod  # noqa: PLC0415  # loaded by `serve`

        runpod.serverless.progress_update(job, update)

    def was_stopped(self, job_id: str) -> bool:
        return self.stops.include(job_id)

    def device_failed(self) -> None:
        self.config["refresh_worker"] = self.streams  # a generator cannot ask for it in its answer
        self.shutdown.begin()  # take no more jobs, however long the platform needs to end this worker


def start(env: Mapping[str, str]) -> tuple[Worker | Unready, RunPod]:
    """The process's one worker, its models loaded; or one that answers every job with the reason why there is none."""
    platform = RunPod(Settings())
    try:
        settings = Settings.from_env(env)
        platform = RunPod(settings)
        return Worker(settings, build(settings), platform, platform.running), platform
    except WorkerError as error:
        log.error("start-up failed: %s", error.message)  # noqa: TRY400  # the sentence says it all
        return Unready(error), platform
    except Exception as error:  # every job is answered with the reason
        log.exception("start-up failed")
        reason = NotReady(f"{type(error).__name__} while loading; the worker's log has the details")
        return Unready(reason), platform


def serve(worker: Worker | Unready, platform: RunPod, importing: Future[ModuleType] | None = None) -> None:
    """Answer the jobs of RunPod's queue until it ends this process. `importing`: from `import_sdk`."""
    proof = SpeechProof(worker.synthesizer, worker.settings.cards) if isinstance(worker, Worker) else None
    runpod = (importing or import_sdk()).result()
    from runpod.serverless.modules import rp_scale  # noqa: PLC0415  # imported by now

    from chatterbox_worker.serverless.protocol import sdk  # noqa: PLC0415
    from chatterbox_worker.serverless.protocol.scaler import Scaler  # noqa: PLC0415

    poster = sdk.poster(platform.outputs, platform.shutdown)
    rp_scale.JobScaler = Scaler
    rp_scale.get_job = platform.shutdown.end_with(sdk.taker(poster))
    rp_scale.get_stop_signals = platform.shutdown.end_with(platform.stops.remember(rp_scale.get_stop_signals))
    # The SDK asks the function whether it is a generator.
    platform.config["handler"] = (
        poster.stream_again(worker.stream) if platform.streams else poster.answer_again(worker.__call__)
    )
    if proof is not None:
        runpod.serverless.register_fitness_check(proof.every_model_speaks)
    elif isinstance(worker, Unready) and isinstance(worker.reason, GpuUnusable):

        @runpod.serverless.register_fitness_check  # type: ignore[untyped-decorator]
        def the_gpu_is_usable(reason: GpuUnusable = worker.reason) -> None:
            raise reason  # the machine's fault: its jobs can be answered on another

    runpod.serverless.start(platform.config)
    worker.close()
