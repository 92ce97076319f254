"""From findings to a voice: the speaker averaged, the clip to speak from chosen, and where both came from written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatterbox_worker import __version__
from chatterbox_worker.clone import choose, speakers
from chatterbox_worker.clone.choose import ClipSpan, ReferenceClip
from chatterbox_worker.clone.findings import Findings
from chatterbox_worker.engine import Speaker
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle

LEAST_S = 60.0
"""Of good speech, unless somebody says less will do."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    bundle: Bundle
    clip: ReferenceClip


def make(findings: Findings, *, least_s: float = LEAST_S, consent: str | None = None) -> Made:
    """
    Raises:
        InvalidRequest: it is not clear whose voice it is, or there is less than `least_s` of good speech, or too little for
            a clip.
    """
    if findings.doubt is not None:
        raise InvalidRequest(findings.doubt, field="input_dir")
    if findings.kept_s < least_s:
        raise InvalidRequest(
            f"{findings.kept_s:.1f} s of good speech are left; {least_s:g} s are wanted (--min-seconds)",
            field="input_dir",
        )
    clip = choose.best(findings.kept, findings.recordings, findings.likeness)
    speaker = None
    if findings.encoder is not None:
        embedding = speakers.averaged([findings.heard[segment] for segment in findings.kept])
        speaker = Speaker(embedding, findings.encoder.made_by)
    return Made(Bundle(clip.audio, speaker, _about(findings, clip, consent)), clip)


def _about(findings: Findings, clip: ReferenceClip, consent: str | None) -> Mapping[str, Any]:
    """JSON-safe: what a person wants to know of a voice file years later."""
    return {
        "made_with": f"chatterbox-worker {__version__}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "consent": consent,
        "encoder": None if findings.encoder is None else findings.encoder.name,
        "speech_s": round(findings.kept_s, 1),
        "clip": {"from": [_place(span) for span in clip.spans], "gain_db": round(clip.gain_db, 1)},
        "sources": [_source(findings, name) for name in findings.recordings if _kept_s(findings, name)],
    }


def _source(findings: Findings, name: str) -> Mapping[str, Any]:
    recording = findings.recordings[name]
    return {
        "file": name,
        "sha256": recording.sha256,
        "duration_s": round(recording.audio.duration_s, 1),
        "kept_s": round(_kept_s(findings, name), 1),
    }


def _kept_s(findings: Findings, name: str) -> float:
    return sum(segment.duration_s for segment in findings.kept if segment.file == name)


def _place(span: ClipSpan) -> Mapping[str, Any]:
    return {"file": span.file, "start_s": round(span.start_s, 2), "end_s": round(span.end_s, 2)}
