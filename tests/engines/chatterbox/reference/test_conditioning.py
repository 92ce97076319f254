import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from chatterbox_worker.audio.clip import Audio, Samples, silence
from chatterbox_worker.audio.loudness import at_loudness
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.reference import encoders as encoders_module
from chatterbox_worker.engines.chatterbox.reference.conditioning import (
    Conditioning,
    condition,
    load_default_conditionals,
    resample,
)
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.errors import InvalidRequest, NotReady
from support.checkpoints import (
    checkpoint,
    layout_of,
    upstream_may_warn,
    upstream_s3gen,
    upstream_voice_encoder,
)
from support.recordings import buzz

FIELDS = ("speaker_emb", "speech_tokens", "prompt_token", "prompt_feat", "embedding")


def local(model: str) -> Checkpoint:
    folder = checkpoint(model)
    return find(layout_of(folder), weights_dir=folder, offline=True)


@pytest.fixture(scope="module")
def encoders() -> dict[str, ReferenceEncoders]:
    torch.set_num_threads(1)
    return {model: ReferenceEncoders(local(model)) for model in ("english", "turbo")}


def upstream_conditionals(model: str, clip: Audio, folder: Path) -> Conditioning:
    """The conditioning by upstream's class of the clip in a file, with the same weights."""
    with upstream_may_warn():
        from chatterbox.tts import ChatterboxTTS
        from chatterbox.tts_turbo import ChatterboxTurboTTS
    weights, layout = checkpoint(model), LAYOUTS[model]
    tts: Any = (ChatterboxTurboTTS if layout.is_gpt else ChatterboxTTS).__new__(
        ChatterboxTurboTTS if layout.is_gpt else ChatterboxTTS
    )
    tts.s3gen, tts.ve, tts.device = upstream_s3gen(weights), upstream_voice_encoder(weights), torch.device("cpu")
    tts.t3 = SimpleNamespace(hp=SimpleNamespace(speech_cond_prompt_len=layout.prompt_tokens))
    soundfile.write(folder / "clip.wav", clip.samples, clip.sample_rate, subtype="FLOAT")
    if layout.is_gpt:  # its gain is a numpy scalar, which widens the samples to float64 since NumPy 2
        widened = tts.norm_loudness
        tts.norm_loudness = lambda wav, rate: widened(wav, rate).astype(np.float32)
    with upstream_may_warn(), torch.inference_mode():
        tts.prepare_conditionals(folder / "clip.wav")
    return Conditioning.from_upstream(vars(tts.conds.t3), tts.conds.gen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "duration_s", "sample_rate"),
    [("english", 3.21, 24_000), ("english", 12.34, 44_100), ("turbo", 6.06, 48_000), ("turbo", 16.5, 16_000)],
)
def test_a_clip_gives_the_voice_that_upstream_makes_of_it(
    model: str, duration_s: float, sample_rate: int, tmp_path: Path, encoders: dict[str, ReferenceEncoders]
) -> None:
    clip = buzz(duration_s, sample_rate)
    ours = condition(clip, LAYOUTS[model], encoders[model])
    theirs = upstream_conditionals(model, clip, tmp_path)
    assert torch.equal(ours.speech_tokens, theirs.speech_tokens)
    assert torch.equal(ours.prompt_token, theirs.prompt_token)
    for name in ("speaker_emb", "prompt_feat", "embedding"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-5)
    assert len(set(ours.speech_tokens[0].tolist())) > 10, "tokens of a lively clip differ"
    assert ours.speech_tokens.shape[1] <= LAYOUTS[model].prompt_tokens


@pytest.mark.slow
def test_a_conditioning_is_plain_cpu_tensors_of_the_promised_types(encoders: dict[str, ReferenceEncoders]) -> None:
    clip = buzz(2.0, 24_000)
    conditioning = condition(clip, LAYOUTS["english"], encoders["english"])
    built_in = load_default_conditionals(local("english"))
    for name in FIELDS:
        ours, stored = getattr(conditioning, name), getattr(built_in, name)
        assert not ours.is_inference()
        assert (ours.device.type, ours.dtype, ours.ndim) == ("cpu", stored.dtype, stored.ndim)
    assert conditioning.prompt_feat.shape == (1, 100, 80)
    assert conditioning.prompt_token.shape == (1, 50)
    assert conditioning.speaker_emb.norm().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_loudness_of_the_reference_does_not_matter_to_turbo(encoders: dict[str, ReferenceEncoders]) -> None:
    loud, quiet = (
        condition(buzz(5.5, 24_000, level=level), LAYOUTS["turbo"], encoders["turbo"]) for level in (0.2, 0.05)
    )
    torch.testing.assert_close(loud.prompt_feat, quiet.prompt_feat, rtol=0, atol=1e-2)


class UnusedEncoders:
    """Encoders that must not be called."""

    def tokens(self, speech: Any, *, limit: int | None = None) -> Any:
        raise AssertionError

    def flow_prompt(self, speech: Any) -> Any:
        raise AssertionError

    def speaker(self, speech: Any) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("model", "clip", "because"),
    [
        ("turbo", buzz(5.0, 24_000), "needs more than 5 s"),
        ("nano", buzz(3.0, 48_000), "nano model needs more than 5 s"),
        ("english", buzz(0.3, 16_000), "at least 0.5 s"),
        ("english", buzz(0.4999, 24_000), "at least 0.5 s"),
        ("english", silence(3.0, 24_000), "no sound"),
        ("english", Audio(np.full(48_000, np.nan, np.float32), 24_000), "no sound"),
    ],
)
def test_a_clip_no_voice_can_be_taken_from_is_refused_naming_the_field(model: str, clip: Audio, because: str) -> None:
    with pytest.raises(InvalidRequest, match=because) as refusal:
        condition(clip, LAYOUTS[model], UnusedEncoders())
    assert refusal.value.field == "reference_audio"


