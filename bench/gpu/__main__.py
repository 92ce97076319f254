"""Everything that a GPU has to show, in one command: capture, parity, precision, speed, load, memory and start.

    python -m bench.gpu --out results --budget 540
    python -m bench.gpu --out results --budget 300 --device cpu --size tiny    what can run without a GPU
    python -m bench.gpu --out results --table                                  the table of what is there

Each part is a process of its own, the most valuable first, with a share of the time. Every case is a line of
OUT/results.jsonl, on the disk as soon as it is known; OUT/PART.log has what a part printed. The same command continues
a run that was stopped. It needs no network; tools/gpu_wheels.py lists the packages that a machine with torch lacks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.results import Results
from bench.gpu.run import Options, Part, run
from bench.gpu.table import table

PARTS = tuple(
    Part(name, f"bench.gpu.parts.{name}", limit_s)
    for name, limit_s in (
        ("environment", 40),
        ("parity", 60),
        ("weights", 60),
        ("precision", 90),
        ("candidates", 90),
        ("speed", 120),
        ("load", 100),
        ("memory", 50),
        ("start", 60),
    )
)


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    out: Path = options.out
    if options.table:
        print(table(Results(out / "results.jsonl").cases()))
        return 0
    size = options.size or ("tiny" if options.device == "cpu" else "full")
    weights = options.weights or Path(tempfile.gettempdir()) / "chatterbox-worker-bench"
    chosen = [part for part in PARTS if not options.only or part.name in options.only]
    results = run(chosen, Options(out.resolve(), options.device, size, weights.resolve()), options.budget)
    text = table(results.cases())
    (out / "table.txt").write_text(text + "\n", "utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; an earlier run is continued")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds for everything")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--size", choices=["tiny", "full"], help="of the weights; default: full, on a CPU tiny")
    parser.add_argument("--weights", type=Path, help="folder for the synthetic weights: 7 GB for full ones")
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    parser.add_argument("--table", action="store_true", help="print the table of OUT and run nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
