"""The environment that RunPod starts a worker with, for a queue on this machine. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import chatterbox_worker

_PACKAGE_ROOT = Path(chatterbox_worker.__file__).resolve().parents[1]


def worker_environment(
    base: Mapping[str, str],
    extra: Mapping[str, str],
    *,
    queue_url: str,
    worker_id: str,
    worker_key: str | None,
    home: Path,
) -> dict[str, str]:
    """`base` without its own RUNPOD_ variables, then the platform's variables, then `extra`; the later ones win.

    `queue_url` is that of the endpoint: http://127.0.0.1:8000/v2/local. Without a `worker_key` the platform's variables
    are those of the Hub's test harness: no stream, no pings, and a job-take URL without a query.

    HOME is a new folder, because the SDK would take its Authorization from ~/.runpod/config.toml. Downloads stay in
    the real cache.
    """
    environment = {name: value for name, value in base.items() if not name.startswith("RUNPOD_")}
    cache = Path(base["HOME"]) / ".cache" if base.get("HOME") else home / ".cache"
    environment.setdefault("XDG_CACHE_HOME", str(cache))  # huggingface_hub and torch.hub use it
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_PACKAGE_ROOT), base.get("PYTHONPATH"))))
    host = urlsplit(queue_url).hostname
    without_proxy = ",".join(filter(None, (base.get("no_proxy") or base.get("NO_PROXY"), host)))
    environment |= {
        "no_proxy": without_proxy,  # the queue is on this machine; some libraries read one name, some the other
        "NO_PROXY": without_proxy,
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "RUNPOD_POD_ID": worker_id,
        "RUNPOD_POD_HOSTNAME": worker_id,
        "RUNPOD_LOG_LEVEL": "INFO",
        # These checks look for 8.8.8.8, free disk space and a GPU.
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
        "RUNPOD_ENDPOINT_BASE_URL": queue_url.rpartition("/")[0],
    }
    return environment | _urls(queue_url, worker_id, worker_key) | dict(extra)


def _urls(queue_url: str, worker_id: str, worker_key: str | None) -> dict[str, str]:
    """Where the worker takes jobs and posts results. The SDK fills in the ids: $ID is the worker's in a job-take and
    the job's elsewhere.
    """
    done = {"RUNPOD_WEBHOOK_POST_OUTPUT": f"{queue_url}/job-done/$RUNPOD_POD_ID/$ID?gpu=local"}
    if worker_key is None:
        return done | {"RUNPOD_WEBHOOK_GET_JOB": f"{queue_url}/job-take/{worker_id}", "RUNPOD_TEST": "true"}
    return done | {
        "RUNPOD_WEBHOOK_GET_JOB": f"{queue_url}/job-take/$ID?gpu=local",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{queue_url}/job-stream/$RUNPOD_POD_ID/$ID?gpu=local",
        "RUNPOD_WEBHOOK_PING": f"{queue_url}/ping/$RUNPOD_POD_ID?gpu=local",
        "RUNPOD_PING_INTERVAL": "1000",
        "RUNPOD_AI_API_KEY": worker_key,
    }
