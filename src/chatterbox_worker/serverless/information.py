"""The answer to `{"action": "info"}`: versions, models, limits, memory and counts."""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from chatterbox_worker import __version__
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import decoder_of, small_weights_of
from chatterbox_worker.errors import VolumeFailed
from chatterbox_worker.memory import rss_bytes
from chatterbox_worker.mounts import LOOK_UP_S
from chatterbox_worker.synthesis.synthesizer import Synthesizer

log = logging.getLogger(__name__)

_DRIVER_S = 5.0
_MIB = 2**20
_PACKAGES = ("chatterbox-tts", "runpod", "torch")


@dataclass(slots=True)
class JobCounts:
    """Counts of one worker process."""

    started_s: float = field(default_factory=time.monotonic)
    jobs_done: int = 0
    jobs_failed: int = 0


def info(settings: Settings, synthesizer: Synthesizer, counts: JobCounts) -> dict[str, Any]:
    engines = synthesizer.engines.items()
    return {
        "versions": {
            "chatterbox-worker": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "models": {
            name: {
                "revision": engine.revision,
                "device": engine.device,
                "device_name": engine.device_name,
                "sample_rate": engine.sample_rate,
                **({"decoder": decoder} if (decoder := decoder_of(engine)) else {}),
                **({"weights": dict(weights)} if (weights := small_weights_of(engine)) else {}),
                **({"languages": list(settings.cards[name].languages), "sampling": dict(settings.cards[name].sampling)}
                   if name in settings.cards else {}),
            }
            for name, engine in engines
        },
        "default_model": settings.models[0],
        "languages": dict(settings.languages),
        "formats": {name: list(audio_format.sample_rates) for name, audio_format in FORMATS.items()},
        "voices": _voices(synthesizer),
        "cache": synthesizer.cache.figures(),
        "limits": {
            "text_chars": settings.max_text_chars,
            "payload_bytes": settings.payload_limit_bytes,
            "runsync_bytes": settings.runsync_limit_bytes,
        },
        "memory": {"rss_bytes": rss_bytes(), "gpus": _gpus()},
        "streams": settings.stream,
        "uptime_s": round(time.monotonic() - counts.started_s, 1),
        "jobs_done": counts.jobs_done,
        "jobs_failed": counts.jobs_failed,
    }  # fmt: skip


def _voices(synthesizer: Synthesizer) -> list[str] | None:
    """None if the volume cannot be read."""
    try:
        return ["default", *(entry.id for entry in synthesizer.library.list(within_s=LOOK_UP_S))]
    except VolumeFailed as error:
        log.warning("the voices are not known: %s", error.message)
        return None


def _gpus() -> list[dict[str, Any]]:
    """Name and memory of each GPU as the driver reports it: the engines' library is not imported here."""
    if (command := shutil.which("nvidia-smi")) is None:
        return []
    query = [command, "--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=_DRIVER_S, check=True).stdout  # noqa: S603
        rows = [line.rsplit(",", 2) for line in output.splitlines()]
        return [{"name": name.strip(), "used_bytes": int(used) * _MIB, "total_bytes": int(total) * _MIB}
                for name, used, total in rows]  # fmt: skip
    except (OSError, subprocess.SubprocessError, ValueError) as error:  # a driver that hangs, "[N/A]" on some cards
        log.warning("the GPU's memory is not known: %s", type(error).__name__)
        return []
