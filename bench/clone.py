"""A container's first cloned voice against its second, from the moment that the engine is ready.

Clips of the same length are encoded in a fresh process, the first as soon as the engine is ready or after a pause.
Prints one JSON line: seconds for each voice (the encoders and T3's prefix), for the encoders alone, and of the
encoders' floor, their multiplications at the rate of one large product.

    python -m bench.clone MODEL FOLDER [--seconds 10] [--pause 0] [--profile exact] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find


def measure(model: str, settings: Settings, *, seconds: float, pause: float) -> dict[str, Any]:
    started_s = time.perf_counter()
    from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine  # noqa: PLC0415
    from chatterbox_worker.voices.conditioning import ConditioningStore  # noqa: PLC0415

    engine = ChatterboxEngine.load(model, settings, ConditioningStore(settings.voices_dir, 10**8))
    figures: dict[str, Any] = {"model": model, "ready_s": time.perf_counter() - started_s}
    time.sleep(pause)
    for name in ("first_s", "second_s", "third_s"):
        figures[name] = _encode(engine, name, seconds)
    figures |= _encoders(engine, seconds)
    engine.close()
    return figures


def _encode(engine: Any, name: str, seconds: float) -> float:
    """Seconds until a voice of this name is encoded."""
    from chatterbox_worker.engine import Voice  # noqa: PLC0415

    clip = _noise(seconds)
    started_s = time.perf_counter()
    engine._voices.encode(Voice(name, name, clip), None if engine.parts.layout.is_gpt else 0.5).result()
    return time.perf_counter() - started_s


def _noise(seconds: float) -> Audio:
    samples = np.random.default_rng(0).standard_normal(round(SAMPLE_RATE * seconds), np.float32)
    return Audio(0.1 * samples, SAMPLE_RATE)


def _encoders(engine: Any, seconds: float) -> dict[str, float]:
    """Seconds of the encoders alone, and of their multiplications at the rate of a product of matrices of 2048."""
    import torch  # noqa: PLC0415
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    from chatterbox_worker.engines.chatterbox.reference.conditioning import condition  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders  # noqa: PLC0415

    layout, clip = engine.parts.layout, _noise(seconds)
    encoders_s = _fastest(lambda: condition(clip, layout, engine.parts.encoders))
    square = torch.rand(2048, 2048, device=engine.device)
    square_s = _fastest(lambda: float((square @ square)[0, 0]))
    counted = ReferenceEncoders(find(layout, weights_dir=engine.parts.encoders._checkpoint.folder), "meta")
    speech = clip.samples[: len(clip.samples) * 2 // 3]  # as long as the clip at 16 kHz
    with FlopCounterMode(display=False) as counter:
        counted.flow_prompt(clip.samples[: 10 * SAMPLE_RATE])
        counted.tokens(speech[: round(16_000 * layout.prompt_s)], limit=layout.prompt_tokens)
        counted.speaker(speech)
    operations = counter.get_total_flops()
    return {
        "encoders_s": encoders_s, "gflop": operations / 1e9, "floor_s": operations / (2 * 2048**3) * square_s,
    }  # fmt: skip


def _fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of five."""
    times = []
    for _ in range(5):
        started_s = time.perf_counter()
        run()
        times.append(time.perf_counter() - started_s)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clone")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--profile", default="exact")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        settings = Settings(
            models=(options.model,), weights_dir=options.folder, profile=options.profile, device=options.device,
            cache_dir=Path(empty), voices_dir=Path(empty),
        )  # fmt: skip
        figures = measure(options.model, settings, seconds=options.seconds, pause=options.pause)
    print(json.dumps({name: round(each, 3) if isinstance(each, float) else each for name, each in figures.items()}))


if __name__ == "__main__":
    main()
