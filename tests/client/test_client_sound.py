"""Pieces of a stream, and what one file they make."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.client.errors import NoAudio
from chatterbox_worker.client.sound import find, join

RATE = 24_000


def tone(seconds: float) -> Audio:
    return Audio((0.3 * np.sin(np.arange(round(seconds * RATE)) / 10)).astype(np.float32), RATE)


def test_wav_pieces_make_one_wav_with_every_sample_once() -> None:
    pieces = [tone(0.5), tone(0.25), tone(1.0)]
    with wave.open(io.BytesIO(join([encode(piece, "wav", RATE) for piece in pieces])), "rb") as whole:
        assert (whole.getframerate(), whole.getnchannels()) == (RATE, 1)
        assert whole.readframes(whole.getnframes()) == b"".join(piece.pcm16() for piece in pieces)


@pytest.mark.parametrize("audio_format", ["mp3", "aac", "ogg", "opus"])
def test_compressed_pieces_make_one_file_as_long_as_all_of_them(audio_format: str) -> None:
    joined = join([encode(tone(1.0), audio_format, RATE) for _ in range(3)], audio_format)
    assert decode(joined, field="reference_audio", max_s=60).duration_s == pytest.approx(3.0, abs=0.3)


def test_flac_pieces_cannot_be_joined() -> None:
    with pytest.raises(NoAudio, match="flac pieces cannot be joined to one flac file"):
        join([b"fLaC", b"fLaC"], "flac")
    assert join([b"fLaC"], "flac") == b"fLaC"


@pytest.mark.parametrize("pieces", [[], [b"RIFF", b"RIFF"]])
def test_pieces_without_audio_are_an_error(pieces: list[bytes]) -> None:
    with pytest.raises(NoAudio):
        join(pieces)


def test_the_whole_output_of_a_streaming_endpoint_is_one_recording() -> None:
    def piece(index: int) -> dict[str, object]:
        return {"index": index, "audio_base64": base64.b64encode(b"%d" % index).decode()}

    found = find([piece(0), piece(1), {"format": "pcm", "duration_s": 1.0}])
    assert found.audio == b"01"
    assert found.about["duration_s"] == 1.0


def test_a_whole_that_was_too_large_for_the_result_is_where_its_summary_points() -> None:
    chunks = [{"index": 0, "start_s": 0.0}, {"index": 1, "start_s": 10.0}]
    assert find([*chunks, {"format": "mp3", "audio_url": "https://bucket.example/a.mp3"}]).url is not None
    assert find([*chunks, {"format": "mp3", "audio_path": "/runpod-volume/outputs/a.mp3"}]).path is not None
    with pytest.raises(NoAudio):
        find([*chunks, {"format": "mp3", "warnings": ["it is in the stream only"]}])
