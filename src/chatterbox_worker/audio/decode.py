"""`decode`: untrusted bytes to mono sound, or an error that says why not.

The bytes may be hostile. Demuxers and codecs are listed by name, so that no playlist can make libav open a file or a
URL and no exotic codec is reached. What a small file unpacks to is limited in seconds and in samples of all channels:
the sound is mixed to mono and resampled piece by piece, and decoding stops where a limit is passed. So is the memory
for a tag. Every fault becomes an InvalidRequest. libav's log is off: it would print to stderr.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any, Protocol

import av
import numpy as np
import soxr

from chatterbox_worker.audio.allocations import MOST_READ_BYTES, limit_allocations
from chatterbox_worker.audio.channels import ChannelMix, Interleaver
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.errors import InvalidRequest

READABLE = "wav, mp3, flac, ogg, opus, m4a, aac, webm, aiff or amr"
_DEMUXERS = "wav,w64,mp3,flac,ogg,mov,matroska,aac,aiff,amr,caf,au"
_CODECS = ",".join([
    *("mp3float", "mp3", "mp2float", "mp2", "aac", "flac", "vorbis", "opus", "libopus", "alac"),
    *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
    *("pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
    *("pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
])  # fmt: skip
LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
"""Hertz: telephone to the highest rate of studio converters."""
KEPT_RATE = 48_000
"""Hertz: no model and no format of ours has more."""
MOST_SAMPLES = 1_800 * 48_000 * 2
"""Of all channels: half an hour of stereo at 48 kHz, which takes seconds to decode."""
_MOST_CHANNELS = 8  # 7.1
_MOST_PACKET_BYTES = 4_000_000  # twice the largest that is legal: 65 535 samples of 8 channels in flac
_BLOCK = 65_536  # samples: below it the time goes into calls, not into sound
_SLACK_S = 0.1  # past max_s: the priming and padding that some formats cannot declare
_LOUDEST = 2.0**31  # 32-bit samples that were stored as floats as they were
_SILENT_PEAK = 10 ** (-60 / 20)  # -60 dBFS: below the noise of any room
_BAD_PACKETS = 0.1  # of all packets; a truncated file has one, and players skip a few silently

# What people send by mistake, by its first bytes (after white space), so that the error can name it.
_WRONG_KINDS = MappingProxyType({
    b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture", b"%PDF": "a PDF document", b"<": "a web page or XML",
    b"{": "JSON text", b"version https://git-lfs": "a Git LFS pointer, not the file itself", b"#EXTM3U": "a playlist",
})  # fmt: skip


def decode(
    data: bytes, *, field: str, max_s: float, max_rate: int = KEPT_RATE, max_samples: int = MOST_SAMPLES
) -> Audio:
    """The sound in `data`: its first audio stream, mono, at its own rate or at `max_rate` Hertz if that is lower.

    Sound beyond full scale is scaled down as a whole: mp3 overshoots it, and float files may hold integers.

    Raises:
        InvalidRequest: names `field`; not audio, damaged, no samples, longer than `max_s`, more than `max_samples` of
            all channels, only video, a sample rate out of range, more than 8 channels, samples that are not numbers, or
            silence (a peak under -60 dBFS).
    """
    reader = _Reader(data, field, max_s, max_samples, lambda rate: min(rate, max_rate))
    pieces = list(reader.read())
    if reader.mix.settle():
        pieces = list(reader.read())
    peak = _peak(pieces)
    _refuse_silence(peak, field)
    samples = np.concatenate(pieces)
    if peak > 1.0:
        samples /= np.float32(peak)
    return Audio(samples, reader.rate)


class TooLong(InvalidRequest):
    """A recording is longer than what is read of it."""


class Survey(Protocol):
    """What is to be known of a whole recording before its first piece."""

    def begin(self) -> None:
        """Called before the first piece, and again if all are read again."""

    def add(self, piece: Samples) -> None: ...


def decode_in_pieces(
    data: bytes,
    *,
    field: str,
    max_s: float,
    sample_rate: int,
    max_samples: int = MOST_SAMPLES,
    survey: Survey | None = None,
    lowest_rate: int = LOWEST_RATE,
) -> Iterator[Audio]:
    """The same sound at `sample_rate` Hertz, in pieces of which none is kept: for what may last an hour.

    It is decoded twice, because the gain depends on the whole; `survey` gets the pieces of the first time, without the
    gain. `lowest_rate`: Hertz that the recording has at least. Raises InvalidRequest as `decode`, before the first
    piece.
    """
    reader = _Reader(data, field, max_s, max_samples, lambda _: sample_rate, lowest_rate=lowest_rate)
    peak = _peak(_surveyed(reader, survey))
    if reader.mix.settle():
        peak = _peak(_surveyed(reader, survey))
    _refuse_silence(peak, field)
    gain = np.float32(1.0 / max(1.0, peak))
    return (Audio(piece * gain, sample_rate) for piece in reader.read())


def _surveyed(reader: _Reader, survey: Survey | None) -> Iterator[Samples]:
    if survey is not None:
        survey.begin()
    for piece in reader.read():
        if survey is not None:
            survey.add(piece)
        yield piece


def _peak(pieces: Iterable[Samples]) -> float:
    return max(float(np.abs(piece).max(initial=0.0)) for piece in pieces)


def _refuse_silence(peak: float, field: str) -> None:
    if peak < _SILENT_PEAK:
        raise InvalidRequest(f"{field} is silent: its loudest sample is below -60 dBFS", field=field)


# FFmpegError is the root of libav's own errors; PyAV adds ValueError for a format or layout it cannot name.
_LIBAV_REFUSALS = (av.FFmpegError, ValueError)


def _unreadable(data: bytes, field: str) -> InvalidRequest:
    start = data[:64].lstrip()
    looks = next((f" (it looks like {name})" for magic, name in _WRONG_KINDS.items() if start.startswith(magic)), "")
    return InvalidRequest(f"{field} is not audio that can be read{looks}; send {READABLE}", field=field)


class _Reader:
    """Reads the same bytes as often as it is asked to, each time as mono pieces of a second or so."""

    rate: int
    """Hertz, of the pieces; known with the first."""

    def __init__(
        self,
        data: bytes,
        field: str,
        max_s: float,
        max_samples: int,
        choose_rate: Callable[[int], int],
        *,
        lowest_rate: int = LOWEST_RATE,
    ) -> None:
        self._data, self._field, self._max_s, self._max_samples = data, field, max_s, max_samples
        self._choose_rate, self._lowest_rate = choose_rate, lowest_rate
        self._source_rate = self.rate = 0
        self.mix = ChannelMix()

    def read(self) -> Iterator[Samples]:
        """Finite samples, at least one; raises InvalidRequest."""
        if not self._data:
            raise self._refuse("is empty")
        av.logging.set_level(None)
        limit_allocations(MOST_READ_BYTES)
        try:
            # "none" matches no protocol: the demuxer reads `data` and can open nothing else
            limits = {"format_whitelist": _DEMUXERS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
            with av.open(io.BytesIO(self._data), metadata_errors="ignore", options=limits) as container:
                yield from self._resample(map(self.mix, _group(self._parts(container))))
        except _LIBAV_REFUSALS as problem:
            raise _unreadable(self._data, self._field) from problem

    def _resample(self, pieces: Iterable[Samples]) -> Iterator[Samples]:
        resampler = None
        for piece in pieces:
            if not (np.abs(piece) <= _LOUDEST).all():  # or not a number
                raise self._refuse("contains samples that are not numbers, or larger than those of any sound")
            if resampler is None and self._source_rate != self.rate:
                resampler = soxr.ResampleStream(self._source_rate, self.rate, 1, dtype="float32", quality="HQ")
            yield piece if resampler is None else resampler.resample_chunk(np.ascontiguousarray(piece))
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _parts(self, container: Any) -> Iterator[Samples]:
        """The samples of each frame, shape (n, channels), up to `max_s`."""
        interleave = Interleaver()
        count, unpacked = 0, 0
        for frame in _frames(container, _audio_stream(container, self._field), self._field):
            self._check(frame)
            unpacked += frame.samples * frame.layout.nb_channels
            if unpacked > self._max_samples:
                raise self._refuse(
                    f"unpacks to more than {self._max_samples} samples, at {self._source_rate} Hz with "
                    f"{frame.layout.nb_channels} channels; send it shorter, at a lower rate or with fewer channels"
                )
            for part in interleave(frame):
                kept = part[: max(0, math.ceil(self._max_s * self._source_rate) - count)]
                count += len(part)
                if len(kept):
                    yield kept
            if count > (self._max_s + _SLACK_S) * self._source_rate:
                raise TooLong(f"{self._field} is longer than {self._max_s:g} s", field=self._field)
        if not count:
            raise self._refuse("contains no sound: it has no samples")

    def _check(self, frame: Any) -> None:
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not self._lowest_rate <= rate <= HIGHEST_RATE:
            raise self._refuse(f"has a sample rate of {rate} Hz; it must be {self._lowest_rate} to {HIGHEST_RATE}")
        if self._source_rate not in (0, rate):
            raise self._refuse(f"changes its sample rate from {self._source_rate} to {rate} Hz")
        if not 1 <= channels <= _MOST_CHANNELS:
            raise self._refuse(f"has {channels} channels; at most {_MOST_CHANNELS}")
        self._source_rate, self.rate = rate, self._choose_rate(rate)

    def _refuse(self, why: str) -> InvalidRequest:
        return InvalidRequest(f"{self._field} {why}", field=self._field)


def _group(parts: Iterable[Samples]) -> Iterator[Samples]:
    """The parts joined to blocks of at least `_BLOCK` samples, each with one number of channels."""
    group: list[Samples] = []
    for part in parts:
        if group and (part.shape[1] != group[0].shape[1] or sum(map(len, group)) >= _BLOCK):
            yield np.concatenate(group)
            group = []
        group.append(part)
    if group:
        yield np.concatenate(group)


def _audio_stream(container: Any, field: str) -> Any:
    if not container.streams.audio:
        kind = "video without sound" if container.streams.video else "a container without sound"
        raise InvalidRequest(f"{field} is {kind}; send {READABLE}", field=field)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise InvalidRequest(f"{field} contains sound in a codec that is not supported; send {READABLE}", field=field)
    stream.codec_context.thread_count = 1
    return stream


def _frames(container: Any, stream: Any, field: str) -> Iterator[Any]:
    """Decoded frames. Packets that cannot be decoded are skipped as long as they are few."""
    packets, bad = 0, 0
    for packet in _packets(container, stream):
        packets += 1
        try:
            yield from packet.decode() if packet.size <= _MOST_PACKET_BYTES else ()
        except av.FFmpegError:
            bad += 1
    if bad > max(1, _BAD_PACKETS * packets):
        raise InvalidRequest(f"{field} is damaged: {bad} of its {packets} packets cannot be decoded", field=field)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets up to its end, or to where a truncated file ends."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return
