"""`decode`: a stranger's bytes to mono sound, or a sentence that says why not.

The bytes are hostile. Demuxers and codecs are listed by name, so that no playlist makes libav open a file or a URL and
no exotic codec is reached; decoding stops as soon as the limit is passed, so a small file cannot fill the memory;
whatever is wrong comes out as InvalidRequest. libav's log is off: it would print to stderr.
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
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 192_000  # Hertz: telephone to the most that studio converters do
_SLACK_S = 0.1  # past max_s: the priming and padding that some formats cannot announce
_SILENT_PEAK = 10 ** (-60 / 20)  # -60 dBFS: below the noise of any room
_BAD_PACKETS = 0.1  # of all packets; a file cut short has one, players skip a few without a word

# What people send by mistake, by its first bytes (after white space), so that the sentence can say so.
_STRANGERS = MappingProxyType({
    b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture", b"%PDF": "a PDF document", b"<": "a web page or XML",
    b"{": "JSON text", b"version https://git-lfs": "a Git LFS pointer, not the file itself", b"#EXTM3U": "a playlist",
})  # fmt: skip

# How libav's sample formats become ±1.0: what is subtracted, then the scale.
_SCALES = MappingProxyType({
    "u8": (128, 1 / 128), "s16": (0, 1 / 32768), "s32": (0, 1 / 2147483648), "flt": (0, 1.0), "dbl": (0, 1.0),
})  # fmt: skip


def decode(data: bytes, *, field: str, max_s: float) -> Audio:
    """The sound in `data`: its first audio stream, at its own rate, channels mixed by their mean.

    Raises:
        InvalidRequest: blames `field`; not audio, damaged, no samples, longer than `max_s`, only video, an absurd sample rate,
            samples that are no numbers, or silence (a peak under -60 dBFS).
    """
    if not data:
        raise InvalidRequest(f"{field} is empty", field=field)
    av.logging.set_level(None)
    try:
        # "none" is no protocol: what the demuxer has is `data`, and it can open nothing else
        limits = {"format_whitelist": _DEMUXERS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
        with av.open(io.BytesIO(data), metadata_errors="ignore", options=limits) as container:
            audio = _sound(container, field, max_s)
    except _LIBAV_REFUSALS as problem:
        raise _unreadable(data, field) from problem
    if not np.isfinite(audio.samples).all():
        raise InvalidRequest(f"{field} holds samples that are not numbers", field=field)
    if np.max(np.abs(audio.samples)) < _SILENT_PEAK:
        raise InvalidRequest(f"{field} is silent: its loudest sample is below -60 dBFS", field=field)
    return audio


# FFmpegError is the root of libav's own errors; PyAV adds ValueError for a format or layout it cannot name.
_LIBAV_REFUSALS = (av.FFmpegError, ValueError)


def _unreadable(data: bytes, field: str) -> InvalidRequest:
    start = data[:64].lstrip()
    looks = next((f" (it looks like {name})" for magic, name in _STRANGERS.items() if start.startswith(magic)), "")
    return InvalidRequest(f"{field} is not audio that can be read{looks}; send {READABLE}", field=field)


def _sound(container: Any, field: str, max_s: float) -> Audio:
    if not container.streams.audio:
        kind = "video without sound" if container.streams.video else "a container without sound"
        raise InvalidRequest(f"{field} is {kind}; send {READABLE}", field=field)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise InvalidRequest(f"{field} holds sound in a codec that is not read here; send {READABLE}", field=field)
    stream.codec_context.thread_count = 1
    pieces: list[Samples] = []
    rate, count = 0, 0
    for frame in _frames(container, stream, field):
        rate = rate or _checked_rate(frame.sample_rate, field)
        if frame.sample_rate != rate:
            raise InvalidRequest(f"{field} changes its sample rate from {rate} to {frame.sample_rate} Hz", field=field)
        pieces.append(_mono(frame))
        count += len(pieces[-1])
        if count > (max_s + _SLACK_S) * rate:
            raise InvalidRequest(f"{field} is longer than {max_s:g} s", field=field)
    if not count:
        raise InvalidRequest(f"{field} holds no sound: it has no samples", field=field)
    return Audio(np.concatenate(pieces)[: math.ceil(max_s * rate)], rate)


def _frames(container: Any, stream: Any, field: str) -> Iterator[Any]:
    """Decoded frames, without the packets that cannot be decoded as long as they are few."""
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
    """The stream's packets up to the end or to where the file is broken off."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def _checked_rate(rate: int, field: str) -> int:
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        sentence = f"{field} has a sample rate of {rate} Hz; it must be {_LOWEST_RATE} to {_HIGHEST_RATE}"
        raise InvalidRequest(sentence, field=field)
    return rate


def _mono(frame: Any) -> Samples:
    """Shape (n,): the mean of the frame's channels in ±1.0."""
    zero, scale = _SCALES[frame.format.name.removesuffix("p")]
    samples = frame.to_ndarray().astype(np.float64)
    channels = samples if frame.format.is_planar else samples.reshape(-1, len(frame.layout.channels)).T
    mono: Samples = ((channels.mean(axis=0) - zero) * scale).astype(np.float32)
    return mono
