"""CSM's training: transformers' own loss on the conversation that is served, and a step that lowers it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import support.tiny_csm as tiny
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape
from chatterbox_worker.engines.chatterbox.training.resume import load_state, save_state
from chatterbox_worker.engines.chatterbox.training.scope import Scope
from chatterbox_worker.engines.chatterbox.training.trainer import Trainer
from chatterbox_worker.engines.csm.training.corpus import CsmClip, CsmCorpus, CsmPreparer
from chatterbox_worker.engines.csm.training.loss import sums
from chatterbox_worker.engines.csm.training.session import CsmTrainingSession, share_tensors
from chatterbox_worker.engines.csm.weights import find
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import pack, unpack
from support.audio_clips import wav_bytes
from support.checkpoints import checkpoint
from support.learners import recipe

CPU = torch.device("cpu")
SCOPE = Scope(Shape(rank=4, alpha=8.0, dropout=0.1))
NONE = torch.zeros(0)


@cache
def session() -> CsmTrainingSession:
    files = find("sesame/csm-1b", weights_dir=checkpoint("csm"), offline=True)
    return CsmTrainingSession(files, CPU, Path("unused"))


def _clip(number: int) -> CsmClip:
    """Its frames repeat three, which can be learnt."""
    words = f"These are the words of clip {number}."
    frames = torch.arange(18).reshape(3, 6).add(1).repeat(3 + number % 3, 1)
    ids = torch.tensor(tiny.csm().ids(0, words))
    return CsmClip(f"clip-{number}", f"{number:064x}", "ann", ids, frames, NONE, NONE, len(frames) / 12.5, 0.5, words)


def _corpus(count: int = 8, held_out: int = 2) -> Corpus:
    clips = [_clip(number) for number in range(count)]
    return Corpus(clips[held_out:], clips[:held_out], seed=0)


def _trainer(**changed: Any) -> Trainer:
    return session().trainer(_corpus(), recipe(**{"evaluate_every": 0, "learning_rate": 1e-2} | changed), SCOPE)


def test_the_loss_is_transformers_own_on_its_own_processor_inputs(tmp_path: Path) -> None:
    """The turn before is a prompt, whose labels are ignored; a batch of two is padded."""
    from transformers import CsmProcessor

    csm = tiny.csm()
    preparer = CsmPreparer(csm, "tiny", tmp_path, in_words=False)
    sounds = [tiny.hum(1.0), tiny.hum(1.4, 220.0), tiny.hum(0.6, 140.0)]
    words = ["The first turn.", "And this is the second.", "Third."]
    clips: list[TrainingClip] = [
        preparer.clip(f"{n}", b"%d" % n, lambda _, n=n: sounds[n], text=words[n], language="en", person="ann")  # type: ignore[misc]
        for n in range(3)
    ]
    corpus = CsmCorpus(clips[:2], clips[2:], seed=0)
    examples = [corpus.example(1, 0), *corpus.held_out_examples()]
    module = share_tensors(csm.model).eval()
    processor = CsmProcessor.from_pretrained(checkpoint("csm"))
    total, frames = 0.0, 0
    for own, before in ((1, 0), (2, corpus.prompt_of(clips[2], 2, 0))):
        turns = [
            {"role": "0", "content": [{"type": "text", "text": clips[n].words},  # type: ignore[attr-defined]
                                      {"type": "audio", "path": sounds[n].samples}]}
            for n in (before, own)
        ]  # fmt: skip
        inputs = processor.apply_chat_template(turns, tokenize=True, return_dict=True, output_labels=True)
        del inputs["attention_mask"]
        with torch.no_grad():
            merged = csm.model._merge_input_ids_with_input_values(**inputs)
            end = (inputs["input_ids"][0] == csm.model.config.audio_eos_token_id).nonzero()[0]
            merged["labels"][:, : end + 1] = -100  # they have codes even where the processor's labels are -100
            output = csm.model(**merged)
        count = int((merged["labels"][:, :, 0] != -100).sum())
        total, frames = total + float(output.loss) * count, frames + count

    assert sum(example.speech_targets for example in examples) == frames
    with torch.no_grad():
        assert float(sums(module, examples).speech) == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_the_loss_falls_over_twenty_steps_and_starts_at_the_models_own() -> None:
    trainer = _trainer(steps=20)
    before = trainer.evaluate().speech
    for _ in range(20):
        trainer.step()

    assert trainer.evaluate().speech < 0.8 * before
    assert trainer.history.steps[-1].text == 0
    assert sum(path.startswith("depth_decoder") for path in trainer.best()) == 8
    assert all(tensor.abs().sum() > 0 for tensor in trainer.best().values())
    assert _trainer().evaluate().speech == before  # the weights themselves were not changed


def test_a_restored_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, stopped, continued = (_trainer(steps=4) for _ in range(3))
    torch.manual_seed(0)
    for _ in range(4):
        whole.step()
    torch.manual_seed(0)
    for _ in range(2):
        stopped.step()
    save_state(tmp_path / "state.pt", stopped.state())
    torch.manual_seed(9)
    continued.restore(load_state(tmp_path / "state.pt") or {})
    for _ in range(2):
        continued.step()

    assert all(torch.equal(tensor, continued.trained()[name]) for name, tensor in whole.trained().items())


def test_the_voice_has_the_adapter_and_the_words_of_its_recording() -> None:
    trainer = _trainer()
    voice = session().voice(_corpus(), trainer.trained(), SCOPE, lambda clip: tiny.hum(clip.duration_s), {})
    got = unpack(pack(voice), field="voice")

    assert got.adapter is not None
    assert (got.adapter.model, got.adapter.base, len(got.adapter.factors)) == ("csm", session().base, 12)
    assert got.details.transcript == " ".join(_clip(n).words for n in range(2, 8))
    assert got.clip.duration_s > 6


@pytest.mark.parametrize(
    ("text", "seconds", "sentence"),
    [
        ("Far too many words for so little sound, as anyone can see at once.", 0.5, "is too long for 0.5 s"),
        ("Fine.", 90.0, "take 113. positions; a clip may have 1024"),
        ("...", 1.0, "nothing to speak"),
    ],
)
def test_clips_that_cannot_be_used_are_refused(tmp_path: Path, text: str, seconds: float, sentence: str) -> None:
    preparer = CsmPreparer(tiny.csm(), "tiny", tmp_path, in_words=True)

    def decode(_: bytes) -> Audio:
        return Audio(np.ones(round(seconds * 24_000), np.float32), 24_000)

    with pytest.raises(InvalidRequest, match=sentence):
        preparer.clip("a", wav_bytes(1.0), decode, text=text, language="en", person="ann")
