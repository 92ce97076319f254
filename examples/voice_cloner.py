"""Clone a voice on this machine, without an endpoint: a recording, its words, and the texts to speak.

python examples/voice_cloner.py models/csm-1b voices/alice.wav "The words of the recording." "A new sentence."
"""

from __future__ import annotations

import sys

from chatterbox_worker import VoiceCloner
from chatterbox_worker.errors import WorkerError


def main(model_path: str, recording: str, words: str, *texts: str) -> None:
    with VoiceCloner(model_path=model_path) as cloner:
        jobs = [
            {
                "reference_audio": recording,
                "reference_transcript": words,
                "target_text": text,
                "output_path": f"out/cloned-{number}.wav",
                "max_chunk_s": 20,
                "seed": 7,
            }
            for number, text in enumerate(texts, start=1)
        ]
        for text, speech in zip(texts, cloner.clone_batch(jobs), strict=True):
            if isinstance(speech, WorkerError):
                print(f"{text!r} failed: {speech.message}")
            else:
                print(f"{text!r}: {speech.duration_s:.1f} s, seed {speech.seed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
