"""The requests of `bench.soak csm`: the HTTP server with CSM of tiny random weights.

Every text, voice and adapter is a new one; turns of dialogues become context, and later chunks follow the first one.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import soundfile

from bench.soak_requests import clip, leave
from chatterbox_worker.engine import Adapter, Factors, VoiceDetails
from chatterbox_worker.voices.bundle import Bundle, pack

SHORT = """
import sys
from chatterbox_worker.engines.csm import engine
engine._LONGEST_S = 0.8  # random weights do not stop by themselves
"""
_WORDS = "These are the words of this recording."
_RANK = 4


class CsmVoices:
    """New recordings and new fine-tuned voices for a checkpoint that is written to `weights`."""

    def __init__(self, weights: Path) -> None:
        import torch  # noqa: PLC0415

        from chatterbox_worker.engines.chatterbox.training.module import TARGETS  # noqa: PLC0415
        from chatterbox_worker.engines.csm.model import Csm  # noqa: PLC0415
        from chatterbox_worker.engines.csm.weights import find  # noqa: PLC0415
        from tools.synthetic_checkpoint import write_checkpoint  # noqa: PLC0415

        write_checkpoint(weights / "csm", None, size="tiny")
        files = find("sesame/csm-1b", weights_dir=weights, offline=True)
        self._base = files.digest
        model = Csm.load(files.folder, torch.device("cpu"), torch.float32).model
        self._shapes = {
            name: (module.out_features, module.in_features)
            for name, module in model.named_modules()
            if name.endswith(TARGETS["llama"]) and not name.startswith("codec_model.")
        }

    def fine_tuned(self, number: int) -> bytes:
        draw = np.random.default_rng(number)
        factors = {
            name: Factors(
                draw.standard_normal((_RANK, inputs)).astype(np.float32) / 8,
                draw.standard_normal((outputs, _RANK)).astype(np.float32) / 8,
            )
            for name, (outputs, inputs) in self._shapes.items()
        }
        adapter = Adapter("csm", self._base, _RANK, 2.0 * _RANK, factors)
        return pack(Bundle(clip(number), None, {}, adapter, VoiceDetails(_WORDS)))


def _recording(number: int) -> dict[str, Any]:
    file, sound = io.BytesIO(), clip(number)
    soundfile.write(file, sound.samples[: 2 * sound.sample_rate], sound.sample_rate, format="WAV", subtype="PCM_16")
    return {"reference_audio": base64.b64encode(file.getvalue()).decode(), "reference_transcript": _WORDS}


def csm_round(url: str, number: int, voices: CsmVoices) -> int:
    """Returns how many requests there were. Raises RuntimeError for one that was answered otherwise than it should."""
    text, count = f"Round {number} of the long test has its own words, {number * 7919} of them.", 0
    with httpx2.Client(base_url=url, timeout=120) as http:

        def ask(method: str, path: str, status: int = 200, **options: Any) -> None:
            nonlocal count
            count += 1
            answer = http.request(method, path, **options)
            if answer.status_code != status:
                raise RuntimeError(f"{method} {path} was answered {answer.status_code} {answer.text}")

        def speech(status: int = 200, **fields: Any) -> None:
            ask("POST", "/v1/audio/speech", status, json={"input": text, "response_format": "wav"} | fields)

        speech(seed=number)
        speech(seed=number)  # from the cache
        speech(stream=True, response_format="mp3")
        speech(stream_format="sse", captions="srt", progress=True)
        speech(candidates=2)
        speech(cache=False, input=f"{text} It goes on. " * 4, chunk_size=60)  # each chunk continues from the first
        speech(**_recording(number))
        one, two = _recording(number + 10**6), _recording(number + 2 * 10**6)
        turns = [{"text": "Are you ready?", **one}, {"text": "I am.", **two}, {"text": text}, {"text": "Go.", **one}]
        ask("POST", "/dialogue", json={"turns": turns})
        file = (f"voice-{number}.safetensors", voices.fine_tuned(number))
        ask("POST", "/voices", 201, files={"file": file})
        speech(voice=f"voice-{number}")
        ask("DELETE", f"/voices/voice-{number}")
        speech(400, reference_audio=one["reference_audio"])  # without its words
        speech(400, **(one | {"reference_transcript": "These are too many words. " * 400}))
        speech(400, language="es")
    long = f"{text} It goes on and on. " * 10
    return count + leave(url, text, long)
