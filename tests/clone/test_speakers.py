"""One speaker is told from another by similarity, whatever encoder says so; doubt is said."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.clone.speakers import EmbeddedSpeech, averaged, fault, has_rival, listen, tell_apart
from support.recorded import RATE
from support.speakers import ANN, BOB, SENTENCES, PitchEncoder, speak

EAR = PitchEncoder()


def heard(*who: str, texts: int = 4) -> list[EmbeddedSpeech]:
    return [listen(EAR, speak(speaker, text)) for speaker in who for text in SENTENCES[:texts]]


def at_angle(degrees: float, seconds: float = 3.0) -> EmbeddedSpeech:
    embedding = np.zeros(256, np.float32)
    embedding[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return EmbeddedSpeech(embedding, embedding[None], seconds)


def test_one_speaker_is_one_group() -> None:
    told = tell_apart(heard(ANN))
    assert set(told.groups) == {0}
    assert len(told.seconds) == 1
    assert not has_rival(told)
    assert all(fault(told, index) is None for index in range(4))


def test_whoever_speaks_most_is_the_speaker_and_the_rest_are_named() -> None:
    told = tell_apart(heard(BOB, texts=1) + heard(ANN, texts=4))
    assert told.groups == (1, 0, 0, 0, 0)
    assert (fault(told, 0) or "").startswith("other voice: similarity 0.")
    assert [fault(told, index) for index in range(1, 5)] == [None] * 4
    assert not has_rival(told)


def test_two_who_speak_about_as_much_are_a_matter_of_doubt() -> None:
    assert has_rival(tell_apart(heard(ANN, texts=4) + heard(BOB, texts=3)))


def test_a_recording_of_the_one_who_is_meant_decides() -> None:
    told = tell_apart(heard(ANN, texts=4) + heard(BOB, texts=2), like=listen(EAR, speak(BOB, SENTENCES[7])))
    assert told.groups == (1, 1, 1, 1, 0, 0)
    assert fault(told, 5) is None


def test_a_change_of_speaker_without_a_pause_is_heard() -> None:
    both = Audio(np.concatenate([speak(ANN, SENTENCES[0]).samples, speak(BOB, SENTENCES[1]).samples]), RATE)
    told = tell_apart([*heard(ANN, texts=4), listen(EAR, both)], same=0.6)
    assert told.similarity[4] > 0.6
    assert (fault(told, 4, same=0.6) or "").startswith("other voice in a part of it")


def test_groups_are_cut_at_the_similarity_that_is_wanted() -> None:
    chain = [at_angle(0), at_angle(10), at_angle(60), at_angle(70), at_angle(65, 9)]
    assert tell_apart(chain, same=0.9).groups == (1, 1, 0, 0, 0)
    assert set(tell_apart(chain, same=0.2).groups) == {0}
    assert len(tell_apart(chain, same=0.9999).seconds) == 5


def test_the_average_has_length_one_and_longer_stretches_count_more() -> None:
    mean = averaged([at_angle(0, 9.0), at_angle(90, 3.0)])
    assert mean.dtype == np.float32
    assert mean.shape == (256,)
    assert float(np.linalg.norm(mean)) == pytest.approx(1.0)
    assert mean[1] / mean[0] == pytest.approx(1 / 3)


def test_where_the_network_heard_nothing_it_is_nobody() -> None:
    class Deaf(PitchEncoder):
        def __call__(self, speech: Samples) -> Samples:
            return np.full(256, np.nan, np.float32)

    told = tell_apart([*heard(ANN), listen(Deaf(), speak(ANN, SENTENCES[5]))])
    assert told.similarity[4] == 0.0
    assert (fault(told, 4) or "").startswith("other voice: similarity 0.00")
    assert np.isfinite(told.embedding).all()
    alone = tell_apart([listen(Deaf(), speak(ANN, SENTENCES[5]))])
    assert fault(alone, 0) is not None


def test_long_speech_is_heard_in_parts() -> None:
    asked: list[int] = []

    def ear(speech: Samples) -> Samples:
        asked.append(len(speech))
        return at_angle(0).embedding

    ear.name, ear.made_by = "x", "y"  # type: ignore[attr-defined]
    result = listen(ear, Audio(np.ones(round(9.6 * RATE), np.float32), RATE))  # type: ignore[arg-type]
    assert asked == [51_200] * 3 + [153_600]  # 16 kHz
    assert result.parts.shape == (3, 256)
    assert result.duration_s == pytest.approx(9.6)
