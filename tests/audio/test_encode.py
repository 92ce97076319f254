from __future__ import annotations

import io
import itertools
import shutil
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import AAC_PRIMING_SAMPLES, encode
from chatterbox_worker.audio.ogg import with_fixed_serial
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import environment
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed
from support.audio_clips import RATE, speech, tone
from support.paths import ROOT

EVERY = [(name, rate) for name, entry in FORMATS.items() for rate in entry.sample_rates]
WITH_HEADER = [(name, rate) for name, rate in EVERY if name != "pcm"]


@pytest.mark.parametrize(("name", "rate"), WITH_HEADER)
@pytest.mark.parametrize("duration_s", [0.01, 1.2345])
def test_ffmpeg_decodes_the_length_that_the_format_documents(name: str, rate: int, duration_s: float) -> None:
    decoded = decode(encode(tone(duration_s), name, rate), field="audio", max_s=10)
    assert decoded.sample_rate == (48_000 if name == "opus" else rate)
    expected = round(len(tone(duration_s).samples) * decoded.sample_rate / RATE)
    extra = len(decoded.samples) - expected
    if (name, rate) == ("opus", 8000):
        assert abs(extra) <= 24  # 0.5 ms, ffmpeg's decoder; libsndfile's is exact
    elif name == "ogg":
        assert abs(extra) <= 1024
    elif name == "aac":
        assert AAC_PRIMING_SAMPLES <= extra < AAC_PRIMING_SAMPLES + 1024
    else:
        assert extra == 0


@pytest.mark.parametrize(
    ("name", "rate"), [entry for entry in WITH_HEADER if entry[0] != "aac"]
)  # libsndfile has no AAC
@pytest.mark.parametrize("duration_s", [0.01, 1.2345])
def test_libsndfile_decodes_every_sample_and_no_more(name: str, rate: int, duration_s: float) -> None:
    samples, got_rate = soundfile.read(io.BytesIO(encode(tone(duration_s), name, rate)))
    assert got_rate == rate
    assert samples.ndim == 1
    assert len(samples) == round(len(tone(duration_s).samples) * rate / RATE)


@pytest.mark.parametrize(("name", "rate"), EVERY)
def test_the_same_sound_gives_the_same_bytes(name: str, rate: int) -> None:
    assert encode(speech("Hello there."), name, rate) == encode(speech("Hello there."), name, rate)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"pcm"}))
def test_the_sound_itself_survives(name: str) -> None:
    original = speech("The quick brown fox jumps over the lazy dog.")
    decoded = decode(encode(original, name, 48_000), field="audio", max_s=30).samples
    reference = decode(encode(original, "wav", 48_000), field="audio", max_s=30).samples
    decoded = decoded[AAC_PRIMING_SAMPLES if name == "aac" else 0 :][: len(reference)]
    correlation = np.corrcoef(decoded, reference[: len(decoded)])[0, 1]
    assert correlation > 0.95


def test_wav_flac_and_pcm_carry_the_same_16_bit_samples() -> None:
    audio = speech("Exactly the same.")
    for name in ("wav", "flac"):
        samples, _ = soundfile.read(io.BytesIO(encode(audio, name, RATE)), dtype="int16")
        assert samples.tobytes() == audio.pcm16() == encode(audio, "pcm", RATE)


def test_pydub_opens_the_wav() -> None:
    with warnings.catch_warnings():  # pydub 0.25.1 has escapes that Python warns of, and looks for an ffmpeg binary
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
    segment = AudioSegment.from_file(io.BytesIO(encode(tone(1.5), "wav", 22_050)), format="wav")
    assert (segment.frame_rate, segment.channels, segment.sample_width) == (22_050, 1, 2)
    assert len(segment) == 1500  # milliseconds


def test_sound_beyond_full_scale_is_scaled_and_never_wraps() -> None:
    pcm = np.frombuffer(encode(tone(0.5, peak=1.7), "pcm", RATE), "<i2")
    expected = np.frombuffer(encode(tone(0.5, peak=1.0), "pcm", RATE), "<i2")
    assert np.max(np.abs(pcm.astype(int) - expected)) <= 2


