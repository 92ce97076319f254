"""Speakers are distinguished by similarity, with any encoder; an ambiguous result is reported."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.clone.speakers import EmbeddedSpeech, average, embed, fault, group_speakers, has_rival
from support.recorded import RATE
from support.speakers import ANN, BOB, SENTENCES, PitchEncoder, speak

ENCODER = PitchEncoder()


def embed_sentences(*who: str, texts: int = 4) -> list[EmbeddedSpeech]:
    return [embed(ENCODER, speak(speaker, text)) for speaker in who for text in SENTENCES[:texts]]


def at_angle(degrees: float, seconds: float = 3.0) -> EmbeddedSpeech:
    embedding = np.zeros(256, np.float32)
    embedding[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return EmbeddedSpeech(embedding, embedding[None], seconds)


def test_one_speaker_is_one_group() -> None:
    speakers = group_speakers(embed_sentences(ANN))
    assert set(speakers.groups) == {0}
    assert len(speakers.seconds) == 1
    assert not has_rival(speakers)
    assert all(fault(speakers, index) is None for index in range(4))


def test_the_person_who_speaks_longest_is_the_speaker_and_others_are_faults() -> None:
    speakers = group_speakers(embed_sentences(BOB, texts=1) + embed_sentences(ANN, texts=4))
    assert speakers.groups == (1, 0, 0, 0, 0)
    assert (fault(speakers, 0) or "").startswith("other voice: similarity 0.")
    assert [fault(speakers, index) for index in range(1, 5)] == [None] * 4
    assert not has_rival(speakers)


def test_two_people_who_speak_about_equally_long_are_ambiguous() -> None:
    assert has_rival(group_speakers(embed_sentences(ANN, texts=4) + embed_sentences(BOB, texts=3)))


def test_a_recording_of_the_wanted_person_decides() -> None:
    speakers = group_speakers(
        embed_sentences(ANN, texts=4) + embed_sentences(BOB, texts=2), like=embed(ENCODER, speak(BOB, SENTENCES[7]))
    )
    assert speakers.groups == (1, 1, 1, 1, 0, 0)
    assert fault(speakers, 5) is None


def test_a_change_of_speaker_without_a_pause_is_found() -> None:
    both = Audio(np.concatenate([speak(ANN, SENTENCES[0]).samples, speak(BOB, SENTENCES[1]).samples]), RATE)
    speakers = group_speakers([*embed_sentences(ANN, texts=4), embed(ENCODER, both)], min_similarity=0.6)
    assert speakers.similarity[4] > 0.6
    assert (fault(speakers, 4, min_similarity=0.6) or "").startswith("other voice in a part of it")


def test_groups_are_separated_at_the_given_similarity() -> None:
    chain = [at_angle(0), at_angle(10), at_angle(60), at_angle(70), at_angle(65, 9)]
    assert group_speakers(chain, min_similarity=0.9).groups == (1, 1, 0, 0, 0)
    assert set(group_speakers(chain, min_similarity=0.2).groups) == {0}
    assert len(group_speakers(chain, min_similarity=0.9999).seconds) == 5


def test_the_average_has_length_one_and_is_weighted_by_duration() -> None:
    mean = average([at_angle(0, 9.0), at_angle(90, 3.0)])
    assert mean.dtype == np.float32
    assert mean.shape == (256,)
    assert float(np.linalg.norm(mean)) == pytest.approx(1.0)
    assert mean[1] / mean[0] == pytest.approx(1 / 3)


def test_an_embedding_of_nan_is_similar_to_no_voice() -> None:
    class NanEncoder(PitchEncoder):
        def __call__(self, speech: Samples) -> Samples:
            return np.full(256, np.nan, np.float32)

    speakers = group_speakers([*embed_sentences(ANN), embed(NanEncoder(), speak(ANN, SENTENCES[5]))])
    assert speakers.similarity[4] == 0.0
    assert (fault(speakers, 4) or "").startswith("other voice: similarity 0.00")
    assert np.isfinite(speakers.embedding).all()
    alone = group_speakers([embed(NanEncoder(), speak(ANN, SENTENCES[5]))])
    assert fault(alone, 0) is not None


def test_long_speech_is_embedded_in_parts() -> None:
    lengths: list[int] = []

    def encoder(speech: Samples) -> Samples:
        lengths.append(len(speech))
        return at_angle(0).embedding

    encoder.name, encoder.made_by = "x", "y"  # type: ignore[attr-defined]
    result = embed(encoder, Audio(np.ones(round(9.6 * RATE), np.float32), RATE))  # type: ignore[arg-type]
    assert lengths == [51_200] * 3 + [153_600]  # 16 kHz
    assert result.parts.shape == (3, 256)
    assert result.duration_s == pytest.approx(9.6)
