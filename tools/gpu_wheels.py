"""Fetch the wheels that `python -m bench.gpu` needs on a machine without network that has torch and transformers.

    python3 tools/gpu_wheels.py DIR                                        here, with network, a Python that has pip
    python3 -m pip install --no-index --no-deps --target site DIR/*.whl    there
    PYTHONPATH=src:site python -m bench.gpu --out results

For Python 3.12 on x86-64 Linux with torch 2.11, torchaudio, transformers 5.17 and what usually comes with them (numpy,
scipy, scikit-learn, numba, safetensors, tokenizers). Versions are those of locks/dev.txt. Only the part `start` imports
`av`, another 34 MiB, so it is left out and that part's starts fail; `--with av` fetches it. Without it everything
together is 41 MiB, 33 of them the watermark's network, which `--without resemble-perth` leaves out; upstream's package
then cannot be imported, and its rows fail.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NEEDED = (
    "annotated-types", "audioread", "cffi", "chatterbox-tts", "conformer", "decorator", "diffusers", "librosa",
    "omegaconf", "platformdirs", "pooch", "pycparser", "pydantic", "pydantic-core", "pyloudnorm", "resemble-perth",
    "s3tokenizer", "setuptools", "soundfile", "soxr", "typing-inspection",
)  # fmt: skip
"""What the benchmark imports and such a machine lacks."""
MOST_BYTES = 60 * 2**20
_PLATFORMS = tuple(f"manylinux{version}_x86_64" for version in ("_2_28", "_2_27", "_2_24", "_2_17", "2014", "1"))
_LOCK = Path(__file__).resolve().parents[1] / "locks/dev.txt"


def versions(names: Sequence[str], lock: str) -> list[str]:
    """`name==version` for each name, as pinned.

    Raises:
        KeyError: a name is not in the lock file.
    """
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, re.MULTILINE))
    return [f"{name}=={pinned[name]}" for name in names]


def fetch(folder: Path, names: Sequence[str]) -> int:
    """Download the wheels into `folder`; their size in bytes.

    Raises:
        subprocess.CalledProcessError: pip failed; it has printed why.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.12", "--implementation", "cp", "--dest", str(folder)]
    command += [part for platform in _PLATFORMS for part in ("--platform", platform)]
    subprocess.run([*command, *versions(names, _LOCK.read_text("utf-8"))], check=True)  # noqa: S603
    return sum(path.stat().st_size for path in folder.glob("*.whl"))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python tools/gpu_wheels.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--without", nargs="+", choices=NEEDED, default=[], metavar="NAME")
    parser.add_argument("--with", nargs="+", choices=["av"], default=[], metavar="NAME", dest="more")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    size = fetch(options.folder, [*(name for name in NEEDED if name not in options.without), *options.more])
    print(f"{size / 2**20:.1f} MiB in {options.folder}")
    if size > MOST_BYTES:
        print(f"this is more than {MOST_BYTES / 2**20:.0f} MiB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
