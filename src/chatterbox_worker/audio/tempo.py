"""`change_speed`: faster or slower speech at the same pitch, with ffmpeg's atempo (WSOLA) in-process."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from chatterbox_worker.audio.clip import Audio

SLOWEST, FASTEST = 0.25, 4.0
# Above 2 atempo drops samples instead of blending them; below 0.5 it accepts nothing (ffmpeg-filters, "atempo").
_STAGE_SLOWEST, _STAGE_FASTEST = 0.5, 2.0
# atempo's window is 1/24 s rounded up to a power of two, at most 1/12 s; each stage withholds up to two at the end.
_FLUSH_S = 0.25


def change_speed(audio: Audio, speed: float) -> Audio:
    """`audio` at `speed` times the tempo and the same pitch: exactly round(n / speed) samples.

    Silence is appended so that atempo returns all of the sound, then the result is cut to length. 1.0 returns `audio`
    itself.

    Raises:
        ValueError: speed outside 0.25 to 4.
    """
    if not SLOWEST <= speed <= FASTEST:  # also rejects NaN
        raise ValueError(f"speed {speed} is outside {SLOWEST} to {FASTEST}")
    length = round(len(audio.samples) / speed)
    if speed == 1.0:
        return audio
    if not length:
        return Audio(np.zeros(0, np.float32), audio.sample_rate)
    padding = np.zeros(math.ceil(_FLUSH_S * audio.sample_rate * max(1.0, speed)), np.float32)
    stretched = _atempo(np.concatenate([audio.samples, padding]), audio.sample_rate, _stages(speed))
    missing = max(0, length - len(stretched))
    return Audio(np.pad(stretched[:length], (0, missing)), audio.sample_rate)


def _stages(speed: float) -> list[float]:
    """The fewest equal factors within the range where atempo works well whose product is `speed`."""
    count = max(1, math.ceil(abs(math.log(speed)) / math.log(_STAGE_FASTEST)))
    return [speed ** (1.0 / count)] * count


def _atempo(
    samples: np.ndarray[tuple[int], np.dtype[np.float32]], sample_rate: int, stages: list[float]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time_base = Fraction(1, sample_rate)
    graph = Graph()
    source = graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono", time_base=time_base)
    sink = graph.add("abuffersink")
    graph.link_nodes(source, *(graph.add("atempo", f"{stage:.9f}") for stage in stages), sink).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = sample_rate, time_base, 0
    graph.push(frame)
    graph.push(None)
    pieces: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    while True:
        try:
            pieces.append(graph.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):  # libav's signal that there is no more
            return np.concatenate([np.zeros(0, np.float32), *pieces])
