"""What can be wrong with a take by its sound alone: a few milliseconds for each, no model.

The bounds are wide: a good take must pass, since one that does not is spoken again. Every level is relative to the
take's own loudest part, as in `audio.trim`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.trim import FRAME_S, Levels, final_end, frame_levels, is_silent, onset
from chatterbox_worker.audio.voicing import WINDOW_HOP_S, periodic_windows, voiced_fraction
from chatterbox_worker.checks.verdict import Reason
from chatterbox_worker.engine import TakeFacts
from chatterbox_worker.text.scripts import speakable, tags

CHARACTERS_PER_S: Mapping[str, float] = MappingProxyType({
    "ar": 8.5, "da": 14.4, "de": 13.9, "el": 13.8, "en": 14.6, "es": 14.9, "fi": 13.1, "fr": 16.9, "he": 10.0,
    "hi": 6.8, "it": 13.2, "ja": 8.1, "ko": 4.2, "ms": 12.8, "nl": 13.7, "no": 11.8, "pl": 13.1, "pt": 12.4,
    "ru": 14.5, "sv": 12.1, "sw": 10.3, "tr": 10.8, "zh": 3.8,
})  # fmt: skip
"""Letters and digits of read text a second, by language: espeak-ng at its usual 175 words a minute, without the silence
at the edges. Kana for Japanese; a text in kanji has fewer characters."""
_OTHER = 12.0
_FASTER, _SLOWER = 2.5, 3.0
"""How many times faster and slower a take may be: people read at 4.3 to 9.1 syllables a second across languages (Coupé
et al., Science Advances 5, 2019), and within one language the fastest reader is not twice as fast as the slowest."""
_SLOWER_KANJI = 6.0  # instead, for Japanese: a kanji has up to four morae
_SHORTER_S, _LONGER_S = 0.3, 1.5
"""Whatever the text: a single word may be clipped, or drawn out. By Whisper's times, 726 single words of LibriSpeech's
readers take at most 0.6 s more than three times the usual, and two words with a sentence's end between them 1.1 s."""
_TAG_S = 3.0  # a laugh or a cough

_LONGEST_SILENCE_S = 1.5
_SILENCE_DB = 40.0  # below the loudest, as in `audio.trim.shorten_silences`

_TAIL_S = 4.0  # of the take's end is searched for noise
_LONGEST_UNVOICED_S = 0.7  # a final fricative with its fading lasts 0.4 s at most
_VOICED = 0.2  # of a voice's windows have pitch, unless it whispers
_UNVOICED_DB = 35.0  # below the loudest: weaker breaths are no fault
_STEADY_S, _STEADY_DB = 0.7, 1.0
"""Noise, hum or a vowel that is held: speech does not keep its level to 1 dB (standard deviation) for so long."""
_LONGEST_LAST_LETTER_S = 1.5  # by alignment: a drawn-out syllable lasts half of that
_GAP_S, _EXTRA_S, _EXTRA_DB = 0.25, 0.06, 25.0
"""By alignment: a silence after the last letter that is longer than the closure of a plosive (0.05 to 0.12 s), and then
a sound less than 25 dB below the loudest, as a vowel is and most breaths are not, and longer than a click."""

_LEAST_REPEATS, _LONGEST_PERIOD = 3, 60  # tokens: 2.4 s, a few words
_REPEATED = 50  # tokens, 2 s: pauses and held vowels repeat one token for less

_SKIPPED_S, _UNREAD_S = 1.5, 0.15
"""Text that takes 1.5 s at the usual pace and is passed in a tenth of that was left out."""


def find_faults(
    audio: Audio, text: str, language: str, facts: TakeFacts, boundaries_s: Sequence[float] = ()
) -> list[Reason]:
    """What is wrong with a take of `text`, as the model was given it.

    `boundaries_s`: as `Take.boundaries_s`; without them nothing is said about words that were left out, and noise
    after the last word is found by its level alone.
    """
    levels = frame_levels(audio.samples, round(FRAME_S * audio.sample_rate), complete=True)
    if is_silent(levels):
        return [Reason.SILENT]
    begin, end = onset(levels, complete=True) or 0, final_end(levels)
    found: list[Reason] = []
    if facts.hit_limit:
        found.append(Reason.TOKEN_LIMIT)
    found += _judge_length((end - begin) * FRAME_S, text, language[:2])
    if repeats(facts.tokens):
        found.append(Reason.REPETITION)
    if _longest_gap_s(levels[begin:end]) > _LONGEST_SILENCE_S:
        found.append(Reason.INNER_SILENCE)
    if _ends_in_noise(audio, levels[begin:end], end) or _goes_on(levels, text, boundaries_s):
        found.append(Reason.NOISE_AT_END)
    if _leaves_out(text, language[:2], boundaries_s):
        found.append(Reason.TEXT_LEFT_OUT)
    return found


