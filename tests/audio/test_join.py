from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.join import (
    CLAUSE_PAUSE_S,
    GUARD_AFTER_S,
    GUARD_BEFORE_S,
    NO_PAUSE_S,
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
    Joined,
    Joiner,
    join,
)
from chatterbox_worker.audio.level import CEILING_DBTP, speech_level, true_peak
from chatterbox_worker.audio.leveling import MAX_GAIN_DB, MAX_STEP_LU, Sound, Trim
from chatterbox_worker.audio.loudness import loudness
from support.audio_clips import RATE, noise, rms_dbfs, speech, tone

# Words that begin and end with what is weak or short: fricatives, plosives, a whispered h, a nasal.
SENTENCES = (
    "Five thieves laugh.", "She sells fresh fish.", "Stop that clock.", "He has a half loaf of tough beef.",
    "Think of the south, the month, and the width.", "Hum him a tune.", "Put it back at eight.",
)  # fmt: skip


def _with_level(audio: Audio, dbfs: float) -> Audio:
    level = speech_level(audio)
    assert level is not None
    return Audio((audio.samples * np.float32(10 ** ((dbfs - level) / 20))).astype(np.float32), audio.sample_rate)


def _with_noise(audio: Audio, dbfs: float, lead_s: float = 0.4, tail_s: float = 0.9) -> Audio:
    """The clip with noise like that of the engine's tails: before, under and after the words."""
    padded = np.pad(audio.samples, (round(lead_s * RATE), round(tail_s * RATE)))
    return Audio(padded + noise(len(padded) / RATE, dbfs)[: len(padded)], RATE)


def _largest_jump(samples: Samples) -> float:
    return float(np.abs(np.diff(samples)).max(initial=0.0))


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("noise_dbfs", [-75.0, -60.0, -50.0])
@pytest.mark.parametrize("level_dbfs", [-26.0, -18.0])
def test_no_word_is_clipped_and_the_noise_around_it_is_removed(text: str, noise_dbfs: float, level_dbfs: float) -> None:
    spoken = _with_level(speech(text), level_dbfs)
    noisy = _with_noise(spoken, noise_dbfs)
    joined = join([(noisy, 0.0)], RATE)
    (start,) = _position(noisy.samples, joined.audio.samples)
    words = slice(round(0.4 * RATE), round(0.4 * RATE) + len(spoken.samples))
    kept = np.zeros_like(spoken.samples)
    first, last = max(0, start - words.start), min(len(kept), start + len(joined.audio.samples) - words.start)
    kept[first:last] = spoken.samples[first:last]
    lost = spoken.samples - kept
    # What is lost is 50 dB below the sentence, or below the noise around it
    assert np.sum(np.square(lost)) < 1e-5 * np.sum(np.square(spoken.samples)) or rms_dbfs(lost[lost != 0]) < noise_dbfs
    assert len(joined.audio.samples) < len(spoken.samples) + round((GUARD_BEFORE_S + GUARD_AFTER_S + 0.06) * RATE)


def _position(whole: Samples, part: Samples) -> tuple[int]:
    """The index of the middle of `part` in `whole`, where both are identical."""
    middle = len(part) // 2
    probe = part[middle : middle + 64]
    windows = np.lib.stride_tricks.sliding_window_view(whole, 64)
    (found,) = np.flatnonzero((windows == probe).all(axis=1))
    return (int(found) - middle,)


@pytest.mark.parametrize("text", SENTENCES)
def test_clean_speech_is_kept_sample_for_sample_except_for_the_fades(text: str) -> None:
    spoken = speech(text)
    padded = Audio(np.pad(spoken.samples, round(0.3 * RATE)), RATE)
    joined = join([(padded, 0.0)], RATE).audio.samples
    (start,) = _position(padded.samples, joined)
    kept = padded.samples[start : start + len(joined)]
    fade = round(0.005 * RATE)
    assert np.array_equal(joined[fade:-fade], kept[fade:-fade])
    outside = np.concatenate([padded.samples[:start], padded.samples[start + len(joined) :]])
    assert np.sum(np.square(outside)) < 1e-5 * np.sum(np.square(spoken.samples))


