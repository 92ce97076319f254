"""Ten-step models with the decoder of a two-step model, and engines whose weights were kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import decoder_of
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import needed
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, decoded
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.pack import HeldWeights
from chatterbox_worker.errors import NotReady
from chatterbox_worker.server import speech
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.conditioning import ConditioningStore
from chatterbox_worker.voices.library import VoiceLibrary
from support.checkpoints import checkpoint
from support.community import bases
from support.tiny_engine import found, say, sound_of


def _settings(root: Path, **more: str) -> Settings:
    variables = {
        "MODELS": "english", "WEIGHTS_DIR": str(root / "bases"), "DEVICE": "cpu", "THREADS": "1", "PROFILE": "exact",
        "PREPARED_WEIGHTS": "off", **more,
    }  # fmt: skip
    return Settings.from_env({f"CHATTERBOX_{name}": value for name, value in variables.items()})


def _engine(root: Path, **more: str) -> ChatterboxEngine:
    return ChatterboxEngine.load("english", _settings(root, **more), ConditioningStore(root / "voices", 10**7))


def _spoken(engine: ChatterboxEngine) -> Samples:
    return sound_of(engine.submit(replace(say("english"), max_s=0.6)))


def test_only_a_ten_step_model_gets_the_decoder_of_turbo(tmp_path: Path) -> None:
    bases(tmp_path / "bases")
    settings = _settings(tmp_path, DECODER="turbo")
    english, turbo = (decoded(checkpoint_of(name, settings, offline=True), settings) for name in ("english", "turbo"))
    assert english.s3gen_source.layout.name == "turbo"
    assert english.sound_revision == f"{english.revision}+turbo-{turbo.revision}"
    assert needed(english, settings) == [english.path("t3_cfg.safetensors"), turbo.path(turbo.layout.s3gen)]
    assert turbo.s3gen_from is None
    assert turbo.sound_revision == turbo.revision


def test_without_that_decoder_the_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = _settings(tmp_path, DECODER="turbo", WEIGHTS_DIR=str(checkpoint("english")))
    with pytest.raises(NotReady, match="CHATTERBOX_DECODER is turbo, but no weights for turbo"):
        decoded(found("english"), settings)


@pytest.mark.slow
def test_the_decoder_changes_sound_cache_key_and_answer_and_offloading_none(tmp_path: Path) -> None:
    bases(tmp_path / "bases")
    own, turbo = _engine(tmp_path), _engine(tmp_path, DECODER="turbo", IDLE_UNLOAD="offload", IDLE_UNLOAD_S="9")
    try:
        assert turbo.parts.s3gen.flow.meanflow
        assert not own.parts.s3gen.flow.meanflow
        assert own.revision != turbo.revision
        assert (decoder_of(own), decoder_of(turbo), own.offload) == (None, "turbo", None)
        before, published = _spoken(turbo), _spoken(own)
        assert before.shape == published.shape
        assert not np.array_equal(before, published)
        cache = AudioCache(tmp_path / "cache", max_bytes=10**7, max_age_s=60)
        synthesizer = Synthesizer({"english": turbo}, VoiceLibrary(tmp_path / "library"), cache)
        request = speech.parse({"text": "Hi.", "seed": 1, "max_chunk_s": 1.0}, _settings(tmp_path))
        first, again = (synthesizer.speak(request, CancelScope()) for _ in range(2))
        assert (first.info.decoder, again.info.decoder, again.hit) == ("turbo", "turbo", True)
        assert again.report()["decoder"] == "turbo"
        assert synthesizer.can_offload
        synthesizer.offload()()
        (woken,) = synthesizer.engines.values()
        assert isinstance(woken, ChatterboxEngine)
        assert (woken.revision, woken.decoder) == (turbo.revision, "turbo")
        np.testing.assert_array_equal(_spoken(woken), before)
        synthesizer.close()
    finally:
        own.close()


def test_held_weights_are_provided_without_their_source() -> None:
    held = HeldWeights()
    asked = []

    provided, addresses = torch.ones(2), list[int]()

    def provide(name: str, _: Callable[[], torch.Tensor]) -> torch.Tensor:
        asked.append(name)
        return provided

    for _ in range(2):
        get = held.hold(provide)
        assert torch.equal(get("a", lambda: torch.zeros(2)), torch.ones(2))
        held.copy_to_memory(pinned=False)
        addresses.append(held.tensors["a"].data_ptr())
    assert asked == ["a"]
    assert addresses[0] == addresses[1] != provided.data_ptr(), "copied once, so that its file is not needed"
