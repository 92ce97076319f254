"""`encode`: sound to the bytes of a file, in every format of `catalogue.FORMATS`.

The same samples give the same bytes: no time stamps, no random stream serials (the tests check this). Clips under 10 ms
are encoded, but some readers do not recognise an mp3 or aac file of one or two frames. What a decoder returns for n
samples:

    wav, flac, pcm   n, and exactly the samples of `Audio.pcm16`
    mp3              n; the Xing/LAME frame carries encoder delay and padding, and decoders that ignore it (some
                     browsers and most hardware) add up to 2 frames, of 576 samples below 32 kHz and 1152 above
    opus             n; declared by pre-skip and the last page's granule (RFC 7845). ffmpeg decodes to 48 000 Hz, and
                     sometimes 0.5 ms short for 8 000 Hz speech
    ogg              n from libvorbis; ffmpeg's own decoder is off by at most half a long block (1024 samples)
    aac              1024 samples of priming, n, and up to 1023 to fill the last frame: ADTS has no field for it, so the
                     sound starts 1024 samples late (43 ms at 24 kHz)

Encoders get the sound in pieces of 16 384 samples: libvorbis copies all of the first write onto the thread's stack,
which ends the process from about 2 million samples on (libsndfile's issue 1095), and pieces bound the memory too.

Sound beyond full scale is scaled down as a whole, which is linear. A limiter would distort speech whose only fault is
the overshoot of resampling, and a chunk that jumps to full scale is a fault of the engine that should not be hidden.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.ogg import with_fixed_serial
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed, choices, quote

_Encoder = Callable[[Iterable[Audio], int], bytes]
"""From pieces within ±1.0 and their rate in Hertz to a file."""

AAC_PRIMING_SAMPLES = 1024
"""Samples of silence that every AAC-LC decoder outputs before the sound, and that ADTS cannot declare."""


def encode(audio: Audio, format: str, sample_rate: int, bitrate_kbps: int | None = None) -> bytes:  # noqa: A002 - the name of the request's field
    """`audio` as a file of that format at that rate, mono; mp3 at `bitrate_kbps`, if it is given.

    Raises:
        InvalidRequest: no such format, or a rate that the format does not have.
        SynthesisFailed: the samples are not finite numbers.
        ValueError: there are no samples.
    """
    check_format(format, sample_rate)
    if not len(audio.samples):
        raise ValueError("cannot encode a clip without samples")
    if not np.isfinite(audio.samples).all():
        raise SynthesisFailed("the speech contains samples that are not numbers")
    return encode_pieces([_scale_to_full(resample(audio, sample_rate))], format, sample_rate, bitrate_kbps)


def encode_pieces(pieces: Iterable[Audio], format: str, sample_rate: int, bitrate_kbps: int | None) -> bytes:  # noqa: A002 - as in `encode`
    """The same for finite samples within ±1.0 that are at that rate already, without keeping them.

    Raises:
        InvalidRequest: as `encode`.
    """
    check_format(format, sample_rate)
    encoder = _ENCODERS[format]
    if bitrate_kbps is not None and isinstance(encoder, Libav):
        encoder = replace(encoder, bit_rates={sample_rate: bitrate_kbps * 1000})
    return encoder((part for piece in pieces for part in cut(piece)), sample_rate)


def encode_recording(audio: Audio) -> bytes:
    """Samples within ±1.0 at any rate as 16-bit FLAC; those of a 16-bit file are decoded to exactly the same again."""
    buffer = io.BytesIO()
    with _open_flac(buffer, audio.sample_rate) as file:
        for piece in cut(audio):
            file.write(np.clip(np.round(piece.samples * 32768), -32768, 32767).astype(np.int16))
    return buffer.getvalue()


def check_format(format: str, sample_rate: int) -> None:  # noqa: A002 - as in `encode`
    """Raises InvalidRequest for a format that does not exist, or a rate that it does not have."""
    if format not in FORMATS:
        raise InvalidRequest(f"format {quote(format)} is unknown; choose {choices(FORMATS)}", field="format")
    if sample_rate not in (rates := FORMATS[format].sample_rates):
        sentence = f"{format} has no sample rate of {sample_rate} Hz; choose {choices(rates)}"
        raise InvalidRequest(sentence, field="sample_rate")


def cut(audio: Audio) -> Iterator[Audio]:
    """The sound in pieces that every encoder takes."""
    for start in range(0, len(audio.samples), _PIECE):
        yield Audio(audio.samples[start : start + _PIECE], audio.sample_rate)


_PIECE = 16_384  # samples: 64 kB of the stack, where a thread has at least 512 kB


def _scale_to_full(audio: Audio) -> Audio:
    peak = max(float(audio.samples.max()), -float(audio.samples.min()))
    return audio if peak <= 1.0 else Audio((audio.samples / np.float32(peak)).astype(np.float32), audio.sample_rate)


def _pcm(pieces: Iterable[Audio], _: int) -> bytes:
    buffer = io.BytesIO()  # a join would hold everything twice
    for piece in pieces:
        buffer.write(piece.pcm16())
    return buffer.getvalue()


def _wav(pieces: Iterable[Audio], sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        for piece in pieces:
            file.writeframesraw(piece.pcm16())
    return buffer.getvalue()


def _flac(pieces: Iterable[Audio], sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    with _open_flac(buffer, sample_rate) as file:
        for piece in pieces:
            file.write(np.frombuffer(piece.pcm16(), "<i2"))
    return buffer.getvalue()


def _open_flac(buffer: io.BytesIO, sample_rate: int) -> Any:
    return soundfile.SoundFile(buffer, "w", sample_rate, 1, format="FLAC", subtype="PCM_16")


def _vorbis(pieces: Iterable[Audio], sample_rate: int) -> bytes:
    """Uses libsndfile: ffmpeg's own Vorbis encoder is stereo only and marked experimental."""
    buffer = io.BytesIO()
    with open_vorbis(buffer, sample_rate) as file:
        for piece in pieces:
            file.write(piece.samples)
    return with_fixed_serial(buffer.getvalue())


