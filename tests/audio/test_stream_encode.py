"""The bytes of all pieces together are one file, which decodes to the input."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed
from support.audio_clips import RATE, tone

CASES = [(name, rate) for name, fmt in FORMATS.items() for rate in fmt.sample_rates]
# Samples by which a decoder may differ: a format without a header cannot declare its padding (docstring of `encode`).
SLACK_S = {"mp3": 3 * 1152, "aac": 2 * 1024, "ogg": 1024, "opus": 480}


def _pieces(audio: Audio, size: int) -> list[Audio]:
    return [Audio(audio.samples[i : i + size], audio.sample_rate) for i in range(0, len(audio.samples), size)]


def _encode(audio: Audio, fmt: str, rate: int, size: int) -> bytes:
    encoder = StreamEncoder(fmt, rate)
    return b"".join([*map(encoder.add, _pieces(audio, size)), encoder.finish()])


def _samples(data: bytes, fmt: str, rate: int) -> Audio:
    if fmt == "pcm":
        return Audio((np.frombuffer(data, "<i2") / 32767).astype(np.float32), rate)
    return decode(data, field="test", max_s=60)


@pytest.mark.parametrize(("fmt", "rate"), CASES)
def test_the_joined_stream_has_the_duration_and_the_pitch_of_the_input(fmt: str, rate: int) -> None:
    audio = _samples(_encode(tone(1.5), fmt, rate, 4_000), fmt, rate)

    assert audio.duration_s == pytest.approx(1.5, abs=SLACK_S.get(fmt, 1) / rate)
    middle = audio.samples[len(audio.samples) // 4 : -len(audio.samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * audio.sample_rate / len(middle) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_same_samples_give_the_same_bytes_however_they_were_cut(fmt: str) -> None:
    assert _encode(tone(1.0), fmt, RATE, RATE) == _encode(tone(1.0), fmt, RATE, 777)


@pytest.mark.parametrize(
    "fmt", sorted(set(FORMATS) - {"ogg"})
)  # libsndfile's pages hold 4 kB, a second of speech or so
def test_sound_is_returned_while_more_is_added(fmt: str) -> None:
    """After two seconds of input, at most half a second is withheld."""
    encoder = StreamEncoder(fmt, RATE)
    first = b"".join(map(encoder.add, _pieces(tone(2.0), 2_400)))
    duration_s = len(first) / 48_000 if fmt == "pcm" else decode(first, field="test", max_s=60).duration_s

    assert duration_s > 1.5


@pytest.mark.parametrize("fmt", ["wav", "flac", "pcm"])
def test_lossless_formats_return_the_same_samples(fmt: str) -> None:
    audio = tone(0.5)
    decoded = _samples(_encode(audio, fmt, RATE, 999), fmt, RATE)

    assert np.array_equal(
        np.round(decoded.samples * (32767 if fmt == "pcm" else 32768)), np.frombuffer(audio.pcm16(), "<i2")
    )


def test_loud_sound_is_clipped_and_never_wraps() -> None:
    decoded = np.frombuffer(_encode(tone(0.2, peak=2.0), "pcm", RATE, 500), "<i2")

    assert decoded.max() == 32767
    assert np.mean(np.abs(np.diff(decoded.astype(np.int64))) > 40_000) == 0


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_empty_piece_and_an_early_end_are_accepted(fmt: str) -> None:
    encoder = StreamEncoder(fmt, RATE)
    encoder.add(Audio(np.zeros(0, np.float32), RATE))
    encoder.finish()
    StreamEncoder(fmt, RATE).finish()


def test_what_cannot_be_encoded_is_rejected() -> None:
    for fmt, rate in (("midi", RATE), ("opus", 44_100)):
        with pytest.raises(InvalidRequest):
            StreamEncoder(fmt, rate)
    encoder = StreamEncoder("pcm", RATE)
    with pytest.raises(SynthesisFailed):
        encoder.add(Audio(np.full(10, np.nan, np.float32), RATE))
    encoder.add(tone(0.1))
    with pytest.raises(ValueError, match="16000 Hz after pieces of 24000"):
        encoder.add(tone(0.1, rate=16_000))
