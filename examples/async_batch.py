"""Many texts at once, one per line of a file: a few in flight, one mp3 per line. A failure does not stop the others.

`python async_batch.py lines.txt out/`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from chatterbox_worker.client import AsyncRunPodServerlessClient, ClientError

IN_FLIGHT = 32


async def batch(texts: list[str], folder: Path) -> int:
    """Return how many failed."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async with AsyncRunPodServerlessClient(timeout_s=1800) as client:

        async def speak(number: int, text: str) -> bool:
            async with slots:
                try:
                    job = await client.run(text, format="mp3")  # not runsync: its results expire after a minute
                    done = await client.poll_until_complete(job.id)
                    await client.save_audio(done, folder / f"{number:04}.mp3")
                except ClientError as error:
                    print(f"{number:04}: {error}", file=sys.stderr)
                    return False
            return True

        done = await asyncio.gather(*(speak(number, text) for number, text in enumerate(texts, 1)))
    return done.count(False)


def main(lines: str, folder: str) -> int:
    texts = [line for line in Path(lines).read_text(encoding="utf-8").splitlines() if line.strip()]
    failed = asyncio.run(batch(texts, Path(folder)))
    print(f"{len(texts) - failed} of {len(texts)} spoken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
