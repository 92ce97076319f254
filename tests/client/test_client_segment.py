"""`Speech.segment`: the answer's audio as pydub has it, in every format and without an ffmpeg program."""

from __future__ import annotations

import base64
import sys
from typing import Any

import numpy as np
import pytest

from chatterbox_worker.audio.encode import AAC_PRIMING_SAMPLES, encode
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.client import ClientError, Job, NoAudio
from support.audio_clips import RATE, speech


def _job(audio_format: str, audio: bytes, **output: Any) -> Job:
    about = {"format": audio_format, "sample_rate": RATE, "audio_base64": base64.b64encode(audio).decode(), **output}
    return Job({"id": "a", "status": "COMPLETED", "output": about})


@pytest.mark.parametrize("audio_format", FORMATS)
def test_every_format_becomes_a_segment(audio_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    sound = speech("Cut and mix.")
    segment = _job(audio_format, encode(sound, audio_format, RATE)).speech.segment()
    late_ms = 1000 * AAC_PRIMING_SAMPLES / RATE if audio_format == "aac" else 0
    assert (segment.channels, segment.sample_width) == (1, 2)
    assert len(segment) == pytest.approx(1000 * sound.duration_s + late_ms, abs=45)
    assert segment.max == pytest.approx(32767 * np.max(np.abs(sound.samples)), rel=0.1)
    half = segment[: len(segment) // 2] + segment[len(segment) // 2 :]
    assert len(half) == len(segment)
    if audio_format in ("wav", "flac", "pcm"):
        assert segment.raw_data == sound.pcm16()


def test_audio_that_is_elsewhere_or_broken_is_reported() -> None:
    elsewhere = Job({"id": "a", "status": "COMPLETED", "output": {"format": "wav", "audio_path": "/v/a.wav"}})
    with pytest.raises(NoAudio, match=r"/v/a\.wav: download it"):
        elsewhere.speech.segment()
    for audio_format in ("mp3", "aac"):
        with pytest.raises(NoAudio, match="cannot be decoded"):
            _job(audio_format, b"not audio").speech.segment()


def test_without_pydub_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydub", None)
    with pytest.raises(ClientError, match="needs the package pydub: pip install pydub"):
        _job("wav", encode(speech("Cut."), "wav", RATE)).speech.segment()
