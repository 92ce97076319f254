"""A run's result: the best reference clip, an adapter with the trained change, and merged weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.serving.adapters import merge_into_checkpoint
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip, split
from chatterbox_worker.engines.chatterbox.training.loss import sums
from chatterbox_worker.engines.chatterbox.training.module import upstream_t3
from chatterbox_worker.engines.chatterbox.training.voice import adapter_of, join_clips, main_person, prompt_clips
from chatterbox_worker.errors import InvalidRequest
from support.audio_clips import tone
from support.checkpoints import checkpoint
from support.learners import SHAPE, clip, corpus_of, trainer_of


def _towards(x: float, name: int, **changed: object) -> TrainingClip:
    """A clip whose speaker is `x` away from the first axis."""
    speaker = torch.zeros(256)
    speaker[0], speaker[name + 1] = 1.0, x
    return replace(clip(name), speaker=speaker / speaker.norm(), **changed)  # type: ignore[arg-type]


def test_the_reference_is_the_clip_most_like_the_speaker_that_is_long_enough() -> None:
    clips = [
        _towards(0.1, 0, duration_s=3.0),
        _towards(0.5, 1, duration_s=8.0),
        _towards(0.3, 2, duration_s=9.0),
        _towards(0.2, 3, duration_s=9.0, peak=1.0),  # clipped
    ]
    (chosen,) = prompt_clips(Corpus(clips, [], 0), "ann", LAYOUTS["english"])
    assert chosen.id == "clip-2"
    clips = [replace(each, peak=1.0) for each in clips]
    assert prompt_clips(Corpus(clips, [], 0), "ann", LAYOUTS["english"])[0].id == "clip-3"  # where all are clipped


def test_short_clips_are_joined_into_a_reference_and_too_few_are_refused() -> None:
    corpus = Corpus([_towards(0.1 * number, number, duration_s=2.5) for number in range(5)], [], 0)
    chosen = prompt_clips(corpus, "ann", LAYOUTS["turbo"])
    assert len(chosen) == 3
    audio = join_clips(chosen, lambda _: tone(2.5, rate=16_000))
    assert audio.sample_rate == 24_000
    assert audio.duration_s == pytest.approx(3 * 2.5 + 2 * 0.2)
    few = Corpus(corpus.clips[:2], [], 0)
    assert len(prompt_clips(few, "ann", LAYOUTS["english"])) == 2
    short = Corpus([replace(each, duration_s=2.4) for each in few.clips], [], 0)
    with pytest.raises(InvalidRequest, match=r"last 5\.0 s in all; turbo needs a reference of more than 5 s"):
        prompt_clips(short, "ann", LAYOUTS["turbo"])


def test_the_voice_is_that_of_the_person_with_the_most_speech() -> None:
    clips = [clip(1), clip(2), *(replace(clip(number), person="ben", duration_s=9.0) for number in (3, 4))]
    assert main_person(Corpus(clips, [], 0)) == "ben"


def test_the_split_leaves_each_speaker_enough_and_depends_on_the_seed() -> None:
    clips = [clip(number, person="ann") for number in range(20)] + [clip(number, person="ben") for number in range(3)]
    corpus = split(clips, share=0.1, seed=0)
    assert len(corpus.held_out) == 2
    assert all(each.person == "ann" for each in corpus.held_out)
    assert [each.id for each in split(clips, share=0.1, seed=0).held_out] == [each.id for each in corpus.held_out]
    assert [each.id for each in split(clips, share=0.1, seed=1).held_out] != [each.id for each in corpus.held_out]
    assert not split(clips, share=0.0, seed=0).held_out
    clips += [clip(number, person="cid") for number in range(4)]
    for share, held_out in ((0.1, {"ann": 2, "cid": 1}), (0.9, {"ann": 18, "cid": 2})):
        corpus = split(clips, share=share, seed=0)
        assert Counter(each.person for each in corpus.held_out) == held_out
        assert Counter(each.person for each in (*corpus.clips, *corpus.held_out)) == {"ann": 20, "ben": 3, "cid": 4}


@pytest.mark.parametrize("model", ["english", "nano"])
def test_merged_weights_have_the_loss_of_the_adapter(model: str, tmp_path: Path) -> None:
    """Upstream's T3 with peft's adapter, and without it on the merged file: the same loss."""
    found = find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)
    trainer = trainer_of(model, learning_rate=0.02)
    for _ in range(3):
        trainer.step()
    adapter = adapter_of(trainer.trained(), found.layout, found.t3_digest, SHAPE, half=False)
    merge_into_checkpoint(found, adapter, tmp_path / model)

    merged = find(found.layout, weights_dir=tmp_path, offline=True)
    module = upstream_t3(found.layout, load_t3_state(merged)).eval()
    example = corpus_of(model=model).example(0, 0)
    with torch.no_grad():
        theirs = float(sums(trainer._module.eval(), [example]).speech)
        ours, before = (
            float(sums(each, [example]).speech)
            for each in (module, upstream_t3(found.layout, load_t3_state(found)).eval())
        )
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert abs(before - ours) > 1e-2
    assert {path.name for path in (tmp_path / model).iterdir()} == set(found.files)


def test_an_adapter_is_saved_in_half_precision() -> None:
    """Half the size; the loss is a thousandth of a change that is itself small."""
    found = find(LAYOUTS["english"], weights_dir=checkpoint("english"), offline=True)
    trained = trainer_of().trained()
    adapter = adapter_of(trained, found.layout, found.t3_digest, SHAPE)
    assert len(adapter.factors) == 8
    for module, factors in adapter.factors.items():
        assert {factors.down.dtype, factors.up.dtype} == {np.dtype(np.float16)}
        assert np.allclose(factors.down, trained[f"{module}.lora_A"].numpy(), rtol=1e-3, atol=1e-6)
