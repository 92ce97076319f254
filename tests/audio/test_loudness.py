"""Loudness and true peak of what is returned, measured by ffmpeg's ebur128."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.join import Joiner, join
from chatterbox_worker.audio.level import CEILING_DBTP, true_peak
from chatterbox_worker.audio.leveling import Sound
from chatterbox_worker.audio.limiter import limit
from support.audio_clips import RATE, noise, speech, tone

REAL = Path(__file__).parents[3] / "shared" / "real" / "speech"
TEXTS = (
    "The rain had stopped by noon, and the streets were full of people again.", "Nobody said a word.",
    "She looked at the letter for a long time before she opened it.", "Yes.",
    "It was from her brother, who had left for the coast in the spring and had not written since.",
)  # fmt: skip


def measured(samples: Samples, rate: int = RATE) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP by ffmpeg's ebur128."""
    graph = Graph()
    time_base = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=time_base)
    meter = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("aresample", "48000"), meter, sink).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, time_base, 0
    graph.push(frame)
    graph.push(None)
    last: dict[str, str] = {}
    while True:
        try:
            last = dict(graph.pull().metadata) or last
        except (av.BlockingIOError, av.EOFError):
            break
    peak = max(float(value) for name, value in last.items() if name.startswith("lavfi.r128.true_peak"))
    return float(last["lavfi.r128.I"]), 20 * np.log10(peak) if peak > 0 else -np.inf


def spoken() -> Iterator[tuple[Audio, float]]:
    """Chunks of a text at very different levels."""
    for text, gain in zip(TEXTS, itertools.cycle([1.0, 0.3, 2.0, 0.6])):
        yield Audio(speech(text).samples * np.float32(gain), RATE), 0.4


@pytest.mark.parametrize("target", [-40.0, -23.0, -16.0])
def test_a_text_has_the_loudness_and_true_peak_that_were_requested(target: float) -> None:
    lufs, peak = measured(join(spoken(), RATE, Sound(loudness_lufs=target)).audio.samples)

    assert lufs == pytest.approx(target, abs=0.3)
    assert peak <= CEILING_DBTP


@pytest.mark.parametrize("text", ["Yes, of course.", TEXTS[0]])
def test_one_short_chunk_too(text: str) -> None:
    lufs, peak = measured(join([(speech(text), 0.0)], RATE, Sound(loudness_lufs=-18.0)).audio.samples)

    assert lufs == pytest.approx(-18.0, abs=0.3)
    assert peak <= CEILING_DBTP


@pytest.mark.skipif(not REAL.exists(), reason="no recordings of speech here")
def test_recordings_of_people_too() -> None:
    for path in sorted(REAL.rglob("*.flac"))[:8]:
        samples, rate = soundfile.read(path, dtype="float32")
        lufs, peak = measured(join([(Audio(samples, rate), 0.0)], rate, Sound(loudness_lufs=-16.0)).audio.samples, rate)
        assert lufs == pytest.approx(-16.0, abs=0.3), path
        assert peak <= CEILING_DBTP, path


def test_a_gain_is_a_gain_below_the_ceiling() -> None:
    quiet = [(Audio(speech(TEXTS[0]).samples * np.float32(0.2), RATE), 0.0)]
    plain, louder = (join(quiet, RATE, Sound(gain_db=gain)).audio.samples for gain in (0.0, 6.0))

    np.testing.assert_allclose(louder, plain * 10 ** (6 / 20), rtol=1e-5)
    assert measured(join(quiet, RATE, Sound(gain_db=20.0)).audio.samples)[1] <= CEILING_DBTP


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 20), st.integers(1, 20_000))
def test_the_limiter_never_exceeds_its_ceiling_nor_raises_a_sample(seed: int, gain: float, count: int) -> None:
    random = np.random.default_rng(seed)
    levels = np.repeat(random.uniform(0, gain, count // 500 + 1), 500)[:count].astype(np.float32)
    sound: Samples = noise(count / RATE, -20, seed) * levels

    limited = limit(Audio(sound, RATE))

    assert true_peak(limited) <= CEILING_DBTP + 1e-4
    assert (np.abs(limited.samples) <= np.abs(sound)).all()
    assert len(limited.samples) == count


def test_the_limiter_leaves_what_is_far_from_a_peak_as_it_is() -> None:
    sound = tone(1.0, peak=0.5)
    sound.samples[RATE // 2 : RATE // 2 + 200] *= 3

    limited = limit(sound).samples

    assert np.array_equal(limited[: RATE // 2 - 1000], sound.samples[: RATE // 2 - 1000])
    assert np.abs(limited).max() < 10 ** (CEILING_DBTP / 20)


def test_silence_has_no_peak_and_is_left_alone() -> None:
    for count in (0, 1, RATE):
        nothing = Audio(np.zeros(count, np.float32), RATE)
        assert true_peak(nothing) == -np.inf
        assert limit(nothing) is nothing


def test_a_target_that_the_ceiling_does_not_allow_is_told() -> None:
    joiner = Joiner(RATE, sound=Sound(loudness_lufs=-10.0))
    joiner.add(speech(TEXTS[0]))
    lufs, peak = measured(joiner.end_chunk(0.0).samples)

    assert joiner.missed_lu == pytest.approx(-10.0 - lufs, abs=0.3)
    assert joiner.missed_lu > 0.3
    assert peak <= CEILING_DBTP
    close = Joiner(RATE, sound=Sound(loudness_lufs=-23.0))
    close.add(speech(TEXTS[0]))
    close.end_chunk(0.0)
    assert close.missed_lu == 0.0
