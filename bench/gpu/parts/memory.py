"""A GPU with a tenth of its memory, and adapters loaded while others speak: every request is answered."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from bench.gpu import models
from bench.gpu.cases import Cases, Skipped
from bench.gpu.run import Options
from bench.ours import Ours
from chatterbox_worker.engine import DEFAULT_VOICE
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.device import limit_memory
from tools.synthetic_adapter import random_adapter

_MODEL = "multilingual"
_ADAPTERS = {"full": 12, "tiny": 3}
_SHARE = 0.1


def cases(options: Options) -> Cases:
    yield "adapters", functools.partial(_adapters, options)
    yield "a tenth of the memory", functools.partial(_little_memory, options)  # last: the limit is for the process


def _little_memory(options: Options) -> dict[str, Any]:
    device = models.device(options)
    if device.type != "cuda":
        raise Skipped("a CPU's memory has no such limit")
    limit_memory(device, _SHARE)
    loaded = models.served(options, _MODEL)
    with Ours(loaded, tokens=250, all_graphs=False) as engine:
        answers = models.wait_all(engine.submit_all([models.TEXT] * 64))
        return _counts(answers) | {"slots": engine.slots}


def _adapters(options: Options) -> dict[str, Any]:
    found = models.checkpoint(options, _MODEL, options.size)
    loaded, weights = models.served(options, _MODEL), load_t3_state(found)
    answers, count = [], _ADAPTERS[options.size]
    with Ours(loaded, tokens=25, all_graphs=False, checkpoint=found, adapters=2) as engine:
        for seed in range(count):
            adapter = random_adapter(weights, model=_MODEL, base=found.t3_digest, seed=seed, strength=0.05)
            voice = dataclasses.replace(DEFAULT_VOICE, id=f"adapter-{seed}", digest=f"adapter-{seed}", adapter=adapter)
            takes = engine.submit_all([models.TEXT]) + engine.submit_all([models.TEXT], voice=voice)
            answers += models.wait_all(takes)
    return _counts(answers) | {"adapters": count}


def _counts(answers: list[models.Answer | None]) -> dict[str, Any]:
    ended = [answer for answer in answers if answer is not None]
    return {
        "spoken": sum(not answer.failure for answer in ended),
        "failures": sorted({answer.failure for answer in ended if answer.failure}),
        "hangs": len(answers) - len(ended),
        "longest_s": round(max((answer.end_s for answer in ended), default=0.0), 3),
    }
