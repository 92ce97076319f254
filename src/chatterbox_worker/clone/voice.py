"""From findings to a voice: the averaged speaker, the reference clip, and a record of where both came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatterbox_worker import __version__
from chatterbox_worker.clone import speakers
from chatterbox_worker.clone.choose import ClipSpan, ReferenceClip, choose_clip
from chatterbox_worker.clone.findings import Findings
from chatterbox_worker.clone.quality import down
from chatterbox_worker.engine import Speaker
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle

MIN_SPEECH_S = 60.0
"""The default for the least amount of good speech."""


@dataclass(frozen=True, slots=True, eq=False)
class ClonedVoice:
    bundle: Bundle
    clip: ReferenceClip


def build_voice(
    findings: Findings,
    *,
    min_speech_s: float = MIN_SPEECH_S,
    consent: str | None = None,
    despite_doubts: bool = False,
) -> ClonedVoice:
    """
    Raises:
        InvalidRequest: no file can be used, it is doubtful whether one person speaks, there is less than `min_speech_s`
            of good speech, or too little for a clip.
    """
    if not findings.recordings:
        raise InvalidRequest(
            f"none of the {len(findings.refused)} files can be used: {findings.refused[0].why}", field="input_dir"
        )
    if findings.doubts and not despite_doubts:
        raise InvalidRequest(f"{'; '.join(findings.doubts)} (--despite-doubts)", field="input_dir")
    if findings.kept_s < min_speech_s:
        raise InvalidRequest(
            f"there are only {down(findings.kept_s, 1)} s of good speech; "
            f"{min_speech_s:g} s are needed (--min-seconds)",
            field="input_dir",
        )
    clip = choose_clip(findings.kept, findings.recordings, findings.similarities)
    speaker = None
    if findings.encoder is not None:
        embedding = speakers.average([findings.embedded[segment] for segment in findings.kept])
        speaker = Speaker(embedding, findings.encoder.made_by)
    return ClonedVoice(Bundle(clip.audio, speaker, _about(findings, clip, consent)), clip)


def _about(findings: Findings, clip: ReferenceClip, consent: str | None) -> Mapping[str, Any]:
    """JSON-safe: what a person may want to know about a voice file years later."""
    return {
        "made_with": f"chatterbox-worker {__version__}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "consent": consent,
        "encoder": None if findings.encoder is None else findings.encoder.name,
        "doubts": list(findings.doubts),
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