def test_the_weak_burst_after_a_final_closure_is_kept() -> None:
    vowel, burst = tone(0.5, hertz=200).samples, tone(0.04, hertz=3000, peak=0.3 * 10 ** (-35 / 20)).samples
    samples = np.concatenate([vowel, np.zeros(round(0.12 * RATE), np.float32), burst, noise(1.0, -80)])
    joined = join([(Audio(samples, RATE), 0.0)], RATE).audio
    assert 0.66 + 0.05 < joined.duration_s <= 0.66 + GUARD_AFTER_S + 0.02


def test_there_is_no_click_at_any_join() -> None:
    chunks = [
        (_with_noise(speech(text), -45), pause) for text, pause in zip(SENTENCES, itertools.cycle([0.0, 0.2, 0.4]))
    ]
    chunks.append((tone(0.5, hertz=200), 0.3))  # begins and ends at full amplitude
    joined = join(chunks, RATE)
    inside = [_largest_jump(joined.audio.samples[span.start + 240 : span.end - 240]) for span in joined.spans]
    for (left, right), (before, after) in zip(
        itertools.pairwise(joined.spans), itertools.pairwise(inside), strict=True
    ):
        assert _largest_jump(joined.audio.samples[left.end - 120 : left.end]) <= before
        assert _largest_jump(joined.audio.samples[right.start : right.start + 120]) <= after
        assert _largest_jump(joined.audio.samples[left.end - 2 : right.start + 2]) <= 0.01 * max(before, after)


def test_a_tone_cut_anywhere_begins_and_ends_at_zero() -> None:
    cut = Audio(tone(1.0, hertz=150).samples[37:-53], RATE)
    joined = join([(cut, 0.2), (cut, 0.0)], RATE)
    assert _largest_jump(joined.audio.samples) < 1.3 * _largest_jump(cut.samples)
    assert abs(joined.audio.samples[0]) < 1e-4
    assert abs(joined.audio.samples[-1]) < 1e-4


@pytest.mark.parametrize("pause_s", [CLAUSE_PAUSE_S, SENTENCE_PAUSE_S, PARAGRAPH_PAUSE_S, 2.5])
def test_a_pause_lasts_as_long_as_requested(pause_s: float) -> None:
    beep = Audio(np.pad(tone(0.5).samples, round(0.3 * RATE)), RATE)
    samples = join([(beep, pause_s), (beep, 0.0)], RATE).audio.samples
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    assert np.diff(loud).max() / RATE == pytest.approx(pause_s, abs=0.021)  # a frame at each end


def test_pauses_grow_with_the_break_and_the_last_one_is_kept() -> None:
    assert NO_PAUSE_S < GUARD_BEFORE_S + GUARD_AFTER_S < CLAUSE_PAUSE_S < SENTENCE_PAUSE_S < PARAGRAPH_PAUSE_S
    without, with_pause = (join([(tone(0.5), pause)], RATE).audio for pause in (0.0, 1.0))
    assert len(with_pause.samples) == len(without.samples) + RATE
    assert not with_pause.samples[len(without.samples) :].any()


def _levels(joined: Joined) -> list[float]:
    """LUFS of each chunk."""
    return [loudness(Audio(joined.audio.samples[span.start : span.end], RATE)) for span in joined.spans]


@pytest.mark.parametrize("odd", [-40.0, -26.0, -14.0, -3.0])
@pytest.mark.parametrize("place", [0, 1, 2, 5])
def test_no_odd_chunk_changes_the_level_of_the_others(odd: float, place: int) -> None:
    dbfs = [-20.0, -20.5, -19.5, -20.0, -19.5, -20.5]
    dbfs[place] = odd
    chunks = [(_with_level(speech(text), level), 0.4) for text, level in zip(SENTENCES, dbfs, strict=False)]
    joined = join(chunks, RATE)
    levels = _levels(joined)
    assert max(levels) - min(levels) < 2.0
    assert statistics.median(levels) == pytest.approx(statistics.median(_levels(join(chunks[3:5], RATE))), abs=2.5)


def test_a_chunk_that_is_far_too_quiet_is_raised_as_far_as_the_limit_allows() -> None:
    joined = join([(_with_level(speech(SENTENCES[4]), dbfs), 0.4) for dbfs in (-20.0, -20.0, -20.0, -45.0)], RATE)
    *levels, last = _levels(joined)
    assert last == pytest.approx(statistics.median(levels) - 25 + MAX_GAIN_DB, abs=0.3)


