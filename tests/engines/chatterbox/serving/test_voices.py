"""The speaker that a voice file carries takes the place of the one heard in its clip, where the encoder is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.engine import Speaker, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning, condition
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.serving.voices import VoiceCache
from chatterbox_worker.voices.conditioning import ConditioningStore
from support.audio_clips import tone
from support.checkpoints import checkpoint
from support.tiny_engine import parts


@pytest.mark.parametrize("same_encoder", [True, False])
def test_a_voices_own_speaker_is_used_by_the_encoder_that_made_it(tmp_path: Path, same_encoder: bool) -> None:
    torch.set_num_threads(1)
    own = parts("nano")
    embedding = np.full(256, 1 / 16, np.float32)
    made_by = own.encoders.speaker_revision if same_encoder else "0" * 64
    voice = Voice("alice", "d1gest", tone(6.0), Speaker(embedding, made_by))
    voices = VoiceCache(
        own.t3,
        own.encoders,
        ConditioningStore(tmp_path, 10**7),
        layout=own.layout,
        own=own.default_voice,
        revision="tiny",
    )

    heard = voices._conditioning(voice)
    voices.close()
    plain: Conditioning = condition(tone(6.0), own.layout, own.encoders)

    assert torch.equal(heard.prompt_feat, plain.prompt_feat)
    assert np.array_equal(heard.speaker_emb[0].numpy(), embedding) is same_encoder
    assert torch.equal(heard.speaker_emb, plain.speaker_emb) is not same_encoder


def test_an_encoder_is_known_by_its_weights_alone() -> None:
    encoders = {
        model: ReferenceEncoders(find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True))
        for model in ("nano", "english")
    }
    assert len(encoders["nano"].speaker_revision) == 64
    again = ReferenceEncoders(find(LAYOUTS["nano"], weights_dir=checkpoint("nano"), offline=True))
    assert again.speaker_revision == encoders["nano"].speaker_revision
    other = ReferenceEncoders(find(LAYOUTS["nano"], weights_dir=checkpoint("nano", seed=1), offline=True))
    assert other.speaker_revision != encoders["nano"].speaker_revision
