"""How often `clone` takes two people for one, and one for two: mixtures of readers, single readers, meetings.

    python -m bench.speakers READERS CACHE [--weights-dir DIR] [--meetings DIR] [--kinds one,two]
        [--every 1] [--part 1/2] [--min-snr 20] [--resume]

READERS has a folder of recordings for each person (LibriSpeech's layout). Two readers take turns of 1.5, 3, 4 and 6 s,
cut wherever that is, with gaps of 0.12, 0.3 and 0.6 s and noise of -65 dBFS, for a minute; each mixture is cloned as it
is and again with a recording of the first reader that is not in it (`--like`). A single reader's files are cloned as
they are, at several levels, and with every second file 22 dB quieter. The embedding of each window is stored in CACHE,
so a second run takes a fraction of the time. `--every n` takes each nth case, `--part k/n` one part of them; results
are stored in CACHE as well, and the table is printed over all that are there. `--resume` keeps the results that are
there; without it they are computed again.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.clone.findings import Findings, examine
from chatterbox_worker.clone.quality import LEAST_SNR_DB
from chatterbox_worker.clone.voice import build_voice
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.wiring import speaker_encoder

RATE = 16_000
TURNS_S, GAPS_S = (1.5, 3.0, 4.0, 6.0), (0.12, 0.3, 0.6)
LEVELS_DBFS = (-20.0, -30.0, -38.0, -45.0)
_MIXTURE_S = 60.0
_LIKE_S = 8.0
_NOISE_DBFS = -65.0
_FADE = 160  # samples at each end of a turn
_MIXED_DB = 22.0
_PURE = 0.97  # of the time that is kept: as good as one person's
_MIN_SPEECH_S = 10.0

Truth = list[tuple[float, float, int]]
"""Start and end in seconds and person of each turn."""


class CachedEncoder:
    """The voice encoder; embeddings that were computed once are stored."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self._encoder = speaker_encoder(settings)
        self.made_by, self.name = self._encoder.made_by, self._encoder.name
        self._store = sqlite3.connect(path, timeout=60)
        self._store.execute("CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, value BLOB)")

    def windows(self, speech: Samples) -> Samples:
        keys = [
            hashlib.sha256(self.made_by.encode() + np.ascontiguousarray(each).tobytes()).digest() for each in speech
        ]
        missing = [index for index, key in enumerate(keys) if self._get(key) is None]
        if missing:
            computed = zip(missing, self._encoder.windows(speech[missing]), strict=True)
            rows = [(keys[index], each.astype(np.float32).tobytes()) for index, each in computed]
            self._store.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
            self._store.commit()
        return np.stack([np.frombuffer(self._get(key) or b"", np.float32) for key in keys])

    def _get(self, key: bytes) -> bytes | None:
        row = self._store.execute("SELECT value FROM embeddings WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    """The row of the table."""
    name: str
    files: Mapping[str, Samples]
    truth: Truth | None = None
    """None for one person, or where it is not known."""
    like: Samples | None = None


def read_people(folder: Path) -> dict[str, list[Samples]]:
    """Each person's recordings, at 16 kHz."""
    return {
        person.name: [soundfile.read(path, dtype="float32")[0] for path in sorted(person.glob("*.flac"))]
        for person in sorted(folder.iterdir())
    }


def mix(one: Samples, other: Samples, turn_s: float, gap_s: float) -> tuple[Samples, Truth]:
    """Turns of `turn_s` of one and the other until a minute is full or one of them has no more."""
    size, gap = round(turn_s * RATE), np.zeros(round(gap_s * RATE), np.float32)
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    parts: list[Samples] = []
    truth: Truth = []
    for number in range(int(_MIXTURE_S / (turn_s + gap_s))):
        part = (one, other)[number % 2][number // 2 * size :][:size].copy()
        if len(part) < size:
            break
        part[:_FADE] *= ramp
        part[-_FADE:] *= ramp[::-1]
        start_s = number * (size + len(gap)) / RATE
        truth.append((start_s, start_s + turn_s, number % 2))
        parts += [part, gap]
    mixed = np.concatenate(parts)
    noise = 10 ** (_NOISE_DBFS / 20) * np.random.default_rng(0).standard_normal(len(mixed))
    return (mixed + noise).astype(np.float32), truth


def at_level(recordings: list[Samples], dbfs: float) -> list[Samples]:
    """All of them with the gain that brings them together to `dbfs` (RMS)."""
    power = np.square(np.concatenate(recordings)).mean()
    return [each * np.float32(10 ** (dbfs / 20) / np.sqrt(power)) for each in recordings]


def mixtures(people: Mapping[str, list[Samples]]) -> Iterator[Case]:
    for (one, other), turn_s, gap_s in itertools.product(itertools.combinations(people, 2), TURNS_S, GAPS_S):
        first = np.concatenate(people[one])
        like, rest = first[-round(_LIKE_S * RATE) :], first[: -round(_LIKE_S * RATE)]
        mixed, truth = mix(rest, np.concatenate(people[other]), turn_s, gap_s)
        name, row = f"{one} {other} {turn_s} {gap_s}", f"turns {turn_s:g} s, gaps {gap_s:g} s"
        yield Case(f"two: {row}", name, {"mixed.wav": mixed}, truth)
        yield Case(f"like: {row}", f"like {name}", {"mixed.wav": mixed}, truth, like)


def singles(people: Mapping[str, list[Samples]]) -> Iterator[Case]:
    for person, recordings in people.items():
        variants: dict[str, list[Samples]] = {"as recorded": recordings}
        variants |= {f"at {dbfs:g} dBFS": at_level(recordings, dbfs) for dbfs in LEVELS_DBFS}
        quiet = np.float32(10 ** (-_MIXED_DB / 20))
        variants["half 22 dB quieter"] = [each * quiet if index % 2 else each for index, each in enumerate(recordings)]
        variants["last half 22 dB quieter"] = [
            each * quiet if index >= len(recordings) // 2 else each for index, each in enumerate(recordings)
        ]
        for kind, variant in variants.items():
            files = {f"{index}.wav": each for index, each in enumerate(variant)}
            yield Case(f"one: {kind}", f"{person} {kind}", files)


def meetings(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*.wav")):
        samples = soundfile.read(path, dtype="float32")[0]
        yield Case("meeting", path.name, {"meeting.wav": samples})


def judge(case: Case, encoder: CachedEncoder, min_snr_db: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "in"
        inside.mkdir()
        for name, samples in case.files.items():
            soundfile.write(inside / name, samples, RATE, subtype="FLOAT")
        like = None
        if case.like is not None:
            like = Path(folder) / "like.wav"
            soundfile.write(like, case.like, RATE, subtype="FLOAT")
        findings = examine(inside, encoder, like=like, min_snr_db=min_snr_db)
    try:
        build_voice(findings, min_speech_s=_MIN_SPEECH_S)
        reason = None
    except InvalidRequest as error:
        reason = error.message
    total_s = sum(recording.audio.duration_s for recording in findings.recordings.values())
    return {
        "kind": case.kind, "name": case.name, "reason": reason, "kept_s": findings.kept_s, "total_s": total_s,
        "pure": None if case.truth is None else _pure(findings, case.truth),
        **_figures(findings),
    }  # fmt: skip


def _figures(findings: Findings) -> dict[str, Any]:
    if findings.diarisation is None:
        return {}
    groups, speaker = findings.diarisation.groups, findings.speaker
    return {"halves": groups.halves[speaker], "spread": groups.spreads[speaker], "windows": groups.counts[speaker]}


def _pure(findings: Findings, truth: Truth) -> float | None:
    """The share of the kept speech that is one person's."""
    seconds = [0.0, 0.0]
    for segment in findings.kept:
        for start_s, end_s, person in truth:
            seconds[person] += max(0.0, min(end_s, segment.end_s) - max(start_s, segment.start_s))
    return max(seconds) / sum(seconds) if sum(seconds) else None


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in sorted(results, key=lambda each: str(each["kind"])):
        rows[each["kind"]].append(each)
    for each in results:
        rows[f"{each['kind'].partition(':')[0]}: all"].append(each)
    yield "| what | cases | voice | refused or doubted | of the voices one person's | good | kept of the time |"
    yield "|---|---|---|---|---|---|---|"
    for kind, cases in rows.items():
        voices = [each for each in cases if each["reason"] is None]
        pure = [each for each in voices if each["pure"] is None or each["pure"] >= _PURE]
        good = len(voices) if kind.startswith("one") else len(cases) - len(voices) + len(pure)
        good = len(cases) - len(voices) if kind.startswith("meeting") else good
        share = np.median([each["kept_s"] / each["total_s"] for each in voices]) if voices else 0.0
        yield (
            f"| {kind} | {len(cases)} | {len(voices)} | {len(cases) - len(voices)} | "
            f"{'' if kind.startswith(('one', 'meeting')) else len(pure)} | {good / len(cases):.0%} | {share:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.speakers")
    parser.add_argument("readers", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--weights-dir", type=Path)
    parser.add_argument("--meetings", type=Path)
    parser.add_argument("--kinds", default="meeting,one,two,like", help="first words of the table's rows")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--min-snr", type=float, default=LEAST_SNR_DB)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    encoder = CachedEncoder(Settings(weights_dir=options.weights_dir, threads=1), options.cache / "embeddings.sqlite")
    people = read_people(options.readers)
    cases = [*meetings(options.meetings)] if options.meetings else []
    cases += [*singles(people), *mixtures(people)]
    cases = [case for case in cases if case.kind.split(":")[0] in options.kinds.split(",")]
    part, parts = map(int, options.part.split("/"))
    path = options.cache / f"results-{options.min_snr:g}dB.jsonl"
    done = set(_read_results(path)) if options.resume else set()
    for case in cases[part - 1 :: parts][:: options.every]:
        if case.name not in done:
            result = judge(case, encoder, options.min_snr)
            with path.open("a") as file:
                file.write(json.dumps(result) + "\n")
    print("\n".join(table(list(_read_results(path).values()))))


def _read_results(path: Path) -> dict[str, dict[str, Any]]:
    """The last result of each case, by its name."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {each["name"]: each for each in map(json.loads, lines)}


if __name__ == "__main__":
    main()