def test_two_chunks_are_brought_to_the_level_between_them() -> None:
    alone = [_levels(join([(_with_level(speech(SENTENCES[4]), dbfs), 0.4)], RATE))[0] for dbfs in (-20.0, -26.0)]
    joined = join([(_with_level(speech(SENTENCES[4]), dbfs), 0.4) for dbfs in (-20.0, -26.0)], RATE)
    assert _levels(joined) == pytest.approx([sum(alone) / 2] * 2, abs=0.1)


def test_speech_at_different_levels_ends_within_one_unit() -> None:
    chunks = [
        (_with_level(speech(text), dbfs), 0.4)
        for text, dbfs in zip(SENTENCES, [-22, -26, -18, -27, -20, -24, -17], strict=True)
    ]
    levels = _levels(join(chunks, RATE))
    assert max(levels) - min(levels) < 1.0


def test_a_live_stream_leaves_an_odd_first_chunk_in_steps() -> None:
    joiner = Joiner(RATE, live=True)
    out: list[Samples] = []
    for dbfs in (-30.0, -20.0, -20.0, -20.0, -20.0, -20.0, -20.0, -20.0):
        out += [joiner.add(_with_level(speech(SENTENCES[4]), dbfs)).samples, joiner.end_chunk(0.4).samples]
        assert sum(map(len, out)) == joiner.spans[-1].end
    levels = _levels(Joined(Audio(np.concatenate(out), RATE), joiner.spans))
    steps = np.diff(levels)
    assert (abs(steps) <= MAX_STEP_LU + 0.1).all()
    assert levels[-1] == pytest.approx(levels[0] + 10.0, abs=0.2)