def open_vorbis(buffer: Any, sample_rate: int) -> Any:
    """A `soundfile.SoundFile` that writes Ogg Vorbis; write only pieces as small as those of `cut`."""
    return soundfile.SoundFile(
        buffer, "w", sample_rate, 1, format="OGG", subtype="VORBIS", compression_level=_VORBIS_COMPRESSION
    )


# libsndfile's 0 (best) to 1 (smallest) is 1 minus libvorbis's quality 0 to 1: this is quality 0.4, the -q 4 that
# libvorbis' authors call good; mono speech at 24 kHz takes about 55 kbit/s.
_VORBIS_COMPRESSION = 0.6


@dataclass(frozen=True, slots=True)
class Libav:
    """A codec and a container of libav, at a bit rate for mono speech."""

    container: str
    codec: str
    sample_format: str
    bit_rates: Mapping[int, int]
    """Bits per second by sample rate in Hertz."""
    options: Mapping[str, str]
    """Of the container."""

    def __call__(self, pieces: Iterable[Audio], sample_rate: int) -> bytes:
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=self.container, options=dict(self.options)) as container:
            track = Track(container, self.codec, self.sample_format, sample_rate, self.bit_rates[sample_rate])
            for piece in pieces:
                track.add(piece)
            track.finish()
        return buffer.getvalue()


class Track:
    """A mono stream of a container of libav that is open for writing: `add` pieces, then `finish`."""

    def __init__(self, container: Any, codec: str, sample_format: str, rate: int, bits: int | None) -> None:
        """`bits`: per second; None for a codec without a bit rate."""
        self._container, self._format = container, sample_format
        self.stream = container.add_stream(codec, rate=rate, layout="mono")
        if bits is not None:
            self.stream.bit_rate = bits
        self.stream.codec_context.format = sample_format
        self.stream.codec_context.thread_count = 1
        self.samples = 0
        """Those that were added."""

    def add(self, audio: Audio) -> None:
        for piece in cut(audio):
            self._container.mux(self.stream.encode(_frame(piece, self._format, at=self.samples)))
            self.samples += len(piece.samples)

    def finish(self) -> None:
        self._container.mux(self.stream.encode(None))


def _frame(audio: Audio, sample_format: str, *, at: int) -> av.AudioFrame:
    """A frame for libav in the sample format "s16" or "fltp", `at` samples after the start; of any length, since PyAV
    cuts it to those that the codec takes.
    """
    samples: npt.NDArray[Any] = audio.samples
    if sample_format == "s16":
        samples = np.frombuffer(audio.pcm16(), "<i2").astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format=sample_format, layout="mono")
    frame.sample_rate = audio.sample_rate
    frame.time_base = Fraction(1, audio.sample_rate)
    frame.pts = at
    return frame


LIBAV: Mapping[str, Libav] = MappingProxyType({
    # Where more bits stop helping: at 24 kHz the log-spectral distance to 12 recorded voices is 5.3 dB at 64 kbit/s,
    # 4.3 at 96, 4.0 at 128 and 3.8 at 160, the most that the format has. MPEG-2.5 (8 kHz) has at most 64. No ID3 tag:
    # its only content would be "Lavf".
    "mp3": Libav(
        "mp3", "libmp3lame", "fltp",
        {8000: 64_000, 16000: 96_000, 22050: 128_000, 24000: 128_000, 44100: 128_000, 48000: 128_000},
        {"id3v2_version": "0", "write_xing": "1", "fflags": "+bitexact"},
    ),
    # RFC 7587 section 3.1.1, mono speech: 8-12 kbit/s narrow, 16-20 wide, 28-40 full band. The upper end of each, plus
    # headroom, since a file is compressed once and stored.
    "opus": Libav(
        "ogg", "libopus", "s16",
        {8000: 16_000, 16000: 24_000, 24000: 40_000, 48000: 48_000},
        {"fflags": "+bitexact"},
    ),
    # ffmpeg's rule of thumb for its own encoder is 64 kbit/s per channel; AAC allows 6144 bits per frame, which at
    # 8 kHz is 48 kbit/s.
    "aac": Libav(
        "adts", "aac", "fltp",
        {8000: 32_000, 16000: 48_000, 22050: 64_000, 24000: 64_000, 44100: 96_000, 48000: 96_000},
        {"fflags": "+bitexact"},
    ),
})  # fmt: skip
_ENCODERS: Mapping[str, _Encoder] = MappingProxyType(
    {"wav": _wav, "flac": _flac, "pcm": _pcm, "ogg": _vorbis} | dict(LIBAV)
)


def bit_rate(format: str, sample_rate: int) -> int:  # noqa: A002 - as in `encode`
    """Bits per second of a format with a fixed rate: mp3, opus or aac."""
    return LIBAV[format].bit_rates[sample_rate]


def default_kbps(sample_rate: int) -> int:
    """The bit rate of mp3 at that sample rate, if a request names none."""
    return bit_rate("mp3", sample_rate) // 1000
