"""Upstream and this engine compared: the same synthetic weights, number of tokens and process, turn by turn.

    python -m bench.engine                                      tiny weights, a minute or two on two cores
    python -m bench.engine --model nano --size full --seconds 5 --repeat 3 --profiles exact,int8
    python -m bench.engine --model turbo --size full --device cuda --concurrency 1,8,32,64 --minutes 40 --streaming
    python -m bench.engine --model english --compare flash --size full --seconds 3.2 --no-upstream

Turns are interleaved and the minimum of each side is compared, because other load on the machine only ever adds time.
Prints a table, then one JSON line. A part that cannot run here prints the reason, and the others continue. Weights are
written to `--weights` (default: the temporary folder) if they are missing; full-size ones take 2 to 4 GB and a minute.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from bench import ready
from bench.ours import Ours, graphs_equal_eager, load_parts, sampling_of
from bench.upstream import Upstream
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, TOKEN_RATE
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.errors import WorkerError

_TEXT = "The rain had stopped, and for a moment the whole street held its breath before anybody spoke."
_STAGES = ("t3", "flow", "vocoder", "watermark", "total")
_LONG_CHUNK_S = 10  # length of a long text's chunks; the flow is most efficient from 8 to 20 s


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        device = device_of(options.device)
    except WorkerError as error:
        _parser().exit(1, f"{error.message}\n")
    prepare(device, options.threads)
    profiles = options.profiles or (["exact", "fast"] if device.type == "cuda" else ["exact", "int8"])
    checkpoint = _checkpoint(options.weights, options.model, options.size)
    sides = {profile: (checkpoint, profile) for profile in profiles}
    if options.compare:
        other = _checkpoint(options.weights, options.compare, options.size)
        sides |= {f"{options.compare} {profile}": (other, profile) for profile in profiles}
    result: dict[str, Any] = {"bench": "engine", "where": _where(device), "asked": vars(options) | {"weights": None}}
    print(
        f"{options.model}, {options.size}, {options.seconds:g} s of audio, on {result['where']['name']}; "
        f"load {os.getloadavg()[0]:.1f}\n"
    )

    parts = {name: _try(lambda side=side: load_parts(*side, device)) for name, side in sides.items()}
    loaded: dict[str, Parts] = {profile: part for profile, part in parts.items() if isinstance(part, Parts)}
    result["not_loaded"] = {profile: part for profile, part in parts.items() if not isinstance(part, Parts)}
    tokens = max(1, round(options.seconds * TOKEN_RATE))
    result["single"] = _try(functools.partial(_single, options, checkpoint, loaded, device, tokens))
    for profile, part in loaded.items():
        figures = result.setdefault(profile, {})
        if device.type == "cuda":
            figures["graphs_equal_eager"] = _try(lambda part=part: graphs_equal_eager(part, _TEXT))
        if options.concurrency:
            figures["concurrency"] = _try(lambda part=part: _concurrency(part, options.concurrency, tokens))
        if options.minutes:
            figures["long_text"] = _try(lambda part=part: _long_text(part, options.minutes))
        if options.streaming:
            figures["streaming"] = _try(lambda part=part: _streaming(part, tokens, options.repeat))
        _print(profile, figures)
    parts.clear()
    loaded.clear()
    gc.collect()
    if options.boot:
        result["boot"] = _try(lambda: _boot(options, checkpoint, profiles, device))
    result["where"]["load_after"] = os.getloadavg()[0]
    print(json.dumps(result, default=float))
    return 0


def _single(
    options: argparse.Namespace, checkpoint: Checkpoint, loaded: dict[str, Parts], device: torch.device, tokens: int
) -> dict[str, Any]:
    """Seconds per stage of one request, the minimum of each over the turns; the first turn only warms up."""
    sampling, emotion = sampling_of(options.model)
    sides: dict[str, Callable[[int], dict[str, float]]] = {}
    engines = {profile: Ours(part, tokens=tokens) for profile, part in loaded.items()}
    failed: dict[str, str] = {}
    upstream = None if options.no_upstream else _try(lambda: Upstream(checkpoint, device, options.size))
    if isinstance(upstream, Upstream):
        sides["upstream"] = lambda seed: upstream.speak(_TEXT, sampling, emotion, tokens=tokens, seed=seed)
    elif upstream is not None:
        failed["upstream"] = upstream
    sides |= {
        profile: lambda seed, engine=engine: engine.speak(_TEXT, seed=seed) for profile, engine in engines.items()
    }
    turns: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    try:
        for turn in range(options.repeat + 1):
            for side, speak in sides.items():
                if side in failed:
                    continue
                times = _try(functools.partial(speak, turn))
                if isinstance(times, str):
                    failed[side] = times
                else:
                    turns[side].append(times)
    finally:
        for engine in engines.values():
            engine.__exit__()
    least = {
        side: {stage: min(one[stage] for one in all_[1:]) for stage in _STAGES}
        for side, all_ in turns.items()
        if side not in failed
    }
    audio_s = tokens / TOKEN_RATE
    print(
        f"{'one request, s':16}"
        + "".join(f"{stage:>11}" for stage in _STAGES)
        + f"{'x realtime':>12}{'x upstream':>12}"
    )
    for side, times in least.items():
        gain = f"{least['upstream']['total'] / times['total']:.2f}" if "upstream" in least else ""
        row = "".join(f"{times[stage]:>11.3f}" for stage in _STAGES)
        print(f"{side:16}{row}{audio_s / times['total']:>12.2f}{gain:>12}")
    print()
    return {"least": least, "turns": {side: all_[1:] for side, all_ in turns.items()}, "failed": failed}


def _concurrency(parts: Parts, sizes: Sequence[int], tokens: int) -> dict[str, Any]:
    with Ours(parts, tokens=tokens) as engine:
        engine.speak_all([_TEXT] * min(max(sizes), engine.slots))  # warms up; on a GPU it captures the graphs
        out: dict[str, Any] = {"places": engine.slots}
        for size in sizes:
            figures = engine.speak_all([_TEXT] * size)
            out[str(size)] = figures | {"requests_per_s": size / figures["wall_s"]}
        return out


def _long_text(parts: Parts, minutes: float) -> dict[str, float]:
    """Many chunks of one text, submitted together, as the synthesizer does."""
    chunks = max(1, round(minutes * 60 / _LONG_CHUNK_S))
    with Ours(parts, tokens=_LONG_CHUNK_S * TOKEN_RATE) as engine:
        engine.speak_all([_TEXT] * min(chunks, engine.slots))
        figures = engine.speak_all([_TEXT] * chunks)
    return figures | {"times_realtime": figures["audio_s"] / figures["wall_s"]}


def _streaming(parts: Parts, tokens: int, repeat: int) -> dict[str, float]:
    with Ours(parts, tokens=tokens) as engine:
        turns = [engine.first_audio(_TEXT, seed=turn) for turn in range(repeat + 1)][1:]
    return min(turns, key=lambda turn: turn["first_s"])


def _boot(
    options: argparse.Namespace, checkpoint: Checkpoint, profiles: Sequence[str], device: torch.device
) -> dict[str, Any]:
    """The minimum of `repeat` starts; `ratio` is relative to `import torch` and reading the bytes."""
    out: dict[str, Any] = {}
    sides = [("ours", profile) for profile in profiles] + ([] if options.no_upstream else [("upstream", "exact")])
    print(f"{'start, s':16}{'ready':>9}{'torch':>9}{'read':>9}{'ratio':>9}{'resident MB':>13}{'weights MB':>12}")
    for side, profile in sides:
        turns = [
            ready.measure(
                side,
                model=options.model,
                folder=checkpoint.folder,
                profile=profile,
                device=str(device),
                size=options.size,
            )
            for _ in range(options.repeat)
        ]
        least = {name: min(turn[name] for turn in turns) for name in turns[0]}
        least["ratio"] = least["ready_s"] / (least["torch_s"] + least["read_s"])
        name = profile if side == "ours" else side
        out[name] = least | {"turns": turns}
        print(
            f"{name:16}{least['ready_s']:>9.2f}{least['torch_s']:>9.2f}{least['read_s']:>9.2f}{least['ratio']:>9.2f}"
            f"{least['resident_bytes'] / 1e6:>13.0f}{least['weights_bytes'] / 1e6:>12.0f}"
        )
    print()
    return out


def _print(profile: str, results: dict[str, Any]) -> None:
    for part, figures in results.items():
        if not isinstance(figures, dict):
            print(f"{profile} {part}: {figures}")
            continue
        for name, value in figures.items():
            pairs = value.items() if isinstance(value, dict) else [("", value)]
            row = ", ".join(f"{k} {v}".strip() if isinstance(v, bool) else f"{k} {v:.3f}".strip() for k, v in pairs)
            print(f"{profile} {part} {name}: {row}")
    print()


def _try(part: Callable[[], Any]) -> Any:
    """The part's result, or the reason why it failed."""
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - one row is lost and no other
        reason = f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        print(reason, file=sys.stderr)
        return reason


