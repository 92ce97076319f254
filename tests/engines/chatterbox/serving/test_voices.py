"""A voice file's speaker embedding replaces the one computed from its clip, if the encoder is the same."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.engine import DEFAULT_VOICE, Speaker, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning, condition
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.serving import voices as module
from chatterbox_worker.engines.chatterbox.serving.voices import VoiceCache
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.conditioning import ConditioningStore
from support.audio_clips import tone
from support.checkpoints import checkpoint
from support.tiny_engine import parts


@pytest.mark.parametrize("same_encoder", [True, False])
def test_a_voices_own_speaker_is_used_by_the_encoder_that_made_it(tmp_path: Path, same_encoder: bool) -> None:
    torch.set_num_threads(1)
    nano = parts("nano")
    embedding = np.full(256, 1 / 16, np.float32)
    made_by = nano.encoders.speaker_revision if same_encoder else "0" * 64
    voice = Voice("alice", "d1gest", tone(6.0), Speaker(embedding, made_by))
    voices = VoiceCache(
        nano.t3,
        nano.encoders,
        ConditioningStore(tmp_path, 10**7),
        layout=nano.layout,
        default_voice=nano.default_voice,
        revision="tiny",
    )

    conditioning = voices._conditioning(voice)
    voices.close()
    plain: Conditioning = condition(tone(6.0), nano.layout, nano.encoders)

    assert torch.equal(conditioning.prompt_feat, plain.prompt_feat)
    assert np.array_equal(conditioning.speaker_emb[0].numpy(), embedding) is same_encoder
    assert torch.equal(conditioning.speaker_emb, plain.speaker_emb) is not same_encoder


def test_as_many_voices_are_kept_as_are_cached_the_last_used_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED", 2)
    own = parts("turbo")
    voices = VoiceCache(
        own.t3,
        own.encoders,
        ConditioningStore(tmp_path, 10**7),
        layout=own.layout,
        default_voice=own.default_voice,
        revision="tiny",
    )
    held = threading.Event()
    voices._thread.submit(held.wait, 10)
    first, second, again, third = (voices.encode(Voice(digest, digest), None) for digest in ("a", "b", "a", "c"))
    assert again is first
    assert not first.done(), "a request does not wait for a voice"
    assert voices.encode(Voice("a", "a"), None) is first
    assert voices.encode(Voice("b", "b"), None) is not second
    held.set()
    assert third.result().prefix.length == first.result().prefix.length
    voices.close()


def test_a_model_without_a_voice_of_its_own_refuses_it_at_once(tmp_path: Path) -> None:
    own = parts("turbo")
    store = ConditioningStore(tmp_path, 10**7)
    voices = VoiceCache(own.t3, own.encoders, store, layout=own.layout, default_voice=None, revision="tiny")
    voices.check(Voice("alice", "d1gest", tone(6.0)))
    with pytest.raises(InvalidRequest, match="turbo has no voice of its own here"):
        voices.check(DEFAULT_VOICE)
    voices.close()


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
