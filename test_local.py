"""Send test_input.json through the real worker on a local queue and save the audio.

    python test_local.py [--input FILE] [--out FILE]

The worker is `handler.py` in RunPod's own loop. It serves the models whose weights are available or can be downloaded,
otherwise the preview, a robotic voice; CHATTERBOX_MODELS overrides this. The same as
`python -m chatterbox_worker.localqueue --input FILE`, from any folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import command

if __name__ == "__main__":
    command.begin()  # before the imports that take long

from chatterbox_worker.localqueue.__main__ import main as local_queue

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="test_local.py", description=__doc__)
    parser.add_argument("--input", type=Path, default=ROOT / "test_input.json", help="a job (%(default)s)")
    parser.add_argument("--out", type=Path, help="where the audio goes (out/speech.<format>)")
    options = parser.parse_args(arguments)
    out = [] if options.out is None else ["--out", str(options.out)]
    return local_queue(["--handler", str(ROOT / "handler.py"), "--input", str(options.input), *out])


if __name__ == "__main__":
    command.run(main)