def _checkpoint(parent: Path | None, model: str, size: str) -> Checkpoint:
    folder = (parent or Path(tempfile.gettempdir()) / "chatterbox-worker-bench") / f"{model}-{size}"
    if not folder.is_dir():
        from tools.synthetic_checkpoint import write_checkpoint  # noqa: PLC0415

        started_s = time.perf_counter()
        write_checkpoint(folder, LAYOUTS[model], size=size)
        print(f"wrote {folder} in {time.perf_counter() - started_s:.0f} s")
    return find(LAYOUTS[model], weights_dir=folder, offline=True)


def _where(device: torch.device) -> dict[str, Any]:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        info = Path("/proc/cpuinfo")
        lines = info.read_text().splitlines() if info.is_file() else []
        name = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
        )
    return {
        "device": str(device), "name": name, "torch": torch.__version__, "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(), "load_before": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    def integers(text: str) -> list[int]:
        return [int(part) for part in text.split(",") if part]

    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="nano", choices=list(LAYOUTS))
    parser.add_argument("--compare", choices=list(LAYOUTS), help="another model, turn by turn with the first one")
    parser.add_argument("--size", default="tiny", choices=["tiny", "full"])
    parser.add_argument("--seconds", type=float, default=5.0, help="of audio in one request")
    parser.add_argument("--repeat", type=int, default=3, help="turns that are measured, after one that warms up")
    parser.add_argument(
        "--profiles", type=lambda text: text.split(","), help="of exact, fast, int8; default: those of the device"
    )
    parser.add_argument(
        "--concurrency", type=integers, default=[1, 4], help="requests at once, e.g. 1,8,32,64; empty for none"
    )
    parser.add_argument("--minutes", type=float, default=0.0, help="of audio in one long text; 0 for none")
    parser.add_argument("--streaming", action="store_true", help="first audio of a streamed take")
    parser.add_argument("--boot", action="store_true", help="a fresh process until it is ready")
    parser.add_argument("--no-upstream", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="of a CPU; 0 for as many as the process may use")
    parser.add_argument("--weights", type=Path, help="folder for the synthetic weights")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
