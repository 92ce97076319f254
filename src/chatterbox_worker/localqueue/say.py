"""One line about the answer to a speech job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