def test_what_is_raised_stops_at_the_true_peak_ceiling() -> None:
    quiet = tone(1.0, peak=0.1)
    quiet.samples[RATE // 2] = 0.85  # one peak: not louder, but near full scale
    joined = join([(tone(1.0, peak=0.4), 0.4), (quiet, 0.0)], RATE)
    second = Audio(joined.audio.samples[joined.spans[1].start :], RATE)
    assert true_peak(second) <= CEILING_DBTP


@pytest.mark.parametrize("trim", ["none", "edges", "inner"])
def test_trim_chooses_which_silences_are_removed(trim: Trim) -> None:
    beep = tone(0.5).samples
    pieces = [np.zeros(RATE // 2, np.float32), beep, np.zeros(RATE, np.float32), beep, np.zeros(RATE // 2, np.float32)]
    joined = join([(Audio(np.concatenate(pieces), RATE), 0.2), (tone(0.5), 0.0)], RATE, Sound(trim=trim))
    (first, _) = joined.spans
    lasts_s = {
        "none": 3.0,
        "edges": 2.0 + GUARD_BEFORE_S + GUARD_AFTER_S,
        "inner": 1.4 + GUARD_BEFORE_S + GUARD_AFTER_S,
    }
    assert (first.end - first.start) / RATE == pytest.approx(lasts_s[trim], abs=0.03)
    loud = np.flatnonzero(np.abs(joined.audio.samples) > 0.01)
    assert np.diff(loud).max() / RATE == pytest.approx({"none": 1.0, "edges": 1.0, "inner": 0.4}[trim], abs=0.03)
    assert _largest_jump(joined.audio.samples) <= 1.2 * _largest_jump(beep)  # the tones get one level


def test_pauses_inside_a_chunk_of_up_to_eight_tenths_of_a_second_stay() -> None:
    beep = tone(0.5).samples
    chunk = Audio(np.concatenate([beep, np.zeros(round(0.75 * RATE), np.float32), beep]), RATE)
    one, other = (join([(chunk, 0.0)], RATE, Sound(trim=trim)).audio.samples for trim in ("edges", "inner"))
    assert np.array_equal(one, other)


def test_a_single_chunk_keeps_its_own_level() -> None:
    for dbfs in (-35.0, -6.0):
        (loudness,) = [rms_dbfs(join([(_with_level(tone(1.0), dbfs), 0.0)], RATE).audio.samples[240:-240])]
        assert loudness == pytest.approx(dbfs, abs=0.05)


def test_a_silent_chunk_adds_only_its_pause_if_that_is_longer() -> None:
    near_silence = Audio(noise(1.0, -75), RATE)
    plain = join([(tone(0.5), 0.4), (tone(0.5), 0.0)], RATE)
    same = join([(tone(0.5), 0.4), (near_silence, 0.2), (tone(0.5), 0.0)], RATE)
    assert np.array_equal(same.audio.samples, plain.audio.samples)
    assert same.spans[1].start == same.spans[1].end
    longer = join([(tone(0.5), 0.4), (near_silence, 1.0), (tone(0.5), 0.0)], RATE)
    assert len(longer.audio.samples) == len(plain.audio.samples) + round(0.6 * RATE)
    for nothing in (near_silence, Audio(np.zeros(0, np.float32), RATE), Audio(np.zeros(5, np.float32), RATE)):
        assert not len(join([(nothing, 0.0)], RATE).audio.samples)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 239, 240, 241, 1000])
def test_a_very_short_chunk_is_not_trimmed(count: int) -> None:
    click = Audio(np.full(count, 0.3, np.float32), RATE)
    joined = join([(tone(0.5), 0.2), (click, 0.0)], RATE)
    assert joined.spans[1].end - joined.spans[1].start == count


def test_spans_are_the_positions_of_the_chunks() -> None:
    chunks = [(speech(text), 0.4) for text in SENTENCES[:3]]
    joined = join(chunks, RATE)
    inside = np.zeros(len(joined.audio.samples), bool)
    for span in joined.spans:
        inside[span.start : span.end] = True
    assert not joined.audio.samples[~inside].any()
    assert [span.end - span.start for span in joined.spans] == [
        len(join([(chunk, 0.0)], RATE).audio.samples) for chunk, _ in chunks
    ]


def test_the_first_chunk_is_returned_before_it_ends() -> None:
    joiner = Joiner(RATE, live=True)
    spoken = speech("This is a long first sentence, so that something of it can be heard at once.")
    lengths = [len(joiner.add(Audio(piece, RATE)).samples) for piece in np.array_split(spoken.samples, 10)]
    assert sum(lengths[:3]) > 0
    assert sum(lengths) > 0.8 * len(spoken.samples)


def test_a_piece_of_another_rate_is_rejected() -> None:
    with pytest.raises(ValueError, match="16000"):
        Joiner(RATE).add(tone(0.1, rate=16_000))


def _random_sound(seed: int) -> Samples:
    """A mix of everything: silence, noise, tones, speech, bursts, of any length."""
    random = np.random.default_rng(seed)
    parts: list[Samples] = []
    for _ in range(random.integers(1, 6)):
        length_s = float(random.choice([0.003, 0.02, 0.11, 0.4, 0.9]))
        kind = random.integers(5)
        if kind == 0:
            parts.append(np.zeros(round(length_s * RATE), np.float32))
        elif kind == 1:
            parts.append(noise(length_s, float(random.uniform(-90, -30)), seed))
        elif kind == 2:
            parts.append(tone(length_s, float(random.uniform(80, 4000)), float(10 ** random.uniform(-3, 0))).samples)
        else:
            spoken = speech(SENTENCES[random.integers(len(SENTENCES))]).samples * np.float32(random.uniform(0.05, 1.5))
            parts.append(spoken[: round(length_s * RATE * 2)])
    return np.concatenate(parts)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.2, 0.4, 1.1])), min_size=1, max_size=4),
    st.integers(0, 10_000),
)
def test_streaming_and_joining_give_the_same_bits(recipe: list[tuple[int, float]], cuts_seed: int) -> None:
    chunks = [(Audio(_random_sound(seed), RATE), pause) for seed, pause in recipe]
    offline = join(chunks, RATE)
    random = np.random.default_rng(cuts_seed)
    joiner = Joiner(RATE)
    out: list[Samples] = []
    for chunk, pause in chunks:
        cuts = np.sort(random.integers(0, len(chunk.samples) + 1, random.integers(0, 9)))
        out += [joiner.add(Audio(piece, RATE)).samples for piece in np.split(chunk.samples, cuts)]
        out.append(joiner.end_chunk(pause).samples)
    out.append(joiner.finish().samples)
    assert np.array_equal(np.concatenate(out), offline.audio.samples)
    assert joiner.spans == offline.spans
