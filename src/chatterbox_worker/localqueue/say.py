"""What to do with the answer to one speech job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatterbox_worker.client import AudioOnVolume, Job, RunPodServerlessClient


def save(client: RunPodServerlessClient, job: Job, path: Path) -> None:
    """Write the job's audio to a file. Raises ClientError, OSError."""
    try:
        client.save_audio(job, path)
    except AudioOnVolume as answer:  # a local worker's volume is a folder of this machine
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Path(answer.path).read_bytes())


def summary(about: Mapping[str, Any], path: Path) -> str:
    """One line: length, speed, cache, model, device and file."""
    factor = about.get("timings", {}).get("real_time_factor")
    parts = [
        f"{about.get('duration_s', 0.0):.2f} s of audio",
        f"real-time factor {factor:.3f}" if factor is not None else None,
        f"cache {'hit' if about.get('cache_hit') else 'miss'}",
        f"{about.get('model')} on {about.get('device')}",
        str(path),
    ]
    return ", ".join(part for part in parts if part is not None)
