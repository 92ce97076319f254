"""`WS /tts/stream`: text in as it is written, speech out sentence by sentence."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
