"""Voice conversion in the core, with an engine that returns what it is given."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Cancelled, InvalidRequest
from chatterbox_worker.request import ConversionRequest, parse
from chatterbox_worker.synthesis import conversion
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.audio_clips import noise, tone, wav_base64, wav_bytes
from support.fakes import ToneEngine

RATE = 24_000


@pytest.fixture
def request_of(settings: Settings) -> Callable[..., ConversionRequest]:
    def build(recording: bytes | None = None, **fields: Any) -> ConversionRequest:
        audio = {} if recording is None else {"audio": base64.b64encode(recording).decode()}
        parsed = parse({"action": "convert", **audio, **fields}, settings)
        assert isinstance(parsed, ConversionRequest)
        return parsed

    return build


def as_wav(samples: Samples, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()


def samples_of(wav: bytes) -> Samples:
    samples: Samples = soundfile.read(io.BytesIO(wav), dtype="float32")[0]
    return samples


def test_words_and_silences_keep_their_time_in_a_recording_of_several_stretches(
    synthesizer: Synthesizer, engine: ToneEngine, request_of: Callable[..., ConversionRequest]
) -> None:
    swell = 0.6 + 0.4 * np.sin(np.arange(66 * 16_000) / 5_000)
    source = (tone(66.0, 150, rate=16_000).samples * swell).astype(np.float32)
    source[22 * 16_000 : 25 * 16_000] = 0
    source[46 * 16_000 : round(46.7 * 16_000)] = 0
    spoken = resample(Audio(source, 16_000), RATE).samples
    steps: list[tuple[int, int]] = []
    scope = CancelScope(lambda done, total, _: steps.append((done, total)))
    recording = synthesizer.speak(request_of(as_wav(source, 16_000), seed=5), scope)
    assert len(engine.passages) > 2
    assert steps == [(index + 1, len(engine.passages)) for index in range(len(engine.passages))]
    assert [passage.seed for passage in engine.passages] == [5 + index for index in range(len(engine.passages))]
    converted = samples_of(recording.audio)
    assert len(converted) == len(spoken)
    error = converted - 0.5 * spoken
    assert np.abs(error).max() < 0.02 * np.abs(spoken).max()  # a stretch is resampled without its neighbours
    info = recording.info
    assert (info.duration_s, info.seed, info.voice, info.language, info.chunks) == (66.0, 5, "default", "und", ())


@pytest.mark.parametrize(
    ("audio_format", "rate"), [("wav", 48_000), ("mp3", 24_000), ("opus", 16_000), ("flac", 8_000)]
)
def test_the_answer_has_the_requested_format_and_length(
    synthesizer: Synthesizer, request_of: Callable[..., ConversionRequest], audio_format: str, rate: int
) -> None:
    request = request_of(wav_bytes(3.37), format=audio_format, sample_rate=rate)
    recording = synthesizer.speak(request, CancelScope())
    assert (recording.info.format, recording.info.sample_rate) == (audio_format, rate)
    assert recording.info.duration_s == pytest.approx(3.37, abs=0.001)


def test_a_conversion_is_cached_by_its_recording_voice_and_format(
    synthesizer: Synthesizer, engine: ToneEngine, request_of: Callable[..., ConversionRequest]
) -> None:
    first = synthesizer.speak(request_of(wav_bytes(1.0)), CancelScope())
    again = synthesizer.speak(request_of(wav_bytes(1.0)), CancelScope())
    assert (first.hit, again.hit, len(engine.passages)) == (False, True, 1)
    assert again.audio == first.audio
    changes: list[dict[str, Any]] = [
        {"recording": wav_bytes(1.0, pitch=150)}, {"reference_audio": wav_base64(6.0)}, {"format": "flac"},
        {"seed": 1}, {"sample_rate": 16_000}, {"model": "turbo"}, {"cache": False},
    ]  # fmt: skip
    for change in changes:
        assert not synthesizer.speak(request_of(**{"recording": wav_bytes(1.0), **change}), CancelScope()).hit, change
    assert len({first.key} | {synthesizer.plan(request_of(wav_bytes(1.0), **each)).key for each in changes[1:-1]}) == 6


def test_the_voice_of_a_recording_and_of_the_library_is_used(
    synthesizer: Synthesizer, engine: ToneEngine, request_of: Callable[..., ConversionRequest]
) -> None:
    synthesizer.library.save("alice", wav_bytes(6.0, pitch=180), field="file")
    named = synthesizer.speak(request_of(wav_bytes(1.0), voice="alice"), CancelScope())
    given = synthesizer.speak(request_of(wav_bytes(1.0), reference_audio=wav_base64(6.0)), CancelScope())
    assert [named.info.voice, given.info.voice] == ["alice", "reference"]
    assert all(passage.voice.clip is not None for passage in engine.passages)


BAD_RECORDINGS: dict[str, tuple[bytes, str]] = {
    "silent": (as_wav(np.zeros(RATE, np.float32)), "silent"),
    "noise": (as_wav(noise(2.0, -20)), "no speech"),
    "a click": (as_wav(tone(0.1).samples), "at least 0.2 s"),
    "text": (b"not a sound", "not audio"),
    "too long": (wav_bytes(4.0), "longer than 3 s"),
}


@pytest.mark.parametrize("kind", BAD_RECORDINGS)
def test_a_recording_that_cannot_be_converted_is_refused_by_name(
    synthesizer: Synthesizer,
    engine: ToneEngine,
    request_of: Callable[..., ConversionRequest],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversion, "LONGEST_S", 3.0)
    recording, why = BAD_RECORDINGS[kind]
    with pytest.raises(InvalidRequest, match=why) as refusal:
        synthesizer.speak(request_of(recording), CancelScope())
    assert refusal.value.field == "audio"
    assert not engine.passages


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "audio"),
        ({"audio": "AAAA", "audio_url": "http://x.org/a"}, "audio_url"),
        ({"audio_url": "file:///etc/passwd"}, "audio_url"),
        ({"audio": "AAAA", "voice": "a", "voice_url": "http://x.org/a"}, "voice_url"),
        ({"audio": "AAAA", "format": "midi"}, "format"),
        ({"audio": "AAAA", "sample_rate": 1}, "sample_rate"),
        ({"audio": "AAAA", "bitrate_kbps": 32}, "bitrate_kbps"),
        ({"audio": "AAAA", "model": "nano"}, "model"),
        ({"audio": "AAAA", "text": "Hello"}, "text"),
        ({"audio": "AAAA", "speed": 2.0}, "speed"),
        ({"audio": "AAAA", "seed": -1}, "seed"),
        ({"audio": "AAAA", "output": "mail"}, "output"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_refused_by_name(
    settings: Settings, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse({"action": "convert", **fields}, settings)
    assert refusal.value.field == field


def test_models_that_cannot_convert_say_which_can(settings: Settings) -> None:
    served = replace(settings, models=("csm", "preview"))
    for model in (None, "preview"):
        with pytest.raises(
            InvalidRequest, match=r"cannot .*multilingual.* can, and this worker serves none"
        ) as refusal:
            parse({"action": "convert", "audio": "AAAA", "model": model}, served)
        assert refusal.value.field == "model"
    served = replace(settings, models=("csm", "nano"))
    with pytest.raises(InvalidRequest, match=r"csm cannot convert speech to another voice; nano can$"):
        parse({"action": "convert", "audio": "AAAA", "model": "csm"}, served)
    able = parse({"action": "convert", "audio": "AAAA"}, served)
    assert isinstance(able, ConversionRequest)
    assert able.model == "nano"


def test_a_cancelled_conversion_ends(
    synthesizer: Synthesizer, engine: ToneEngine, request_of: Callable[..., ConversionRequest]
) -> None:
    scope = CancelScope()
    plan = synthesizer.plan(request_of(as_wav(tone(70.0, 150, rate=8_000).samples, 8_000)))
    speech = synthesizer.stream(plan, scope)
    pieces = iter(speech)
    next(pieces)
    scope.cancel()
    with pytest.raises(Cancelled):
        list(pieces)
