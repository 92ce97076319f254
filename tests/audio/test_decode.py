from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.audio.decode import decode, decode_in_pieces
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.errors import InvalidRequest
from support.audio_clips import RATE, noise, rms_dbfs, tone


def _encode_with_libsndfile(kind: str, subtype: str, samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(1.0).samples if samples is None else samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def _encode_with_libav(
    container_name: str, codec: str, sample_format: str, *, rate: int = RATE, video: bool = False, sound: bool = True
) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_name) as container:
        streams: list[tuple[Any, Any]] = []
        if video:
            picture = container.add_stream("mpeg4" if container_name == "mp4" else "libvpx", rate=25)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
            streams.append(
                (
                    picture,
                    [av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24") for _ in range(5)],
                )
            )
        if sound:
            stream = container.add_stream(codec, rate=rate, layout="mono")
            stream.codec_context.format = sample_format
            scale, kind = {
                "fltp": (1, np.float32),
                "s16": (32767, np.int16),
                "s16p": (32767, np.int16),
                "flt": (1, np.float32),
            }[sample_format]
            frame = av.AudioFrame.from_ndarray(
                (tone(1.0, rate=rate).samples * scale).astype(kind)[None], format=sample_format, layout="mono"
            )
            frame.sample_rate, frame.pts = rate, 0
            fifo = av.AudioFifo()
            fifo.write(frame)
            container.start_encoding()
            streams.append((stream, fifo.read_many(stream.codec_context.frame_size or 1024, partial=True)))
        for stream, frames in streams:
            for each in [*frames, None]:
                for packet in stream.encode(each):
                    container.mux(packet)
    return buffer.getvalue()


READABLE: dict[str, Callable[[], bytes]] = {
    **{f"wav {subtype}": partial(_encode_with_libsndfile, "WAV", subtype) for subtype in
       ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")},
    **{f"{kind} {subtype}": partial(_encode_with_libsndfile, kind, subtype) for kind, subtype in
       [("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("AIFF", "FLOAT"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
        ("AU", "PCM_16"), ("W64", "PCM_16"), ("WAVEX", "PCM_16")]},
    "m4a": lambda: _encode_with_libav("mp4", "aac", "fltp"),
    "m4a alac": lambda: _encode_with_libav("mp4", "alac", "s16p"),
    "mp4 with pictures": lambda: _encode_with_libav("mp4", "aac", "fltp", video=True),
    "webm": lambda: _encode_with_libav("webm", "libopus", "s16"),
    "mka aac": lambda: _encode_with_libav("matroska", "aac", "fltp"),
    "aac": lambda: _encode_with_libav("adts", "aac", "fltp"),
    "amr": lambda: _encode_with_libav("amr", "libopencore_amrnb", "s16", rate=8000),
}  # fmt: skip


@pytest.mark.parametrize("kind", READABLE)
def test_every_common_format_is_read_at_its_own_rate(kind: str) -> None:
    audio = decode(READABLE[kind](), field="audio", max_s=30)
    assert audio.samples.dtype == np.float32
    assert audio.sample_rate == {"amr": 8000, "webm": 48_000, "OGG OPUS": 48_000}.get(kind, RATE)
    assert audio.duration_s == pytest.approx(1.0, abs=0.1)
    middle = audio.samples[len(audio.samples) // 4 : -len(audio.samples) // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.2)  # AMR at its lowest bit rate
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * audio.sample_rate / len(middle) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("AIFF", "PCM_24"), ("FLAC", "PCM_24")],
)
@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_channels_mix_to_their_mean(kind: str, subtype: str, channels: int) -> None:
    each = np.stack([noise(0.3, -20, seed) for seed in range(channels)], axis=1).clip(-0.9, 0.9)
    audio = decode(_encode_with_libsndfile(kind, subtype, each), field="audio", max_s=30)
    assert np.max(np.abs(audio.samples - each.mean(axis=1))) < (0.01 if subtype == "PCM_U8" else 1e-4)


def _aac(container_name: str, layout: str, channels: int) -> bytes:
    """A second of a tone in every channel."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_name) as container:
        stream = container.add_stream("aac", rate=RATE, layout=layout)
        samples = np.repeat(tone(1.0).samples, channels)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
        frame.sample_rate = RATE
        for each in (frame, None):
            container.mux(stream.encode(each))
    return buffer.getvalue()


def test_eight_planar_channels_do_not_end_the_process() -> None:
    # libav's frame ends with its eighth pointer, and PyAV looks for a ninth
    audio = decode(_aac("mp4", "7.1", 8), field="audio", max_s=10)
    assert audio.duration_s == pytest.approx(1.0, abs=0.1)


def test_channels_may_change_within_a_file() -> None:
    audio = decode(_aac("adts", "mono", 1) + _aac("adts", "stereo", 2), field="audio", max_s=10)
    assert audio.duration_s == pytest.approx(2.0, abs=0.2)
    for second in np.split(audio.samples[: 2 * RATE], 2):
        assert rms_dbfs(second) == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.4)


def test_what_cancels_in_most_of_a_file_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatterbox_worker.audio.decode._BLOCK", 2400)
    left = tone(2.0).samples
    right = np.concatenate([-left[:-2400], left[-2400:]])
    audio = decode(_encode_with_libsndfile("WAV", "PCM_16", np.stack([left, right], axis=1)), field="audio", max_s=10)
    assert np.max(np.abs(audio.samples - left)) < 1e-4


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "hello " * 1000)
    return buffer.getvalue()


def _wav_header(rate: int, *, channels: int = 1, size: int = 48_000) -> bytes:
    chunk = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels & 0xFFFFFFFF, 2 * channels, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + chunk
        + b"data"
        + struct.pack("<I", size)
    )


def _png() -> bytes:
    with_picture = io.BytesIO()
    with av.open(with_picture, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        for frame in (av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24"), None):
            for packet in stream.encode(frame):
                container.mux(packet)
    return with_picture.getvalue()


INVALID: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "a zip": (_zip, "zip archive"),
    "a png": (_png, "PNG picture"),
    "text": (lambda: b"This is only a text. " * 50, "not audio"),
    "html": (lambda: b"\n<!DOCTYPE html><html><body>404</body></html>" * 9, "web page"),
    "json": (lambda: b'{"error": "not found"}', "JSON"),
    "a Git LFS pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
    "zeros": (lambda: bytes(10_000), "not audio"),
    "one byte": (lambda: b"R", "not audio"),
    "a wav's first ten bytes": (lambda: encode(tone(0.5), "wav", RATE)[:10], "not audio"),
    "a wav's header": (lambda: encode(tone(0.5), "wav", RATE)[:44], "no sound|not audio"),
    "a flac's first fifty bytes": (lambda: encode(tone(0.5), "flac", RATE)[:50], "no sound|not audio"),
    "a wav without samples": (lambda: _wav_header(RATE, size=0), "no sound|not audio"),
    "a playlist of a local file": (
        lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "playlist",
    ),
    "a list of files to join": (lambda: b"ffconcat version 1.0\nfile /etc/hostname\n", "not audio"),
    "video without sound": (
        lambda: _encode_with_libav("mp4", "aac", "fltp", video=True, sound=False),
        "video without sound",
    ),
    "a rate of 1 Hz": (lambda: _wav_header(1) + tone(1.0).pcm16(), "sample rate of 1 Hz|not audio"),
    "a rate of 4 MHz": (lambda: _wav_header(4_000_000) + tone(1.0).pcm16(), "sample rate of 4000000 Hz"),
    "silence": (lambda: encode(Audio(np.zeros(RATE, np.float32), RATE), "wav", RATE), "silent"),
    "next to silence": (lambda: encode(tone(1.0, peak=0.0009), "flac", RATE), "silent"),
    "not a number": (lambda: _encode_with_libsndfile("WAV", "FLOAT", np.full(RATE, np.nan)), "not numbers"),
    "twelve channels": (lambda: _encode_with_libsndfile("WAV", "PCM_16", np.full((RATE, 12), 0.1)), "has 12 channels"),
    "infinite": (lambda: _encode_with_libsndfile("WAV", "DOUBLE", np.full(RATE, np.inf)), "not numbers"),
    "beyond any sound": (lambda: _encode_with_libsndfile("WAV", "FLOAT", np.full(RATE, 1e20)), "larger than those of"),
    "too long": (lambda: encode(tone(11.0), "mp3", RATE), "longer than 10 s"),
}


@pytest.mark.parametrize("what", INVALID)
def test_invalid_input_is_rejected_with_its_reason_and_field(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    make, reason = INVALID[what]
    data = make()
    with pytest.raises(InvalidRequest, match=reason):
        decode_in_pieces(data, field="audio_prompt", max_s=10, sample_rate=RATE)
    with pytest.raises(InvalidRequest, match=reason) as refusal:
        decode(data, field="audio_prompt", max_s=10)
    assert refusal.value.field == "audio_prompt"
    assert refusal.value.message.startswith("audio_prompt ")
    assert capfd.readouterr() == ("", "")


def test_a_clip_of_the_longest_allowed_duration_is_decoded() -> None:
    for name in ("wav", "mp3", "aac", "opus"):
        audio = decode(encode(tone(10.0), name, RATE), field="audio", max_s=10)
        assert audio.duration_s == pytest.approx(10.0, abs=0.001)


def test_a_small_file_cannot_fill_the_memory() -> None:
    bomb = _encode_with_libsndfile("FLAC", "PCM_16", np.zeros((20 * 60 * 48_000,), np.int16), 48_000)  # 20 minutes
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(InvalidRequest, match="longer than 30 s"):
        decode(bomb, field="audio", max_s=30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000  # 30 s at 48 kHz are 6 MB, 20 minutes 230
    assert time.process_time() - started < 3


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_a_tag_cannot_fill_the_memory() -> None:
    """A file of 100 bytes that claims a title of 1.9 GB. In a process of its own, whose peak is no other test's."""
    script = """
import struct
from pathlib import Path
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.errors import InvalidRequest
chunks = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24_000, 48_000, 2, 16)
chunks += b"LIST" + struct.pack("<I", 1_900_000_012) + b"INFOINAM" + struct.pack("<I", 1_900_000_000) + bytes(50)
try:
    decode(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks, field="file", max_s=10)
except InvalidRequest:
    print(Path("/proc/self/status").read_text())
"""
    status = subprocess.check_output([sys.executable, "-c", script], text=True)
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    assert peak_kib < 200 * 2**10


def test_the_samples_of_all_channels_are_limited_together() -> None:
    stereo = _encode_with_libsndfile("FLAC", "PCM_16", np.full((RATE, 2), 0.1))
    assert decode(stereo, field="audio", max_s=30, max_samples=2 * RATE).duration_s == 1.0
    with pytest.raises(InvalidRequest, match="more than 40000 samples, at 24000 Hz with 2 channels"):
        decode(stereo, field="audio", max_s=30, max_samples=40_000)


@pytest.mark.parametrize(("rate", "kept"), [(8_000, 8_000), (44_100, 44_100), (96_000, 48_000), (192_000, 48_000)])
def test_a_rate_that_nothing_needs_is_lowered(rate: int, kept: int) -> None:
    audio = decode(_encode_with_libsndfile("WAV", "PCM_16", tone(1.0, rate=rate).samples, rate), field="a", max_s=30)
    assert audio.sample_rate == kept
    assert audio.duration_s == pytest.approx(1.0, abs=0.001)
    assert np.max(np.abs(audio.samples[100:-100])) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_pieces_are_the_same_sound_as_the_whole(rate: int) -> None:
    data = _encode_with_libsndfile("WAV", "FLOAT", noise(10.0, -20) * np.float32(50))
    pieces = list(decode_in_pieces(data, field="audio", max_s=30, sample_rate=rate))
    whole = resample(decode(data, field="audio", max_s=30), rate)
    joined = concatenate(pieces)
    assert len(pieces) > 3
    assert abs(len(joined.samples) - len(whole.samples)) <= 1
    assert np.max(np.abs(joined.samples)) <= 1.0
    common = min(len(joined.samples), len(whole.samples))
    assert np.corrcoef(joined.samples[:common], whole.samples[:common])[0, 1] > 0.9999
    with pytest.raises(InvalidRequest, match="longer than 5 s"):
        decode_in_pieces(data, field="audio", max_s=5, sample_rate=rate)


def test_a_truncated_file_is_read_up_to_its_end() -> None:
    for name in ("wav", "mp3", "flac", "ogg", "opus", "aac"):
        data = encode(Audio(noise(4.0, -20), RATE), name, RATE)
        assert 1.5 < decode(data[: len(data) * 2 // 3], field="audio", max_s=10).duration_s < 4.0


def test_a_few_bad_packets_are_skipped_and_many_are_an_error() -> None:
    def damaged(every: int) -> bytes:
        """ADTS: a head of 7 bytes with the frame's length in 13 bits from the 31st on."""
        data = bytearray(encode(Audio(noise(4.0, -20), RATE), "aac", RATE))
        at = count = 0
        while at < len(data):
            size = int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF
            if count % every == 0:
                data[at + 7 : at + size] = b"\xff" * (size - 7)
            at, count = at + size, count + 1
        return bytes(data)

    assert decode(damaged(12), field="audio", max_s=10).duration_s == pytest.approx(4.0, abs=0.4)
    with pytest.raises(InvalidRequest, match="audio is damaged: 19 of its 96 packets cannot be decoded"):
        decode(damaged(5), field="audio", max_s=10)


REAL = [encode(tone(0.4), name, 16_000) for name in ("wav", "mp3", "flac", "ogg", "opus", "aac")] + [
    READABLE[name]()
    for name in ("m4a", "webm", "amr", "AIFF PCM_16", "wav MS_ADPCM", "CAF ALAC_16", "mp4 with pictures")
]


def _decode_or_reject(data: bytes) -> None:
    field = None
    try:
        audio = decode(data, field="audio", max_s=2)
    except InvalidRequest as refusal:
        field = refusal.field
    else:
        assert 0 < audio.duration_s <= 2.001
        assert np.isfinite(audio.samples).all()
    assert field in {None, "audio"}


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=2000),
    st.sampled_from(
        [
            b"",
            b"RIFF....WAVEfmt ",
            b"fLaC",
            b"OggS\0\2",
            b"ID3\4",
            b"\xff\xfb",
            b"\xff\xf1",
            b"....ftypM4A ",
            b"\x1aE\xdf\xa3",
            b"FORM....AIFF",
            b"#!AMR\n",
            b"caff\0\1",
        ]
    ),
)
def test_random_bytes_are_decoded_or_rejected(data: bytes, magic: bytes) -> None:
    _decode_or_reject(magic + data)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(REAL), st.floats(0, 1))
def test_a_file_cut_anywhere_is_decoded_or_rejected(data: bytes, where: float) -> None:
    _decode_or_reject(data[: round(where * len(data))])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=12),
    st.booleans(),
)
def test_flipped_bits_are_decoded_or_rejected(data: bytes, flips: list[tuple[int, int]], in_header: bool) -> None:
    broken = bytearray(data)
    for place, bits in flips:
        broken[place % (min(len(data), 200) if in_header else len(data))] ^= bits
    _decode_or_reject(bytes(broken))
