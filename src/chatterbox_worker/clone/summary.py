"""The findings as text: a line for every segment that was kept, left out or refused, and one for the total."""

from __future__ import annotations

from collections.abc import Iterator

from chatterbox_worker.clone.findings import AssessedSegment, Findings
from chatterbox_worker.clone.voice import ClonedVoice

_MOST_DB = 60.0  # of a difference; more means digital silence


def lines(findings: Findings) -> Iterator[str]:
    """File by file."""
    for name, recording in findings.recordings.items():
        yield f"{name}  {recording.audio.duration_s:.1f} s at {recording.sample_rate} Hz"
        yield from (f"  {_line(each)}" for each in findings.assessed if each.segment.file == name)
    yield from (f"refused: {refused.why}" for refused in findings.refused)
    yield from (f"doubt: {doubt}" for doubt in findings.doubts)


def total(findings: Findings) -> str:
    found_s = sum(recording.audio.duration_s for recording in findings.recordings.values())
    similarities = [findings.similarities[segment] for segment in findings.kept if segment in findings.similarities]
    kept = f"kept {findings.kept_s:.1f} s in {len(findings.kept)} of {len(findings.assessed)} segments"
    parts = [
        f"{kept}, of {found_s:.1f} s in {len(findings.recordings)} files",
        f"{len(findings.refused)} refused" if findings.refused else "",
        f"similarity {min(similarities):.2f} to {max(similarities):.2f}" if similarities else "",
        "" if findings.encoder else "one speaker was assumed",
    ]
    return "; ".join(part for part in parts if part)


def clip(voice: ClonedVoice) -> str:
    places = [f"{span.file} from {span.start_s:.1f} to {span.end_s:.1f} s" for span in voice.clip.spans]
    return f"reference clip of {voice.bundle.clip.duration_s:.1f} s: {', then '.join(places)}"


def _line(assessed: AssessedSegment) -> str:
    it = assessed.segment
    place = f"{it.start_s:6.1f} to {it.end_s:6.1f} s"
    if assessed.fault is not None:
        return f"left {place}  {assessed.fault}"
    similarity = "" if assessed.similarity is None else f", similarity {assessed.similarity:.2f}"
    noise = min(it.snr_db, _MOST_DB)
    return f"kept {place}  {it.level_dbfs:.0f} dBFS, noise {noise:.0f} dB below{similarity}"
