"""`decode`: untrusted bytes to mono sound, or an error that says why not.

The bytes may be hostile. Demuxers and codecs are listed by name, so that no playlist can make libav open a file or a
URL and no exotic codec is reached. Decoding stops as soon as the limit is passed, so a small file cannot fill the
memory. Every fault becomes an InvalidRequest. libav's log is off: it would print to stderr.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import av
import numpy as np

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
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 192_000  # Hertz: telephone to the highest rate of studio converters
_MOST_CHANNELS = 8  # 7.1
_SLACK_S = 0.1  # past max_s: the priming and padding that some formats cannot declare
_SILENT_PEAK = 10 ** (-60 / 20)  # -60 dBFS: below the noise of any room
_BAD_PACKETS = 0.1  # of all packets; a truncated file has one, and players skip a few silently

# What people send by mistake, by its first bytes (after white space), so that the error can name it.
_WRONG_KINDS = MappingProxyType({
    b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture", b"%PDF": "a PDF document", b"<": "a web page or XML",
    b"{": "JSON text", b"version https://git-lfs": "a Git LFS pointer, not the file itself", b"#EXTM3U": "a playlist",
})  # fmt: skip


def decode(data: bytes, *, field: str, max_s: float) -> Audio:
    """The sound in `data`: its first audio stream, at its own rate, channels mixed by their mean.

    Raises:
        InvalidRequest: names `field`; not audio, damaged, no samples, longer than `max_s`, only video, a sample rate
            out of range, more than 8 channels, samples that are not numbers, or silence (a peak under -60 dBFS).
    """
    if not data:
        raise InvalidRequest(f"{field} is empty", field=field)
    av.logging.set_level(None)
    try:
        # "none" matches no protocol: the demuxer reads `data` and can open nothing else
        limits = {"format_whitelist": _DEMUXERS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
        with av.open(io.BytesIO(data), metadata_errors="ignore", options=limits) as container:
            audio = _read_sound(container, field, max_s)
    except _LIBAV_REFUSALS as problem:
        raise _unreadable(data, field) from problem
    if not np.isfinite(audio.samples).all():
        raise InvalidRequest(f"{field} contains samples that are not numbers", field=field)
    if np.max(np.abs(audio.samples)) < _SILENT_PEAK:
        raise InvalidRequest(f"{field} is silent: its loudest sample is below -60 dBFS", field=field)
    return audio


# FFmpegError is the root of libav's own errors; PyAV adds ValueError for a format or layout it cannot name.
_LIBAV_REFUSALS = (av.FFmpegError, ValueError)


def _unreadable(data: bytes, field: str) -> InvalidRequest:
    start = data[:64].lstrip()
    looks = next((f" (it looks like {name})" for magic, name in _WRONG_KINDS.items() if start.startswith(magic)), "")
    return InvalidRequest(f"{field} is not audio that can be read{looks}; send {READABLE}", field=field)


def _read_sound(container: Any, field: str, max_s: float) -> Audio:
    if not container.streams.audio:
        kind = "video without sound" if container.streams.video else "a container without sound"
        raise InvalidRequest(f"{field} is {kind}; send {READABLE}", field=field)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise InvalidRequest(f"{field} contains sound in a codec that is not supported; send {READABLE}", field=field)
    stream.codec_context.thread_count = 1
    to_mono = _ToMono(field)
    pieces: list[Samples] = []
    rate, count = 0, 0
    for frame in _frames(container, stream, field):
        rate = rate or _check_rate(frame.sample_rate, field)
        if frame.sample_rate != rate:
            raise InvalidRequest(f"{field} changes its sample rate from {rate} to {frame.sample_rate} Hz", field=field)
        mono = to_mono(frame)
        pieces += mono
        count += sum(map(len, mono))
        if count > (max_s + _SLACK_S) * rate:
            raise InvalidRequest(f"{field} is longer than {max_s:g} s", field=field)
    if not count:
        raise InvalidRequest(f"{field} contains no sound: it has no samples", field=field)
    return Audio(np.concatenate(pieces)[: math.ceil(max_s * rate)], rate)


def _frames(container: Any, stream: Any, field: str) -> Iterator[Any]:
    """Decoded frames. Packets that cannot be decoded are skipped as long as they are few."""
    packets, bad = 0, 0
    for packet in _packets(container, stream):
        packets += 1
        try:
            yield from packet.decode()
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


def _check_rate(rate: int, field: str) -> int:
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        sentence = f"{field} has a sample rate of {rate} Hz; it must be {_LOWEST_RATE} to {_HIGHEST_RATE}"
        raise InvalidRequest(sentence, field=field)
    return rate


class _ToMono:
    """Frames of any sample format to mono float samples: the mean of the channels, in ±1.0.

    The planes of a decoder's own frame are never read: PyAV 18 finds their end by a null pointer, which planar frames
    of eight channels or more do not have, and reads past it. Interleaved frames have one plane.
    """

    def __init__(self, field: str) -> None:
        self._field = field
        self._interleavers: dict[tuple[str, str], Any] = {}

    def __call__(self, frame: Any) -> list[Samples]:
        channels = frame.layout.nb_channels
        if not 1 <= channels <= _MOST_CHANNELS:
            raise InvalidRequest(f"{self._field} has {channels} channels; at most {_MOST_CHANNELS}", field=self._field)
        key = (frame.format.name, frame.layout.name)
        if key not in self._interleavers:
            self._interleavers[key] = av.AudioResampler("flt", frame.layout, frame.sample_rate)
        frame.pts = None  # the file's time stamps are ignored
        return [
            each.to_ndarray().reshape(-1, channels).mean(axis=1) for each in self._interleavers[key].resample(frame)
        ]
