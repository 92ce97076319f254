"""`StreamEncoder`: sound to the bytes of a file while the sound is still being generated.

It does for pieces what `encode` does for whole clips: bytes are returned as soon as the codec outputs them, and all of
them joined are one file. It differs where a format states its length at its beginning: a wav header declares 0xFFFFFFFF
bytes, flac declares an unknown length, and mp3 has no Xing frame, so that decoders do not remove its padding (at most 3
frames). Nothing is rewritten later. All formats but ogg withhold less than half a second; libsndfile fills Ogg pages of
4 kB, 0.6 s of speech. Samples beyond full scale are clipped: a whole clip could be scaled down, but the peak of later
pieces is not known.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import av
import numpy as np
import soxr

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.encode import LIBAV, Track, check_format, open_vorbis
from chatterbox_worker.audio.ogg import with_fixed_serial
from chatterbox_worker.errors import SynthesisFailed

_UNKNOWN_BYTES = 0xFFFFFFFF  # what ffmpeg and sox write for a wav of unknown length
_VORBIS_WRITE = 1024  # samples; libvorbis copies the first write onto the stack, whatever its size (`encode`)
_PAGE_US = 100_000  # microseconds of Opus in an Ogg page: the latency that its container adds


class StreamEncoder:
    """Takes pieces and returns bytes; `finish` returns the remainder. Not thread-safe."""

    def __init__(self, format: str, sample_rate: int, bitrate_kbps: int | None = None) -> None:  # noqa: A002 - the name of the request's field
        """`bitrate_kbps` is for mp3; None for the same as `encode`'s.

        Raises:
            InvalidRequest: no such format, or a rate that the format does not have.
        """
        check_format(format, sample_rate)
        self._rate = sample_rate
        self._codec = (
            _as_whole("mp3", sample_rate, bitrate_kbps, write_xing="0")
            if format == "mp3"
            else _CODECS[format](sample_rate)
        )
        self._resampler: soxr.ResampleStream | None = None
        self._source_rate = 0

    def add(self, audio: Audio) -> bytes:
        """
        Raises:
            SynthesisFailed: the samples are not finite numbers.
            ValueError: the sample rate changed between pieces.
        """
        if not np.isfinite(audio.samples).all():
            raise SynthesisFailed("the speech contains samples that are not numbers")
        if self._source_rate not in (0, audio.sample_rate):
            raise ValueError(f"a piece of {audio.sample_rate} Hz after pieces of {self._source_rate} Hz")
        self._source_rate = audio.sample_rate
        return self._codec.add(self._clip(self._resample(audio.samples, is_last=False)))

    def finish(self) -> bytes:
        """What the resampler and the codec have not returned yet, and the file's end."""
        tail = self._resample(np.zeros(0, np.float32), is_last=True) if self._resampler is not None else None
        return (b"" if tail is None else self._codec.add(self._clip(tail))) + self._codec.finish()

    def _resample(self, samples: Samples, *, is_last: bool) -> Samples:
        if self._source_rate == self._rate:
            return samples
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(self._source_rate, self._rate, 1, dtype="float32", quality="HQ")
        resampled: Samples = self._resampler.resample_chunk(np.ascontiguousarray(samples), last=is_last)
        return resampled

    def _clip(self, samples: Samples) -> Audio:
        return Audio(np.clip(samples, -1.0, 1.0), self._rate)


class _Codec(Protocol):
    def add(self, audio: Audio) -> bytes: ...
    def finish(self) -> bytes: ...


class _Sink(io.RawIOBase):
    """A file that can only be written; `drain` returns and removes what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def drain(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _AppendingSink(_Sink):
    """For libsndfile, which finds a file's length by seeking to its end and back: both are the same position here."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset + (0 if whence == io.SEEK_SET else self._size) != self._size:
            raise io.UnsupportedOperation("written bytes cannot be read or changed any more")
        return self._size


class _Pcm:
    def __init__(self, sample_rate: int) -> None:
        del sample_rate

    def add(self, audio: Audio) -> bytes:
        return audio.pcm16()

    def finish(self) -> bytes:
        return b""


class _Wav(_Pcm):
    def __init__(self, sample_rate: int) -> None:
        fmt = struct.pack("<HHIIHH", 1, 1, sample_rate, sample_rate * 2, 2, 16)
        head = b"RIFF" + struct.pack("<I", _UNKNOWN_BYTES) + b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
        self._head = head + b"data" + struct.pack("<I", _UNKNOWN_BYTES)

    def add(self, audio: Audio) -> bytes:
        head, self._head = self._head, b""
        return head + audio.pcm16()

    def finish(self) -> bytes:
        head, self._head = self._head, b""
        return head


class _Vorbis:
    """Uses libsndfile, as in `encode`; every write but the last has one size, so that the cuts change nothing."""

    def __init__(self, sample_rate: int) -> None:
        self._sink = _AppendingSink()
        self._file = open_vorbis(self._sink, sample_rate)
        self._rest = np.zeros(0, np.float32)

    def add(self, audio: Audio) -> bytes:
        samples = np.concatenate([self._rest, audio.samples])
        whole = len(samples) - len(samples) % _VORBIS_WRITE
        for start in range(0, whole, _VORBIS_WRITE):
            self._file.write(samples[start : start + _VORBIS_WRITE])
        self._rest = samples[whole:]
        return self._pages()

    def finish(self) -> bytes:
        self._file.write(self._rest)
        self._file.close()
        return self._pages()

    def _pages(self) -> bytes:
        return with_fixed_serial(self._sink.drain())  # libsndfile writes whole pages


class _Libav:
    def __init__(
        self, container: str, codec: str, sample_format: str, rate: int, bits: int | None, **options: str
    ) -> None:
        self._sink = _Sink()
        muxing = {"flush_packets": "1", "fflags": "+bitexact", **options}  # without flushing, libav buffers 32 kB
        self._container = av.open(self._sink, "w", format=container, options=muxing)
        self._track = Track(self._container, codec, sample_format, rate, bits)
        self._container.start_encoding()  # its head goes out with the first piece

    def add(self, audio: Audio) -> bytes:
        self._track.add(audio)
        return self._sink.drain()

    def finish(self) -> bytes:
        self._track.finish()
        self._container.close()
        return self._sink.drain()


_CODECS: Mapping[str, Callable[[int], _Codec]] = MappingProxyType({
    "wav": _Wav,
    "pcm": _Pcm,
    "ogg": _Vorbis,
    "flac": lambda rate: _Libav("flac", "flac", "s16", rate, None),
    "opus": lambda rate: _as_whole("opus", rate, page_duration=str(_PAGE_US)),
    "aac": lambda rate: _as_whole("aac", rate),
})  # fmt: skip


def _as_whole(name: str, rate: int, kbps: int | None = None, **options: str) -> _Codec:
    """The format's codec as `encode` has it, with other `options` of the container."""
    whole = LIBAV[name]
    bits = whole.bit_rates[rate] if kbps is None else kbps * 1000
    return _Libav(whole.container, whole.codec, whole.sample_format, rate, bits, **{**whole.options, **options})
