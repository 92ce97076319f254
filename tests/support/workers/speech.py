"""A worker that answers in the shape of the real one, without a model."""

import base64
from pathlib import Path
from typing import Any

import runpod


async def handler(job: dict[str, Any]) -> dict[str, Any]:
    what = job["input"]
    if what.get("action") == "info":
        return {"version": "1", "models": ["preview"]}
    if what.get("action") == "outputs.get":
        data = Path(what["path"]).read_bytes()  # noqa: ASYNC240 - a small one
        return {"data_base64": base64.b64encode(data).decode(), "next_offset": None}
    if what["text"] == "fail":
        return {"error": "text must not be empty", "code": "invalid_request", "field": "text"}
    if what["text"].startswith("volume "):
        return {"audio_path": what["text"].removeprefix("volume ")}
    if what["text"] == "broken":
        return {"audio_base64": "a"}
    return {
        "audio_base64": base64.b64encode(b"RIFF" + what["text"].encode()).decode(),
        "format": "wav" if what.get("format") in (None, "auto") else what["format"],
        "duration_s": 1.5, "seed": 7, "model": what.get("model", "turbo"), "device": "cpu", "cache_hit": False,
        "timings": {"real_time_factor": 0.25},
    }  # fmt: skip


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda _: 3})
