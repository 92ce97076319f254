from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import soxr
import torch

from chatterbox_worker.audio.clip import Audio, Samples, concatenate, silence
from chatterbox_worker.engines.chatterbox.watermark import perth as module
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark


@cache
def ours() -> Watermark:
    return Watermark(torch.device("cpu"))


@cache
def theirs() -> Any:
    from perth.perth_net.perth_net_implicit.perth_watermarker import PerthImplicitWatermarker

    with contextlib.redirect_stdout(io.StringIO()):
        return PerthImplicitWatermarker()


def voice(duration_s: float, sample_rate: int = 24_000, seed: int = 0) -> Audio:
    """Something like speech: a gliding buzz in syllables, with noise."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(duration_s * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(4.4 * time)) / sample_rate
    buzz = sum(np.sin(order * phase) / order for order in range(1, 1 + min(30, sample_rate // 400)))
    syllables = np.clip(np.sin(13.8 * time) + 0.4, 0, 1)
    return Audio((0.1 * buzz * syllables + 0.004 * draw.normal(size=len(time))).astype(np.float32), sample_rate)


@pytest.mark.parametrize(
    ("duration_s", "sample_rate"),
    [
        (0.1, 24_000),
        (2.0, 24_000),
        (17.02, 24_000),
        (2.0, 32_000),
        (1.5, 48_000),
        (2.0, 44_100),
        (2.0, 16_000),
        (2.0, 8_000),
    ],
)
def test_marked_sound_is_perths(duration_s: float, sample_rate: int) -> None:
    audio = voice(duration_s, sample_rate)
    expected = theirs().apply_watermark(audio.samples, sample_rate=sample_rate)
    marked = ours().mark(audio)
    assert marked.sample_rate == sample_rate
    assert len(marked.samples) == len(expected) == len(audio.samples)
    np.testing.assert_allclose(marked.samples, expected, atol=1e-5, rtol=0)


def test_a_length_that_perth_cuts_is_preserved() -> None:
    """Perth's result ends with its last whole hop, here 81 samples early, and its resampler rings there."""
    audio = Audio(voice(2.1).samples[:50_001], 24_000)
    expected = theirs().apply_watermark(audio.samples, sample_rate=24_000)
    marked = ours().mark(audio).samples
    assert (len(marked), len(expected)) == (50_001, 49_920)
    np.testing.assert_allclose(marked[:49_800], expected[:49_800], atol=1e-5, rtol=0)
    assert np.abs(marked[49_920:]).max() > 0


