"""Many texts as one job: each has an id and may have settings of its own.

`python many_texts.py out/`, with RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY. For thousands of texts, and to resume after a
kill: `python -m chatterbox_worker.batch`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chatterbox_worker.client import RunPodServerlessClient, TextFields

TEXTS: list[TextFields] = [
    {"id": "welcome", "text": "Welcome to the museum."},
    {"id": "closing", "text": "We close in ten minutes.", "speed": 1.2},
    {"id": "bienvenida", "text": "Bienvenidos al museo.", "language": "es"},
    {"id": "unknown", "text": "Only this one fails.", "voice": "no-such-voice"},
]


def main(folder: str = "out") -> int:
    """Return how many failed."""
    with RunPodServerlessClient() as client:
        job = client.runsync_many(TEXTS, format="mp3", seed=7)
        for result in job.results:
            if result.error is not None:
                print(
                    f"{result.id}: {result.error.code}, {result.error.field}: {result.error.message}", file=sys.stderr
                )
                continue
            path = client.save_audio(result, Path(folder) / f"{result.id}.mp3")
            print(f"{path}: {result.speech.duration_s:.2f} s")
    return sum(result.error is not None for result in job.results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