def expected_s(text: str, language: str) -> tuple[float, float]:
    """The shortest and the longest that `text` may take, in seconds."""
    sounds = list(tags(text))
    spoken = sum(map(speakable, text)) - sum(sum(map(speakable, text[start:end])) for start, end in sounds)
    usual_s = spoken / CHARACTERS_PER_S.get(language, _OTHER)
    slower = _SLOWER_KANJI if language == "ja" else _SLOWER
    return usual_s / _FASTER - _SHORTER_S, usual_s * slower + _LONGER_S + _TAG_S * len(sounds)


def _judge_length(spoken_s: float, text: str, language: str) -> Iterator[Reason]:
    shortest_s, longest_s = expected_s(text, language)
    if spoken_s < shortest_s:
        yield Reason.TOO_SHORT
    if spoken_s > longest_s:
        yield Reason.TOO_LONG


def repeats(tokens: Sequence[int]) -> bool:
    """Whether 2 s of speech tokens or more are one run of at most 2.4 s, three times or more, token for token."""
    codes = np.asarray(tokens)
    for period in range(1, min(_LONGEST_PERIOD, len(codes) // _LEAST_REPEATS) + 1):
        needed = max(_REPEATED, _LEAST_REPEATS * period) - period
        if _longest_run(codes[period:] == codes[:-period]) >= needed:
            return True
    return False


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _longest_gap_s(levels: Levels) -> float:
    return _longest_run(levels < levels.max() - _SILENCE_DB) * FRAME_S


def _ends_in_noise(audio: Audio, speech: Levels, end: int) -> bool:
    """By its level: whether what is before frame `end` is steady or has no pitch for long, unlike what came before."""
    frames = round(_STEADY_S / FRAME_S)
    steady = speech[-frames - 2 : -2]  # without its fading
    if len(speech) > 2 * frames and steady.std() < _STEADY_DB <= speech[:-frames].std():
        return True
    last = round(end * FRAME_S * audio.sample_rate)
    first = max(0, last - round(_TAIL_S * audio.sample_rate))
    tail = Audio(audio.samples[first:last], audio.sample_rate)
    periodic, power = periodic_windows(tail)
    if not periodic.any():  # noise for all of these seconds, unless the voice whispers
        before = Audio(audio.samples[:first], audio.sample_rate)
        return voiced_fraction(before) > _VOICED
    after = power[np.flatnonzero(periodic)[-1] + 1 :]
    loud = after > 10 ** ((speech.max() - _UNVOICED_DB) / 10)
    return bool(loud.sum() * WINDOW_HOP_S > _LONGEST_UNVOICED_S)


def _goes_on(levels: Levels, text: str, boundaries_s: Sequence[float]) -> bool:
    """By alignment: whether there is sound for long after the last letter begins, or sound again after a silence."""
    if len(boundaries_s) != len(text) + 1:
        return False
    last = max((index for index, char in enumerate(text) if speakable(char)), default=0)
    if any(start <= last < end for start, end in tags(text)):
        return False  # a laugh pauses and goes on
    after = levels[round(boundaries_s[last] / FRAME_S) :] - levels.max()
    sounds = np.flatnonzero(after > -_UNVOICED_DB)
    if len(sounds) * FRAME_S > _LONGEST_LAST_LETTER_S:
        return True
    gaps = np.flatnonzero(np.diff(sounds) * FRAME_S > _GAP_S)
    if not len(gaps):
        return False
    return bool((after[sounds[gaps[0]] + 1 :] > -_EXTRA_DB).sum() * FRAME_S >= _EXTRA_S)


def _leaves_out(text: str, language: str, boundaries_s: Sequence[float]) -> bool:
    """By alignment: whether a stretch of letters takes next to no time."""
    if len(boundaries_s) != len(text) + 1 or re.search(r"\[\w", text):
        return False  # a sound tag takes what time it likes
    begins = [begin for char, begin in zip(text, boundaries_s, strict=False) if speakable(char)] + [boundaries_s[-1]]
    size = round(_SKIPPED_S * CHARACTERS_PER_S.get(language, _OTHER))
    times = np.asarray(begins)
    return bool(len(times) > size and (times[size:] - times[:-size]).min() < _UNREAD_S)
