"""`write_m4b`: files of speech as one audiobook: AAC in MP4, with chapter marks, a title, an author and a cover.

The chapters are decoded and encoded one after another, so an audiobook of many hours needs little more memory than one
of a minute: the index of its frames, which the format has at its end until the file is rewritten with it at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from chatterbox_worker.audio.allocations import allow_allocations
from chatterbox_worker.audio.clip import Audio, silence
from chatterbox_worker.audio.encode import Track, bit_rate
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.errors import InvalidRequest

CHAPTER_PAUSE_S = 1.5
"""Silence after a chapter; between its parts it is a paragraph's."""
_PICTURE_CODECS = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG\r\n\x1a\n": "png"}
_USUAL_RATE = 24_000  # Hertz, if the first file has a rate that AAC has no bit rate for
_AUDIOBOOK = "2"  # of the tag that players sort audiobooks by: iTunes' stik


@dataclass(frozen=True, slots=True)
class AudiobookChapter:
    title: str
    files: Sequence[Path]
    """Its parts, in order, each a file of `FORMATS` with a header."""


@dataclass(frozen=True, slots=True)
class AudiobookTags:
    title: str
    author: str | None = None
    date: str | None = None
    cover: bytes | None = None
    """A JPEG or PNG file."""

    def metadata(self) -> dict[str, str]:
        tags = {"title": self.title, "album": self.title, "artist": self.author, "album_artist": self.author,
                "date": self.date, "genre": "Audiobook", "media_type": _AUDIOBOOK}  # fmt: skip
        return {name: value for name, value in tags.items() if value}


def is_cover(data: bytes) -> bool:
    """Whether the bytes are a picture that an audiobook can have."""
    return _picture_codec(data) is not None


def write_m4b(
    path: Path,
    chapters: Sequence[AudiobookChapter],
    tags: AudiobookTags,
    *,
    part_pause_s: float,
    on_chapter: Callable[[], object] = lambda: None,
) -> float:
    """Writes the file and returns its duration in seconds. The same files give the same bytes.

    `on_chapter` is called after each chapter.

    Raises:
        InvalidRequest: a file cannot be decoded.
        OSError: the file cannot be written.
        ValueError: there are no chapters.
    """
    if not chapters:
        raise ValueError("an audiobook needs a chapter")
    allow_allocations()
    rate = _rate_of(chapters[0].files[0])
    options = {"brand": "M4B ", "movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata.update(tags.metadata())
        track = Track(container, "aac", "fltp", rate, bit_rate("aac", rate))
        track.stream.time_base = Fraction(1, rate)
        cover = None if tags.cover is None else _add_cover_track(container, tags.cover)
        container.start_encoding()
        if tags.cover is not None and cover is not None:
            container.mux_one(_cover_packet(tags.cover, cover))
        marks = []
        for number, chapter in enumerate(chapters, 1):
            start = track.samples
            for piece in _sound_of(chapter, rate, part_pause_s):
                track.add(piece)
            if number < len(chapters):
                track.add(silence(CHAPTER_PAUSE_S, rate))
            marks.append({
                "id": number, "start": start, "end": track.samples, "time_base": Fraction(1, rate),
                "metadata": {"title": chapter.title},
            })  # fmt: skip
            on_chapter()
        track.finish()
        container.set_chapters(marks)  # MP4's chapters are written with its index, at the end
    return track.samples / rate


def _sound_of(chapter: AudiobookChapter, rate: int, part_pause_s: float) -> Iterator[Audio]:
    for index, file in enumerate(chapter.files):
        if index:
            yield silence(part_pause_s, rate)
        yield from _read(file, rate)


def _picture_codec(data: bytes) -> str | None:
    return next((codec for start, codec in _PICTURE_CODECS.items() if data.startswith(start)), None)


def _add_cover_track(container: Any, cover: bytes) -> Any:
    """The muxer requires a size and writes none: players read the picture's own."""
    stream = container.add_mux_stream(_picture_codec(cover), width=1, height=1, time_base=Fraction(1, 90_000))
    stream.disposition = av.stream.Disposition.attached_pic
    return stream


def _cover_packet(cover: bytes, stream: Any) -> Any:
    packet = av.Packet(cover)
    packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
    return packet


def _rate_of(file: Path) -> int:
    with _open(file) as container:
        rate = int(container.streams.audio[0].rate)
    return rate if rate in FORMATS["aac"].sample_rates else _USUAL_RATE


def _read(file: Path, rate: int) -> Iterator[Audio]:
    """The file's sound at `rate` Hertz, mono, in pieces; gaps in its time stamps are left out."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    try:
        with _open(file) as container:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    yield Audio(part.to_ndarray()[0], rate)
            for part in resampler.resample(None):
                yield Audio(part.to_ndarray()[0], rate)
    except av.FFmpegError as error:
        raise InvalidRequest(f"{file} cannot be decoded: {error}", field="m4b") from error


def _open(file: Path) -> Any:
    try:
        container = av.open(str(file), metadata_errors="ignore")
    except av.FFmpegError as error:
        raise InvalidRequest(f"{file} cannot be decoded: {error}", field="m4b") from error
    if not container.streams.audio:
        container.close()
        raise InvalidRequest(f"{file} has no sound", field="m4b")
    return container
