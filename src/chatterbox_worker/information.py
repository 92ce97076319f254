"""The answer to `{"action": "info"}`: what this worker is, what it serves and how it is doing."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from chatterbox_worker import __version__
from chatterbox_worker.catalogue import FORMATS, LANGUAGES, MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.synthesizer import Synthesizer

_PACKAGES = ("chatterbox-tts", "runpod", "torch")


@dataclass(slots=True)
class Tally:
    """Counts of one worker process."""

    started_s: float = field(default_factory=time.monotonic)
    jobs_done: int = 0
    jobs_failed: int = 0


def info(settings: Settings, synthesizer: Synthesizer, tally: Tally) -> dict[str, Any]:
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
                **({"languages": list(MODELS[name].languages), "sampling": dict(MODELS[name].sampling)}
                   if name in MODELS else {}),
            }
            for name, engine in engines
        },
        "default_model": settings.models[0],
        "languages": dict(LANGUAGES),
        "formats": {name: list(audio_format.sample_rates) for name, audio_format in FORMATS.items()},
        "voices": ["default", *(entry.id for entry in synthesizer.library.list())],
        "cache": synthesizer.cache.figures(),
        "limits": {"text_chars": settings.max_text_chars, "payload_bytes": settings.payload_limit_bytes},
        "uptime_s": round(time.monotonic() - tally.started_s, 1),
        "jobs_done": tally.jobs_done,
        "jobs_failed": tally.jobs_failed,
    }  # fmt: skip
