"""Puts our part of the protocol into the SDK's modules, which must be imported after the models are loaded."""

from __future__ import annotations

from typing import Any

from runpod.serverless.modules import rp_http, rp_job
from runpod.serverless.modules.worker_state import WORKER_ID, JobsProgress

from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.protocol.outbox import Outbox
from chatterbox_worker.serverless.protocol.post import Poster
from chatterbox_worker.serverless.protocol.send import Urls
from chatterbox_worker.serverless.protocol.take import Job, Taker
from chatterbox_worker.serverless.shutdown import Fetch, Shutdown


def poster(outputs: Volume, shutdown: Shutdown) -> Poster:
    """What the SDK posts with from now on."""
    urls = Urls(rp_http.JOB_DONE_URL_TEMPLATE, rp_http.JOB_STREAM_URL_TEMPLATE, WORKER_ID)
    poster = Poster(urls, Outbox(outputs, urls.endpoint), lambda: shutdown.has_begun)
    rp_job.send_result = poster.send_result
    rp_job.stream_result = poster.stream_result
    return poster


def taker(poster: Poster) -> Fetch:
    """What the SDK's scaler is to take jobs with; the first take also starts the poster's sweeps."""
    take = Taker(rp_job._job_get_url, lambda: {str(job) for job in JobsProgress()})

    async def take_jobs(session: Any, count: int = 1) -> list[Job]:
        poster.sweep_regularly(session)
        return await take(session, count)

    return take_jobs
