"""Whether a file carries Chatterbox's watermark."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request

from chatterbox_worker import wiring
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server import bodies, schemas
from chatterbox_worker.server.refusals import NotOffered
from chatterbox_worker.server.state import State
from chatterbox_worker.server.threads import run_conversion
from chatterbox_worker.voices.reference import MAX_DURATION_S

router = APIRouter(tags=["watermark"])

_THRESHOLD = 0.5  # perth's own threshold


@router.post("/watermark/detect", **schemas.form({"file": schemas.FILE}, "file"))
async def detect(http: Request, state: State) -> dict[str, Any]:
    """Detects the watermark that every Chatterbox model's speech carries."""
    async with bodies.read_form(http, files=("file",), texts=()) as form:
        if "file" not in form:
            raise InvalidRequest("file is required: the recording", field="file")
        data: bytes = form["file"]

    def analyse() -> dict[str, Any]:
        audio = decode(data, field="file", max_s=MAX_DURATION_S)
        confidence = _detector(state.settings)(audio)
        return {
            "watermarked": confidence >= _THRESHOLD,
            "confidence": round(confidence, 4),
            "duration_s": round(audio.duration_s, 3),
        }

    with state.admission.place():
        return await run_conversion(analyse)


@lru_cache(maxsize=1)
def _detector(settings: Settings) -> Callable[[Audio], float]:
    try:
        return wiring.watermark_detector(settings)
    except ImportError as missing:
        raise NotOffered(f"this server cannot detect watermarks: {missing.name} is not installed") from missing
