"""`python -m tools.clients http://HOST:PORT [CLIENT ...]`: try clients on a server that runs, such as `make serve`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import wave
from pathlib import Path

from tools.clients.run import CLIENTS, NotHere, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.clients", description=__doc__)
    parser.add_argument("url", help="of a server with CHATTERBOX_ALIASES=openai and no keys")
    parser.add_argument("clients", nargs="*", help=", ".join(CLIENTS), choices=[*CLIENTS, []])
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        recording = write_recording(Path(folder) / "recording.wav")
        for name in options.clients or CLIENTS:
            try:
                print(run(name, options.url.rstrip("/"), recording))
            except NotHere as lacking:
                print(f"-- {name}: {lacking}")
            except AssertionError as error:
                print(f"!! {error}", file=sys.stderr)
                failed = True
    return int(failed)


def write_recording(path: Path) -> Path:
    """A recording that a client can upload as a voice: 6 s of a rough tone."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(
            b"".join((8_000 * (n % 200 - 100) // 100).to_bytes(2, "little", signed=True) for n in range(144_000))
        )
    return path


if __name__ == "__main__":
    raise SystemExit(main())
