"""Recordings with transcripts for the training tests: the preview voice reads twenty sentences, once per test run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance
from chatterbox_worker.engines.preview import PreviewEngine

SENTENCES = (
    "The harbour was quiet before the ferry came.", "She counted the boats twice.", "A lamp burned in the far window.",
    "Nobody had swept the steps since Sunday.", "He carried the letter in his left pocket.",
    "The gulls argued over a crust.", "Rain began at noon and stayed.",
    "We walked as far as the old mill and back again.", "The clock in the hall runs late.",
    "Her brother paints signs for shops.", "I left the gate open for you.", "Two children raced along the wall.",
    "The bread was still warm when they sat down.", "No one answered the second knock.",
    "A train passed without stopping.", "They planted beans behind the chapel.", "The map was wrong about the bridge.",
    "His voice carried over the water.", "It takes an hour to reach the lighthouse.",
    "The last guest left before midnight.",
)  # fmt: skip


@cache
def recordings() -> tuple[Audio, ...]:
    """A recording of every sentence, in order."""
    engine = PreviewEngine()
    takes = [engine.submit(Utterance(text, "en", DEFAULT_VOICE, {}, 0)) for text in SENTENCES]
    clips = tuple(next(iter(take)) for take in takes)
    engine.close()
    return clips


def wav(audio: Audio) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples, audio.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def write_clips(folder: Path, count: int = len(SENTENCES)) -> Path:
    """A folder in LJSpeech's format: wavs/clip-07.wav and metadata.csv."""
    (folder / "wavs").mkdir(parents=True)
    lines = []
    for number, (text, audio) in enumerate(zip(SENTENCES[:count], recordings(), strict=False)):
        (folder / "wavs" / f"clip-{number:02}.wav").write_bytes(wav(audio))
        lines.append(f"clip-{number:02}|{text}|{text}\n")
    (folder / "metadata.csv").write_text("".join(lines))
    return folder


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV file with a header."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        table.writeheader()
        table.writerows(rows)
    return path


def as_json_lines(folder: Path) -> Path:
    """The table of `write_clips` as JSON lines, in the same folder."""
    lines = (line.split("|") for line in (folder / "metadata.csv").read_text().splitlines())
    rows = [{"file_name": f"wavs/{name}.wav", "text": text} for name, text, _ in lines]
    path = folder / "clips.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def as_parquet(folder: Path, target: Path) -> Path:
    """The clips of `write_clips` as the hub stores an audio set: bytes and path in a struct, and the text."""
    lines = [line.split("|") for line in (folder / "metadata.csv").read_text().splitlines()]
    clips = [(f"{name}.wav", (folder / "wavs" / f"{name}.wav").read_bytes(), text) for name, text, _ in lines]
    return write_parquet(target, clips)


def write_parquet(folder: Path, clips: Sequence[tuple[str, bytes, str]]) -> Path:
    """An audio set of clips with file name, bytes and text."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet

    folder.mkdir()
    audio = [{"bytes": data, "path": name} for name, data, _ in clips]
    table = pa.table({"audio": audio, "text": [text for *_, text in clips]})
    features = datasets.Features({"audio": datasets.Audio(), "text": datasets.Value("string")})
    metadata = json.dumps({"info": {"features": features.to_dict()}})
    pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": metadata}), folder / "train.parquet")
    return folder
