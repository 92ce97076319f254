"""An audiobook has its chapters where they begin, its facts, its cover, and the sound of every file."""

from __future__ import annotations

import ctypes
from pathlib import Path

import av
import numpy as np
import pytest

from chatterbox_worker.audio.audiobook import (
    CHAPTER_PAUSE_S,
    AudiobookChapter,
    AudiobookTags,
    is_cover,
    write_m4b,
)
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.errors import InvalidRequest
from support import epubs

_PART_PAUSE_S = 0.5


def tone(folder: Path, name: str, hertz: float, rate: int = 24_000) -> Path:
    """A second of a sine, as a file in the format of its suffix."""
    samples = 0.3 * np.sin(2 * np.pi * hertz * np.arange(24_000) / 24_000)
    path = folder / name
    path.write_bytes(encode(Audio(samples.astype(np.float32), 24_000), path.suffix[1:], rate))
    return path


def decoded(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
        return np.concatenate(frames), int(file.streams.audio[0].rate)


def loudest_hertz(samples: np.ndarray, rate: int) -> float:
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[np.abs(np.fft.rfft(samples)).argmax()])


def test_chapters_of_any_format_and_rate_are_joined_with_their_marks(tmp_path: Path) -> None:
    first = [tone(tmp_path, "a.wav", 300), tone(tmp_path, "b.mp3", 500)]
    second = [tone(tmp_path, "c.opus", 700, 48_000)]
    third = [tone(tmp_path, "d.flac", 900, 44_100), tone(tmp_path, "e.ogg", 1_100), tone(tmp_path, "f.aac", 1_300)]
    chapters = [AudiobookChapter("One", first), AudiobookChapter("Zwei – ä", second), AudiobookChapter("三", third)]
    tags = AudiobookTags("The Title", "The Author", "1865", epubs.png())
    done: list[None] = []

    duration_s = write_m4b(
        tmp_path / "b.m4b", chapters, tags, part_pause_s=_PART_PAUSE_S, on_chapter=lambda: done.append(None)
    )

    assert len(done) == 3
    with av.open(str(tmp_path / "b.m4b")) as file:
        marks = file.chapters()
        assert [mark["metadata"]["title"] for mark in marks] == ["One", "Zwei – ä", "三"]
        starts_s = [float(mark["start"] * mark["time_base"]) for mark in marks]
        assert file.metadata["major_brand"] == "M4B "
        facts = {name: file.metadata[name] for name in ("title", "album", "artist", "date", "genre", "media_type")}
        picture = file.streams.video[0]
        assert picture.disposition == av.stream.Disposition.attached_pic
        assert next(file.demux(picture)).size == len(epubs.png())
    assert facts == {
        "title": "The Title", "album": "The Title", "artist": "The Author", "date": "1865", "genre": "Audiobook",
        "media_type": "2",
    }  # fmt: skip
    first_s = 2 + _PART_PAUSE_S + CHAPTER_PAUSE_S
    assert starts_s == pytest.approx([0.0, first_s, first_s + 1 + CHAPTER_PAUSE_S], abs=0.15)
    samples, rate = decoded(tmp_path / "b.m4b")
    assert rate == 24_000
    assert len(samples) / rate == pytest.approx(duration_s, abs=0.05)
    for start_s, hertz in zip(starts_s, (300, 700, 900), strict=True):
        second_of = samples[int((start_s + 0.1) * rate) : int((start_s + 0.9) * rate)]
        assert loudest_hertz(second_of, rate) == pytest.approx(hertz, abs=2)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    chapters = [AudiobookChapter("One", [tone(tmp_path, "a.wav", 300)])]
    for name in ("1.m4b", "2.m4b"):
        write_m4b(tmp_path / name, chapters, AudiobookTags("T"), part_pause_s=0.5)

    assert (tmp_path / "1.m4b").read_bytes() == (tmp_path / "2.m4b").read_bytes()


@pytest.mark.parametrize("data", [b"", b"no audio at all", epubs.png()])
def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path, data: bytes) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(data)
    chapters = [AudiobookChapter("One", [tone(tmp_path, "a.wav", 300)]), AudiobookChapter("Two", [bad])]

    with pytest.raises(InvalidRequest, match=r"bad\.wav (?:cannot be decoded|has no sound)"):
        write_m4b(tmp_path / "b.m4b", chapters, AudiobookTags("T"), part_pause_s=0.5)


def test_an_audiobook_needs_a_chapter_and_a_cover_is_a_jpeg_or_a_png(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a chapter"):
        write_m4b(tmp_path / "b.m4b", [], AudiobookTags("T"), part_pause_s=0.5)
    assert is_cover(epubs.png())
    assert not is_cover(b"GIF89a")


def test_the_index_of_a_long_book_may_be_large(tmp_path: Path) -> None:
    """Reading a recording limits what libav may allocate at once, in the whole process."""
    library = ctypes.CDLL(av.buffer.__file__)
    library.av_malloc.argtypes, library.av_malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.av_free.argtypes = [ctypes.c_void_p]

    def can_allocate(megabytes: int) -> bool:
        memory = library.av_malloc(megabytes * 10**6)
        library.av_free(memory)
        return memory is not None

    file = tone(tmp_path, "a.wav", 220)
    decode(file.read_bytes(), field="file", max_s=60)
    assert (can_allocate(60), can_allocate(300)) == (True, False)
    write_m4b(tmp_path / "b.m4b", [AudiobookChapter("One", [file])], AudiobookTags("T"), part_pause_s=1.0)
    assert can_allocate(300)
