"""Encoded speech as a `pydub.AudioSegment`, decoded here: pydub itself needs an ffmpeg program for all but wav."""

from __future__ import annotations

import io
import sys
import warnings
from typing import TYPE_CHECKING

import soundfile

from chatterbox_worker.audio.decode import decode
from chatterbox_worker.client.errors import ClientError, NoAudio
from chatterbox_worker.errors import InvalidRequest

if TYPE_CHECKING:
    from pydub import AudioSegment

_LONGEST_S = 86_400.0  # of our own speech: no limit


def segment_of(audio: bytes, audio_format: str, sample_rate: int) -> AudioSegment:
    """
    Raises:
        NoAudio: it cannot be decoded.
        ClientError: pydub is not installed.
    """
    try:
        with warnings.catch_warnings():  # 0.25.1 has escapes that Python warns of, and looks for an ffmpeg program
            warnings.simplefilter("ignore")
            from pydub import AudioSegment  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ClientError(f"Speech.segment needs the package {error.name}: pip install {error.name}") from error
    samples, rate = (audio, sample_rate) if audio_format == "pcm" else _decode(audio, audio_format)
    return AudioSegment(samples, sample_width=2, frame_rate=rate, channels=1)


def _decode(audio: bytes, audio_format: str) -> tuple[bytes, int]:
    """16-bit samples, exactly those of a lossless file, and their rate in Hertz."""
    try:
        if audio_format == "aac":  # which libsndfile does not read
            clip = decode(audio, field="the audio", max_s=_LONGEST_S, max_samples=sys.maxsize)
            return clip.pcm16(), clip.sample_rate
        samples, rate = soundfile.read(io.BytesIO(audio), dtype="int16")
    except (InvalidRequest, soundfile.LibsndfileError) as error:
        raise NoAudio(f"the audio cannot be decoded: {error}") from None
    return samples.astype("<i2").tobytes(), int(rate)