class RecordingEncoders:
    """Encoders that note what they are given."""

    def __init__(self) -> None:
        self.given: dict[str, Samples] = {}
        self.limit: int | None = None

    def tokens(self, speech: Samples, *, limit: int | None = None) -> torch.Tensor:
        self.given["tokens"], self.limit = speech, limit
        return torch.ones(1, 3, dtype=torch.int64)

    def flow_prompt(self, speech: Samples) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        self.given["flow"] = speech
        return torch.ones(1, 4, dtype=torch.int64), torch.ones(1, 8, 80), torch.ones(1, 192)

    def speaker(self, speech: Samples) -> torch.Tensor:
        self.given["speaker"] = speech
        return torch.ones(1, 256)


@pytest.mark.parametrize(("model", "prompt_s", "limit"), [("english", 6, 150), ("nano", 15, 375)])
def test_each_network_is_given_its_part_of_the_clip(model: str, prompt_s: int, limit: int) -> None:
    clip, encoders = buzz(16.0, 48_000, level=0.02), RecordingEncoders()
    voice = condition(clip, LAYOUTS[model], encoders)
    at_24k = resample(clip.samples, 48_000, 24_000)
    at_24k = at_24k if model == "english" else at_loudness(at_24k, -27.0)
    at_16k = resample(at_24k, 24_000, 16_000)
    expected = {"flow": at_24k[: 10 * 24_000], "speaker": at_16k, "tokens": at_16k[: prompt_s * 16_000]}
    for name, samples in expected.items():
        np.testing.assert_array_equal(encoders.given[name], samples, err_msg=name)
    assert encoders.limit == limit
    if model == "english":
        assert condition(buzz(0.5, 24_000), LAYOUTS[model], encoders)
    shapes = [tuple(getattr(voice, name).shape) for name in FIELDS]
    assert shapes == [(1, 256), (1, 3), (1, 4), (1, 8, 80), (1, 192)]


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 24_000), (24_000, 16_000), (8_000, 24_000), (24_000, 24_000)])
def test_resampling_is_librosas(rate: int, wanted: int) -> None:
    librosa = pytest.importorskip("librosa")
    clip = buzz(0.7311, rate)
    expected = librosa.resample(clip.samples, orig_sr=rate, target_sr=wanted)
    resampled = resample(clip.samples, rate, wanted)
    assert resampled.dtype == np.float32
    np.testing.assert_array_equal(resampled, expected)


def test_a_conditioning_survives_the_trip_through_arrays() -> None:
    first = load_default_conditionals(local("turbo"))
    second = Conditioning.from_arrays(first.arrays())
    assert tuple(first.arrays()) == FIELDS
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in FIELDS)
    with pytest.raises(KeyError, match="embedding"):
        Conditioning.from_arrays({name: value for name, value in first.arrays().items() if name != "embedding"})


def test_the_built_in_voice_is_that_of_conds_pt() -> None:
    stored = torch.load(checkpoint("english") / "conds.pt", weights_only=True)
    ours = load_default_conditionals(local("english"))
    assert torch.equal(ours.speaker_emb, stored["t3"]["speaker_emb"])
    assert torch.equal(ours.speech_tokens, stored["t3"]["cond_prompt_speech_tokens"])
    for name in ("prompt_token", "prompt_feat", "embedding"):
        assert torch.equal(getattr(ours, name), stored["gen"][name])


def test_a_checkpoint_of_other_networks_is_not_ready(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = local("english")
    state = load_file(source.path("ve.safetensors"))
    save_file({name: value for name, value in state.items() if name != "proj.bias"}, tmp_path / "ve.safetensors")
    broken = Checkpoint(source.layout, tmp_path, {**source.files, "ve.safetensors": tmp_path / "ve.safetensors"}, "x")
    with pytest.raises(NotReady, match=r"VoiceEncoder.*\n?.*proj\.bias"):
        ReferenceEncoders(broken).warm_up()
    save_file(state | {"lstm.bias_hh_l1": state["lstm.bias_hh_l1"][:-1].clone()}, tmp_path / "ve.safetensors")
    with pytest.raises(NotReady, match="does not fit VoiceEncoder: size mismatch for bias_hh_l1: copying a param"):
        ReferenceEncoders(broken).warm_up()


def test_a_warm_up_that_fails_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    source = local("english")
    missing = Checkpoint(source.layout, tmp_path, {}, "x")
    ReferenceEncoders(missing).start_warm_up().join()
    assert "cannot be loaded: the english checkpoint" in caplog.text


def test_the_flows_prompt_has_two_frames_of_mel_for_each_token() -> None:
    encoders = ReferenceEncoders(local("english"))
    for samples in (24_000, 23_999, 24_479, 24_480, 24_960):
        speech = buzz(1.1, 24_000).samples[:samples]
        tokens, mel, x_vector = encoders.flow_prompt(speech)
        assert tokens.shape == (1, samples // 960)
        assert mel.shape == (1, samples // 480, 80)
        assert x_vector.shape == (1, 192)
        every = encoders.tokens(resample(speech, 24_000, 16_000))
        assert every.shape == (1, math.ceil(samples / 960))
    assert encoders._networks() is encoders._networks(), "loaded once"
    assert encoders._voice_encoder() is encoders._voice_encoder()


def test_networks_are_complete_on_the_device_before_another_stream_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warm-up's thread loads them on the default stream; the first reference may wait for its lock meanwhile."""
    finished: list[torch.device] = []
    monkeypatch.setattr(encoders_module, "finish_stream", finished.append)
    ReferenceEncoders(local("english")).warm_up()
    assert finished == [torch.device("cpu")] * 2
