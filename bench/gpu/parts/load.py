"""Many requests at once: throughput, first audio of streams, cancellations, and a voice encoded meanwhile."""

from __future__ import annotations

import functools
import time
from typing import Any

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options
from bench.ours import Ours
from chatterbox_worker.engines.chatterbox.checkpoint.layout import TOKEN_RATE

_MODEL = "multilingual"
_TOKENS = {"full": 125, "tiny": 15}
_SIZES = {"full": (1, 8, 32, 64), "tiny": (1, 4)}
_MINUTES = {"full": 40.0, "tiny": 0.1}
_CROWD = {"full": 32, "tiny": 4}


def cases(options: Options) -> Cases:
    for size in _SIZES[options.size]:
        yield f"{size} requests", functools.partial(_requests, options, size)
    crowd = _CROWD[options.size]
    yield f"{crowd} streams", functools.partial(_streams, options, crowd)
    yield f"long text {_MODEL}", functools.partial(_long_text, options)
    yield f"a voice encoded among {crowd // 2}", functools.partial(_voice, options, crowd // 2)
    yield f"one in ten of {crowd} cancelled", functools.partial(_cancelled, options, crowd)
    if _engine.cache_info().currsize:  # a process must not end while its threads work
        _engine(options).__exit__()


@functools.cache
def _engine(options: Options) -> Ours:
    """One for all cases of the process, with all graphs."""
    engine = Ours(models.served(options, _MODEL), tokens=_TOKENS[options.size])
    models.wait_all(engine.submit_all([models.TEXT] * 2))
    return engine


def _requests(options: Options, count: int) -> dict[str, Any]:
    return _summary(models.wait_all(_engine(options).submit_all([models.TEXT] * count)), _engine(options))


def _streams(options: Options, count: int) -> dict[str, Any]:
    takes = _engine(options).submit_all([models.TEXT] * count, streaming=True)
    return _summary(models.wait_all(takes), _engine(options))


def _long_text(options: Options) -> dict[str, Any]:
    chunks = round(_MINUTES[options.size] * 60 * TOKEN_RATE / _TOKENS[options.size])
    figures = _engine(options).speak_all([models.TEXT] * chunks)
    return {**figures, "chunks": chunks, "times_realtime": figures["audio_s"] / figures["wall_s"]}


def _voice(options: Options, count: int) -> dict[str, Any]:
    """The same streams without and with a recording that is new; how much later their sound arrives."""
    engine = _engine(options)
    before = _summary(models.wait_all(engine.submit_all([models.TEXT] * count, streaming=True)), engine)
    takes = engine.submit_all([models.TEXT] * count, streaming=True)
    takes += engine.submit_all([models.TEXT], voice=models.recording(10.0, seed=1))
    answers = models.wait_all(takes)
    after = _summary(answers[:count], engine)
    return {"without": before, "with": after, "voice": _summary(answers[count:], engine)}


def _cancelled(options: Options, count: int) -> dict[str, Any]:
    engine = _engine(options)
    takes = engine.submit_all([models.TEXT] * count)
    time.sleep(0.05)
    for take in takes[::10]:
        take.cancel()
    return _summary(models.wait_all(takes), engine) | {"cancelled": len(takes[::10])}


def _summary(answers: list[models.Answer | None], engine: Ours) -> dict[str, Any]:
    ended = [answer for answer in answers if answer is not None]
    spoken = [answer for answer in ended if not answer.failure]
    wall_s = max((answer.end_s for answer in ended), default=0.0)
    first = [answer.first_s for answer in spoken]
    return {
        "spoken": len(spoken),
        "failures": sorted({answer.failure for answer in ended if answer.failure}),
        "hangs": len(answers) - len(ended),
        "wall_s": round(wall_s, 4),
        "times_realtime": round(sum(answer.samples for answer in spoken) / engine.sample_rate / max(wall_s, 1e-9), 2),
        "first_s": [round(models.quantile(first, share), 4) for share in (0.5, 0.95, 1.0)],
    }
