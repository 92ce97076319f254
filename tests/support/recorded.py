"""A folder of recordings as users have them: good ones of one speaker, and every kind of unusable one."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.clone.__main__ import main
from support.checkpoints import linked
from support.paths import ROOT, WORKERS
from support.speakers import ANN, BOB, SENTENCES, speak

RATE = 24_000

TINY = WORKERS / "tiny.py"
"""The real edges on a tiny checkpoint: `tiny.py queue` and `tiny.py http`."""
TINY_PATHS = {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", ".", "tests"))}


def pause(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def talk(speaker: str, texts: Sequence[str] = SENTENCES, pause_s: float = 0.4) -> Samples:
    """The texts one after another, with background noise of -65 dBFS."""
    parts = [part for text in texts for part in (speak(speaker, text).samples, pause(pause_s))]
    return in_noise(np.concatenate([pause(0.5), *parts]), -65.0)


def in_noise(samples: Samples, dbfs: float) -> Samples:
    noise = np.random.default_rng(0).standard_normal(len(samples))
    return (samples + 10 ** (dbfs / 20) * noise).astype(np.float32)


def wav(samples: Samples, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def half_an_hour() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(1800 * 16_000, np.int16), 16_000, format="FLAC")
    return buffer.getvalue()


def resample_to(samples: Samples, rate: int) -> Samples:
    return resample(Audio(samples, RATE), rate).samples


def write_folder(folder: Path) -> Path:
    """Good are good-1.wav, good-2.flac, good-3.mp3 and deep/good-4.ogg, all of Ann, and the first half of talk.wav."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deep").mkdir()
    a, b = SENTENCES[:4], SENTENCES[4:]
    files = {
        "good-1.wav": wav(resample_to(talk(ANN), 44_100), 44_100),
        "good-2.flac": encode(Audio(talk(ANN, b), RATE), "flac", RATE),
        "good-3.mp3": encode(Audio(talk(ANN, a), RATE), "mp3", RATE),
        "deep/good-4.ogg": encode(Audio(talk(ANN, SENTENCES[::-1]), RATE), "ogg", RATE),
        "talk.wav": wav(np.concatenate([talk(ANN, a[:2]), talk(BOB, b[:2])])),
        "bob.wav": wav(talk(BOB, a)),
        "noisy.wav": wav(in_noise(talk(ANN, b), -30.0)),
        "clipped.wav": wav(np.clip(4 * talk(ANN, b), -1, 1)),
        "quiet.wav": wav(0.01 * talk(ANN, b[:2]), subtype="FLOAT"),
        "storm.wav": wav(0.1 * np.random.default_rng(1).standard_normal(6 * RATE).astype(np.float32)),
        "short.wav": wav(talk(ANN, ["Oh no."])),
        "silence.wav": wav(pause(5.0)),
        "empty.wav": b"",
        "telephone.wav": wav(resample_to(talk(ANN, a[:1]), 8000), 8000),
        "copy.wav": wav(resample_to(talk(ANN), 44_100), 44_100),
        "letter.wav": b"Dear Sir or Madam, " * 100,
        "long.flac": half_an_hour(),
        ".DS_Store": b"hidden",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def clone_ann(folder: Path) -> dict[str, str]:
    """Clones a voice "ann" with the command itself; returns the settings of a server or worker that has it."""
    (folder / "in").mkdir()
    (folder / "in" / "ann.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    weights = str(linked("nano", folder / "weights"))
    paths = ["--voices-dir", str(folder / "voices"), "--weights-dir", weights, "--no-report"]
    assert main(["--input-dir", str(folder / "in"), "--output-voice-id", "ann", "--min-seconds", "10", *paths]) == 0
    return {
        "CHATTERBOX_MODELS": "nano", "CHATTERBOX_WEIGHTS_DIR": weights, "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "CHATTERBOX_DEVICE": "cpu", "CHATTERBOX_THREADS": "1",
        "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
