"""The voice encoder by itself: its own file is enough, and its embeddings are those of the whole engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.audio.level import level_windows
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.config import Settings
from chatterbox_worker.custom_models import parse_custom_models
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.reference.speaker import _find_checkpoint, _name
from chatterbox_worker.errors import NotReady
from chatterbox_worker.wiring import speaker_encoder
from support.audio_clips import tone
from support.checkpoints import checkpoint
from support.community import bases, entry
from support.recordings import real, real_speech

SPEECH = resample(tone(4.0), 16_000).samples


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("model", ["nano", "multilingual"])
def test_its_own_file_is_enough_and_its_embedding_is_that_of_the_whole_engine(tmp_path: Path, model: str) -> None:
    shutil.copy(checkpoint(model) / LAYOUTS[model].voice_encoder, tmp_path)
    alone = speaker_encoder(Settings(models=("preview",), weights_dir=tmp_path, threads=1))
    whole = ReferenceEncoders(find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True))

    assert alone.made_by == whole.speaker_revision
    loud = SPEECH / np.abs(SPEECH).max()
    assert np.array_equal(alone(loud), whole.speaker(loud)[0].numpy())
    window = level_windows(loud[None, :25_600])
    np.testing.assert_allclose(alone.windows(window), whole.speaker_windows(window).numpy(), atol=1e-6)
    assert alone.name.startswith(LAYOUTS[model].voice_encoder + "@local-")


def test_a_served_models_encoder_comes_first(tmp_path: Path) -> None:
    for model in ("nano", "multilingual"):
        (tmp_path / model).mkdir()
        shutil.copy(checkpoint(model) / LAYOUTS[model].voice_encoder, tmp_path / model)
    names = [
        speaker_encoder(Settings(models=models, weights_dir=tmp_path)).name
        for models in (("nano", "multilingual"), ("multilingual",))
    ]
    assert [name.partition("@local-")[0] for name in names] == ["ve.safetensors", "ve.pt"]


@pytest.mark.parametrize("model", ["multilingual", "pt-br"])
def test_one_from_the_hubs_cache_is_named_by_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    commit = LAYOUTS["multilingual"].remote.revision
    snapshot = tmp_path / "cache" / "models--ResembleAI--chatterbox" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    shutil.copy(checkpoint("multilingual") / "ve.pt", snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    found = _find_checkpoint(Settings(models=("nano",)))
    assert found.layout.name == "multilingual"
    assert _name(find(LAYOUTS[model], offline=True, only=("ve.pt",))) == f"ResembleAI/chatterbox/ve.pt@{commit[:12]}"


def test_without_one_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"ve\.safetensors of ResembleAI/chatterbox-turbo were not found in: .*/none"):
        speaker_encoder(Settings(models=("turbo",), weights_dir=tmp_path / "none"))
    with pytest.raises(NotReady, match=r"ve\.pt of ResembleAI/chatterbox were not found"):
        speaker_encoder(Settings(models=("csm",), weights_dir=tmp_path / "none"))


def test_a_custom_model_has_one(tmp_path: Path) -> None:
    custom = parse_custom_models(entry(tmp_path, "single"))
    settings = Settings(models=("single",), custom_models=custom, weights_dir=bases(tmp_path / "bases"))
    assert _find_checkpoint(settings).layout.name == "single"


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ve.safetensors").write_bytes(b"broken")
    with pytest.raises(NotReady, match=r"ve\.safetensors"):
        speaker_encoder(Settings(models=("nano",), weights_dir=tmp_path))


def test_a_quiet_recording_has_the_speaker_of_a_louder_one() -> None:
    encoder = speaker_encoder(Settings(models=("nano",), weights_dir=real("ear/ve.safetensors").parent, threads=1))
    speech = real_speech("1998", 6.4).samples
    usual = speech / np.sqrt(np.square(speech).mean()) * 10 ** (-30 / 20)
    quiet = (usual * 10 ** (-18 / 20)).astype(np.float32)
    raw = encoder._encoders.speaker(quiet)[0].numpy()
    assert float(encoder(usual) @ encoder(quiet)) > 0.999
    assert float(encoder(usual) @ raw) < 0.9
    windows = encoder.windows(np.stack([usual, quiet]).reshape(-1, 25_600))
    assert float((windows[:4] * windows[4:]).sum(axis=1).min()) > 0.9999
