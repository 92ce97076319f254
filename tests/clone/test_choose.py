"""The choice of the reference clip."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.clone.choose import choose_clip
from chatterbox_worker.clone.recordings import RATE, SourceRecording
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.errors import InvalidRequest
from support.audio_clips import rms_dbfs


def segment(file: str, start_s: float, end_s: float, snr_db: float = 50.0) -> Segment:
    return Segment(file, start_s, end_s, -20.0, snr_db, 30.0, 0.6, 0)


def recordings(*names: str, peak: float = 0.3) -> dict[str, SourceRecording]:
    time = np.arange(60 * RATE) / RATE
    audio = Audio((peak * np.sin(2 * np.pi * 200 * time)).astype(np.float32), RATE)
    return {name: SourceRecording(name, "0" * 64, RATE, audio, np.zeros(0), np.zeros(0)) for name in names}


def spans(kept: list[Segment], similarities: dict[Segment, float] | None = None) -> list[tuple[str, float, float]]:
    clip = choose_clip(kept, recordings("a", "b"), similarities or {})
    return [(span.file, span.start_s, span.end_s) for span in clip.spans]


def test_neighbours_become_one_piece_of_10_to_15_seconds_with_their_pauses() -> None:
    kept = [segment("a", 1, 5), segment("a", 5.5, 9), segment("a", 9.5, 13), segment("a", 13.5, 18)]
    assert spans(kept) == [("a", 1, 13)]
    assert choose_clip(kept, recordings("a"), {}).audio.duration_s == pytest.approx(12.0)


def test_no_piece_is_longer_than_15_seconds_or_from_two_files() -> None:
    assert spans([segment("a", 0, 4), segment("a", 4.5, 8), segment("a", 8.5, 16)]) == [("a", 4.5, 16)]
    assert spans([segment("a", 0, 5), segment("b", 5.5, 11)]) == [("a", 0, 5), ("b", 5.5, 11)]


@pytest.mark.parametrize(("snr_db", "chosen"), [(20.0, "long"), (15.0, "short")])
def test_length_counts_more_than_noise_up_to_a_point(snr_db: float, chosen: str) -> None:
    pieces = {"long": segment("a", 0, 10, snr_db=snr_db), "short": segment("b", 0, 8)}
    (found,) = spans(list(pieces.values()))
    assert found[0] == pieces[chosen].file


def test_left_out_segments_and_long_pauses_end_a_piece() -> None:
    kept = [segment("a", 1, 8), segment("a", 9.5, 20), segment("b", 0, 5)]
    assert spans(kept) == [("a", 9.5, 20)]


def test_the_cleaner_and_the_more_similar_piece_is_preferred() -> None:
    clean, noisy = segment("a", 0, 11), segment("b", 0, 11, snr_db=22)
    assert spans([noisy, clean]) == [("a", 0, 11)]
    similar, other = segment("a", 20, 31), segment("b", 20, 31)
    assert spans([other, similar], {other: 0.76, similar: 0.95}) == [("a", 20, 31)]


def test_short_pieces_are_joined_if_none_is_long_enough() -> None:
    kept = [segment("a", 0, 4), segment("a", 10, 13), segment("b", 0, 4), segment("b", 20, 23)]
    chosen = spans(kept)
    assert len(chosen) == 3
    clip = choose_clip(kept, recordings("a", "b"), {})
    assert clip.audio.duration_s == pytest.approx(sum(end - start for _, start, end in chosen) + 2 * 0.3, abs=0.01)


def test_too_little_speech_is_rejected_with_its_amount() -> None:
    with pytest.raises(InvalidRequest, match=r"there are only 5\.0 s of good speech; a voice needs at least 6"):
        choose_clip([segment("a", 0, 3), segment("b", 0, 2)], recordings("a", "b"), {})


@pytest.mark.parametrize("peak", [0.02, 0.3, 0.9])
def test_the_clip_has_a_fixed_level_and_faded_ends(peak: float) -> None:
    clip = choose_clip([segment("a", 1, 12)], recordings("a", peak=peak), {})
    assert rms_dbfs(clip.audio.samples) == pytest.approx(-20.0, abs=0.3)
    assert clip.gain_db == pytest.approx(-20.0 - 20 * np.log10(peak / np.sqrt(2)), abs=0.3)
    assert clip.audio.samples[0] == clip.audio.samples[-1] == 0.0
