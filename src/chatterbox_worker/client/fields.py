"""Requests as values: the worker's fields, typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Required, TypedDict

AudioSource = bytes | Path | str
"""A voice's recording: its bytes, a file, or base64 (a data URI too)."""


class _AudioFields(TypedDict, total=False):
    """Of speech and of a conversion alike."""

    model: str | None
    voice: str | None
    reference_audio: AudioSource | None
    voice_url: str | None
    format: str
    sample_rate: int
    bitrate_kbps: int | None
    seed: int | None
    cache: bool
    output: str


class RequestFields(_AudioFields, total=False):
    """The worker's fields that can go with a `text`, or stand in place of it (docs/API.md)."""

    turns: Sequence[TurnFields]
    language: str
    reference_transcript: str | None
    speaker: int
    context: Sequence[Mapping[str, Any]]
    speed: float
    temperature: float | None
    exaggeration: float | None
    cfg_weight: float | None
    repetition_penalty: float | None
    top_p: float | None
    min_p: float | None
    top_k: int | None
    steps: int | None
    position_temperature: float | None
    block_size: int | None
    split_text: bool
    chunk_size: int | None
    max_chunk_s: float | None
    normalize: bool | Mapping[str, bool] | None
    pronunciations: Mapping[str, str] | None
    text_format: Literal["plain", "markdown", "ssml", "script", "auto"]
    line_breaks: Literal["keep", "join", "auto"] | None
    emoji: Literal["drop", "read"]
    ssml_strict: bool
    pause_s: Mapping[str, float] | float | None
    timestamps: Literal["chunk", "word"]
    loudness_lufs: float | None
    gain_db: float
    trim: Literal["none", "edges", "inner"]
    respeak: list[int]
    check: Literal["off", "sound", "words"] | None
    attempts: int
    max_word_error: float
    on_fail: Literal["warn", "error"]
    candidates: int


class TurnFields(RequestFields, total=False):
    """One turn of a dialogue; a field that it leaves out is taken from the dialogue."""

    text: Required[str]
    name: str


class JobKeys(TypedDict, total=False):
    """What RunPod reads next to a job's input."""

    webhook: str
    policy: Mapping[str, Any]
    s3Config: Mapping[str, str]


class SpeechFields(RequestFields, JobKeys, total=False):
    """The same for a whole job, and the keys that RunPod reads next to its input."""


class ConversionFields(_AudioFields, JobKeys, total=False):
    """The worker's fields that can go with a recording to convert, and the keys that RunPod reads next to its input."""


class TextFields(RequestFields, total=False):
    """One of several texts; a field that it leaves out is taken from the job."""

    id: Required[str]
    text: str
