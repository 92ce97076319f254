"""What the parts share: synthetic checkpoints, loaded models, voices, and takes that are waited for with a limit."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.gpu.cases import Skipped
from bench.gpu.run import Options
from bench.ours import load_parts, own_voice
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Take, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise, SeededNoise
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.errors import WorkerError

TEXT = "The rain had stopped, and for a moment the whole street held its breath before anybody spoke."
MODELS = ("multilingual", "turbo")
"""The two that are measured at full size."""
ANSWER_S = 60.0
"""A take without an end after this long hangs."""


@functools.cache
def device(options: Options) -> torch.device:
    """The device, prepared as an engine does it. Raises NotReady if there is none."""
    found = device_of(options.device)
    prepare(found, 0)
    return found


def need_gpu(options: Options) -> None:
    """Raises Skipped on a CPU."""
    if device(options).type != "cuda":
        raise Skipped("needs a GPU")


def profiles(options: Options) -> tuple[str, str]:
    """The exact profile, and the fast one of the device."""
    return "exact", "fast" if device(options).type == "cuda" else "int8"


def checkpoint(options: Options, model: str, size: str) -> Checkpoint:
    """The synthetic checkpoint; written with tensors that the device makes, if it is missing."""
    folder = options.weights / f"{model}-{size}"
    if not folder.is_dir():
        from tools.synthetic_checkpoint import write_checkpoint  # noqa: PLC0415  # upstream's modules: seconds

        write_checkpoint(folder, LAYOUTS[model], size=size, device=device(options))
    return find(LAYOUTS[model], weights_dir=folder, offline=True)


def parts(options: Options, model: str, size: str, profile: str, *, kernels: str = "off") -> Parts:
    """`kernels`: as CHATTERBOX_KERNELS, whose default is auto."""
    return load_parts(checkpoint(options, model, size), profile, device(options), kernels=kernels)


def served(options: Options, model: str) -> Parts:
    """The parts as a worker on this device has them by default."""
    return parts(options, model, options.size, profiles(options)[1], kernels="auto")


def prompt_of(loaded: Parts) -> Prompt:
    voice = own_voice(loaded)
    return Prompt(voice.prompt_token[0], voice.prompt_feat[0], voice.embedding[0])


def text_ids(loaded: Parts) -> Sequence[int]:
    ids = loaded.tokenizer.encode(TEXT, "en")
    return ids if loaded.layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]


def codes_of(tokens: int) -> Tensor:
    """`tokens` speech codes, (tokens,) int64."""
    return torch.arange(tokens) * 7 % 6561


def recording(seconds: float, seed: int) -> Voice:
    """A voice from a recording that is new to the engine: a buzzing tone of changing pitch with noise."""
    rate = 24_000
    at = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 10 * seed % 80 + 30 * np.sin(2 * math.pi * 2.5 * at)
    phase = 2 * math.pi * np.cumsum(pitch) / rate
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    noise = np.random.default_rng(seed).standard_normal(len(at))
    level = 0.5 + 0.5 * np.sin(2 * math.pi * 3 * at)
    samples = (0.08 * tone * level + 0.005 * noise).astype(np.float32)
    return Voice(id="reference", digest=f"bench-{seconds}-{seed}", clip=Audio(samples, rate))


@dataclass(frozen=True, slots=True)
class Answer:
    """How a take ended; times in seconds after the submission."""

    first_s: float
    """NaN if there was no sound."""
    end_s: float
    samples: int
    failure: str
    """The error's class and sentence; empty if it was spoken."""


def wait_all(takes: Sequence[Take], limit_s: float = ANSWER_S) -> list[Answer | None]:
    """Read all takes to their ends, each on a thread of its own. None for each that has no end after `limit_s`."""
    started_s = time.perf_counter()
    answers: list[Answer | None] = [None] * len(takes)

    def read(index: int) -> None:
        first_s, samples, failure = math.nan, 0, ""
        try:
            for piece in takes[index]:
                first_s = first_s if samples else time.perf_counter() - started_s
                samples += len(piece.samples)
        except WorkerError as error:
            failure = f"{type(error).__name__}: {error.message}"
        answers[index] = Answer(first_s, time.perf_counter() - started_s, samples, failure)

    threads = [threading.Thread(target=read, args=(index,), daemon=True) for index in range(len(takes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, started_s + limit_s - time.perf_counter()))
    return answers


def quantile(values: Sequence[float], share: float) -> float:
    """The value at `share` (0 to 1) of the sorted values; NaN without values."""
    ordered = sorted(value for value in values if not math.isnan(value))
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def noise_of(s3gen: S3Gen, tokens: int, prompt: Prompt, seed: int) -> Noise:
    """The same noise on every device, to the last bit."""
    noise = SeededNoise(seed, torch.device("cpu")).whole(prompt, tokens)
    return Noise(*(part.to(s3gen.device) for part in (noise.mel, noise.phase, noise.source)))
