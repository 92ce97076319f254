"""Send test_input.json through the real worker on a local queue and save the audio.

    python test_local.py [--input FILE] [--out FILE]

The worker is `handler.py` in RunPod's own loop. It serves the models whose weights are available or can be downloaded,
otherwise the preview, a robotic voice; CHATTERBOX_MODELS overrides this.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import config
from chatterbox_worker.client import ClientError, RunPodServerlessClient
from chatterbox_worker.local import local_environment
from chatterbox_worker.localqueue import LocalQueue, say

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="test_local.py", description=__doc__)
    parser.add_argument("--input", type=Path, default=ROOT / "test_input.json", help="a job (%(default)s)")
    parser.add_argument("--out", type=Path, help="where the audio goes (out/speech.<format>)")
    options = parser.parse_args(arguments)
    job_input = json.loads(options.input.read_text(encoding="utf-8"))["input"]
    env = {
        name: value
        for name, value in local_environment(config.environment(), ROOT).items()
        if name.startswith(config.PREFIX)
    }
    with (
        LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as queue,
        RunPodServerlessClient("local", queue.api_key, base_url=queue.url) as client,
    ):
        try:
            job = client.call(job_input)
        except ClientError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        path = client.save_audio(job, options.out or ROOT / "out" / f"speech.{job.speech.format}")
        sys.stdout.write(say.summary(job.speech.found.about, path) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