def test_perths_own_detector_finds_the_mark_and_ours_agrees_with_it() -> None:
    audio = voice(3.0)
    marked = ours().mark(audio)
    assert theirs().get_watermark(marked.samples, sample_rate=24_000) == 1.0
    assert theirs().get_watermark(audio.samples, sample_rate=24_000) == 0.0
    for clip in (
        audio,
        marked,
        Audio(marked.samples[:9000], 24_000),
        voice(1.0, 44_100),
        voice(1.0, 32_000),
        voice(1.0, 11_025),
    ):
        confidence = theirs().get_watermark(clip.samples, sample_rate=clip.sample_rate, round=False)
        assert ours().detect(clip) == pytest.approx(float(confidence), abs=1e-4)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = voice(3.0)
    whole = ours().mark(audio).samples
    monkeypatch.setattr(module, "_BLOCK", 37)
    np.testing.assert_allclose(ours().mark(audio).samples, whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("count", [0, 1, 2, 100, 768, 769, 800])
def test_short_clips_keep_their_length_and_stay_finite(count: int) -> None:
    """Upstream raises below 769 samples at 24 kHz."""
    clip = Audio(voice(1.0).samples[5000 : 5000 + count], 24_000)
    marked = ours().mark(clip).samples
    assert marked.shape == (count,)
    assert marked.dtype == np.float32
    assert np.isfinite(marked).all()
    assert 0 <= ours().detect(clip) <= 1


def test_silence_stays_silent_and_unmarked() -> None:
    quiet = silence(1.0, 24_000)
    assert np.abs(ours().mark(quiet).samples).max() < 1e-6
    assert ours().detect(quiet) == 0.0
    assert np.isnan(
        theirs().get_watermark(quiet.samples, sample_rate=24_000, round=False)
    )  # this is not copied from perth


def test_no_gradients_are_recorded() -> None:
    assert not ours()._change(torch.from_numpy(voice(0.5, 32_000).samples)).requires_grad


def test_the_mark_lies_below_2_khz_and_well_below_the_sound() -> None:
    audio = voice(3.0, 32_000)
    change = np.abs(np.fft.rfft(ours().mark(audio).samples - audio.samples)) ** 2
    below = len(change) * 2000 // 16_000
    assert change[int(1.1 * below) :].sum() < 1e-3 * change.sum()
    assert change.sum() < 0.1 * (np.abs(np.fft.rfft(audio.samples)) ** 2).sum()


def mp3_round_trip(audio: Audio) -> Audio:
    file = io.BytesIO()
    soundfile.write(file, audio.samples, audio.sample_rate, format="MP3")
    file.seek(0)
    return Audio(*soundfile.read(file, dtype="float32"))


def opus_round_trip(audio: Audio) -> Audio:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=audio.sample_rate, layout="mono", options={"b": "32000"})
        stream.format = "s16"
        frame = av.AudioFrame.from_ndarray(np.frombuffer(audio.pcm16(), "<i2")[None], format="s16", layout="mono")
        frame.sample_rate = audio.sample_rate
        for each in (frame, None):
            container.mux(stream.encode(each))
    file.seek(0)
    with av.open(file) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=audio.sample_rate)
        frames = [out for frame in (*container.decode(audio=0), None) for out in resampler.resample(frame)]
    return Audio(np.concatenate([frame.to_ndarray()[0] for frame in frames]), audio.sample_rate)


def change_speed(audio: Audio, speed: float) -> Audio:
    """Without changing the pitch: the atempo filter of ffmpeg."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=audio.sample_rate, layout="mono")
    tempo, sink = graph.add("atempo", str(speed)), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(audio.samples[None], format="flt", layout="mono")
    frame.sample_rate = audio.sample_rate
    graph.push(frame)
    graph.push(None)
    pieces: list[Samples] = []
    with contextlib.suppress(av.error.EOFError, av.error.BlockingIOError):
        while True:
            pieces.append(graph.pull().to_ndarray()[0])
    return Audio(np.concatenate(pieces), audio.sample_rate)


def change_rate(audio: Audio, sample_rate: int) -> Audio:
    samples: Samples = soxr.resample(audio.samples, audio.sample_rate, sample_rate)
    return Audio(samples, sample_rate)


CHANGES: dict[str, Callable[[Audio], Audio]] = {
    "mp3": mp3_round_trip,
    "opus": opus_round_trip,
    "16 kHz": lambda audio: change_rate(audio, 16_000),
    "8 kHz": lambda audio: change_rate(audio, 8_000),
    "16 bits": lambda audio: Audio(np.frombuffer(audio.pcm16(), "<i2").astype(np.float32) / np.float32(32767), 24_000),
    "quieter": lambda audio: Audio(audio.samples * np.float32(0.1), 24_000),
    "slower": lambda audio: change_speed(audio, 0.8),
    "faster": lambda audio: change_speed(audio, 1.25),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_mark_survives(change: str) -> None:
    audio = voice(4.0)
    assert ours().detect(CHANGES[change](ours().mark(audio))) > 0.8
    assert ours().detect(CHANGES[change](audio)) < 0.3


@pytest.mark.parametrize("pause_s", [0.0, 0.15])
def test_chunks_marked_apart_are_marked_together(pause_s: float) -> None:
    chunks = [ours().mark(voice(1.0, seed=seed)) for seed in range(4)]
    joined = concatenate([piece for chunk in chunks for piece in (chunk, silence(pause_s, 24_000))])
    assert ours().detect(joined) > 0.9


@pytest.mark.slow
def test_neither_perth_nor_librosa_is_imported() -> None:
    program = (
        "import sys, torch; from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark; "
        "Watermark(torch.device('cpu')); "
        "print(*{'perth', 'librosa', 'numba', 'scipy', 'chatterbox'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    assert done.stdout.strip() == ""
