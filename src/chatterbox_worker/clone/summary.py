"""The findings in words: a line for every stretch that was kept, left out or refused, and one for the whole."""

from __future__ import annotations

from collections.abc import Iterator

from chatterbox_worker.clone.findings import Findings, Judged
from chatterbox_worker.clone.voice import Made

_MOST_DB = 60.0  # of a difference; more is silence made by a machine


def lines(findings: Findings) -> Iterator[str]:
    """File by file."""
    for name, recording in findings.recordings.items():
        yield f"{name}  {recording.audio.duration_s:.1f} s at {recording.sample_rate} Hz"
        yield from (f"  {_line(each)}" for each in findings.judged if each.segment.file == name)
    yield from (f"refused: {refused.why}" for refused in findings.refused)


def total(findings: Findings) -> str:
    found_s = sum(recording.audio.duration_s for recording in findings.recordings.values())
    similarities = [findings.likeness[segment] for segment in findings.kept if segment in findings.likeness]
    kept = f"kept {findings.kept_s:.1f} s in {len(findings.kept)} of {len(findings.judged)} segments"
    parts = [
        f"{kept}, of {found_s:.1f} s in {len(findings.recordings)} files",
        f"{len(findings.refused)} refused" if findings.refused else "",
        f"similarity {min(similarities):.2f} to {max(similarities):.2f}" if similarities else "",
        "" if findings.encoder else "that it is one speaker was taken on trust",
    ]
    return "; ".join(part for part in parts if part)


def clip(made: Made) -> str:
    places = [f"{span.file} from {span.start_s:.1f} to {span.end_s:.1f} s" for span in made.clip.spans]
    return f"speaks from a clip of {made.bundle.clip.duration_s:.1f} s: {', then '.join(places)}"


def _line(judged: Judged) -> str:
    it = judged.segment
    place = f"{it.start_s:6.1f} to {it.end_s:6.1f} s"
    if judged.fault is not None:
        return f"left {place}  {judged.fault}"
    likeness = "" if judged.similarity is None else f", similarity {judged.similarity:.2f}"
    noise = min(it.snr_db, _MOST_DB)
    return f"kept {place}  {it.level_dbfs:.0f} dBFS, noise {noise:.0f} dB below{likeness}"