def test_resampling_keeps_the_tone_and_its_level() -> None:
    pcm = np.frombuffer(encode(tone(1.0, hertz=1000), "pcm", 44_100), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    assert abs(np.argmax(spectrum) - 1000) <= 1  # bins of 1 Hz
    assert abs(np.abs(pcm[2000:-2000]).max() - 0.3 * 32767) < 50


@pytest.mark.parametrize(
    ("name", "rate", "field"),
    [("m4b", RATE, "format"), ("opus", 44_100, "sample_rate"), ("wav", 11_025, "sample_rate")],
)
def test_what_the_catalogue_does_not_list_is_rejected_by_field(name: str, rate: int, field: str) -> None:
    with pytest.raises(InvalidRequest, match="choose") as refusal:
        encode(tone(0.1), name, rate)
    assert refusal.value.field == field


def test_samples_that_are_not_numbers_fail_and_an_empty_clip_is_a_value_error() -> None:
    with pytest.raises(SynthesisFailed, match="not numbers"):
        encode(Audio(np.array([0.1, np.nan], np.float32), RATE), "wav", RATE)
    with pytest.raises(ValueError, match="without samples"):
        encode(Audio(np.zeros(0, np.float32), RATE), "wav", RATE)


def test_an_ogg_page_gets_serial_one_and_a_checksum_that_a_bitwise_crc_agrees_with() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(0.5).samples, RATE, format="OGG", subtype="VORBIS")
    fixed = with_fixed_serial(buffer.getvalue())
    assert len(fixed) == len(buffer.getvalue())
    end = 27 + fixed[26] + sum(fixed[27 : 27 + fixed[26]])
    page = bytearray(fixed[:end])
    serial, _, checksum = struct.unpack_from("<III", page, 14)
    page[22:26] = bytes(4)
    assert (serial, checksum) == (1, _bitwise_crc(page))


@pytest.mark.parametrize("data", [b"RIFF" + bytes(60), b"OggS" + bytes(10), b"OggS" + bytes(22) + b"\x02\xff\xff"])
def test_bytes_that_are_not_whole_ogg_pages_are_rejected(data: bytes) -> None:
    with pytest.raises(ValueError, match="Ogg page"):
        with_fixed_serial(data)


def _bitwise_crc(data: bytes | bytearray) -> int:
    register = 0
    for byte, _bit in itertools.product(data, range(8)):
        if _bit == 0:
            register ^= byte << 24
        register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        register &= 0xFFFFFFFF
    return register


_LONG = """
import sys
import numpy as np
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.encode import encode
name, seconds, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sound = Audio((0.3 * np.sin(np.arange(seconds * rate) * 0.17)).astype(np.float32), rate)
sys.stdout.buffer.write(encode(sound, name, rate))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seconds", "rate"),
    [
        ("wav", 3600, 8_000),
        ("pcm", 3600, 8_000),
        ("flac", 3600, 8_000),
        ("ogg", 3600, 8_000),
        ("ogg", 90, 48_000),
        ("mp3", 600, 8_000),
        ("opus", 600, 8_000),
        ("aac", 600, 8_000),
    ],
)  # fmt: skip - the last three encode a frame at a time, whatever the length, and an hour takes them half a minute
def test_the_longest_speech_is_encoded_and_the_process_lives(name: str, seconds: int, rate: int) -> None:
    child = [sys.executable, "-c", _LONG, name, str(seconds), str(rate)]
    done = subprocess.run(
        child, capture_output=True, check=False, env=environment() | {"PYTHONPATH": str(ROOT / "src")}
    )
    assert done.returncode == 0, done.stderr.decode()
    samples = len(done.stdout) / 2 if name == "pcm" else 0
    if name not in ("pcm", "aac"):
        info = soundfile.info(io.BytesIO(done.stdout))
        samples = info.frames * rate / info.samplerate
    assert name == "aac" or samples == pytest.approx(seconds * rate, abs=2)


def test_no_ffmpeg_binary_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert shutil.which("ffmpeg") is None
    assert encode(tone(0.1), "mp3", RATE)
