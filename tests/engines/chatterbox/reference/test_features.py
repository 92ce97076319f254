"""Every feature against the library that upstream computes it with."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.loudness import at_loudness, integrated_loudness
from chatterbox_worker.engines.chatterbox.reference.features import (
    FlowMel,
    KaldiFilterBank,
    MelSpectrum,
    SincResampler,
    mel_filters,
)
from chatterbox_worker.engines.chatterbox.reference.voice_encoder import trim
from support.recordings import buzz
from support.upstream_parts import upstream_part

CPU = torch.device("cpu")


def wave(duration_s: float, sample_rate: int) -> torch.Tensor:
    return torch.from_numpy(buzz(duration_s, sample_rate).samples)[None]


@pytest.mark.parametrize(("sample_rate", "fft", "bands"), [(24_000, 1920, 80), (16_000, 400, 128), (16_000, 400, 40)])
def test_mel_filters_are_librosas_to_the_bit(sample_rate: int, fft: int, bands: int) -> None:
    from librosa.filters import mel

    theirs = mel(sr=sample_rate, n_fft=fft, n_mels=bands, fmax=8000)
    np.testing.assert_array_equal(mel_filters(sample_rate, fft, bands, 8000.0).numpy(), theirs)


@pytest.mark.parametrize("duration_s", [0.5, 3.2101])
def test_the_flows_mel_is_upstreams(duration_s: float) -> None:
    signal = wave(duration_s, 24_000)
    theirs = upstream_part("s3gen/utils/mel.py").mel_spectrogram(signal).mT
    torch.testing.assert_close(FlowMel(CPU)(signal), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("duration_s", [0.5, 3.2101])
def test_the_filter_bank_is_kaldis(duration_s: float) -> None:
    from torchaudio.compliance import kaldi

    signal = wave(duration_s, 16_000)
    theirs = kaldi.fbank(signal, num_mel_bins=80)
    torch.testing.assert_close(KaldiFilterBank(CPU)(signal[0]), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [12_000, 24_001, 47_999])
def test_the_short_resampler_is_torchaudios(samples: int) -> None:
    from torchaudio.transforms import Resample

    signal = wave(2.0, 24_000)[:, :samples]
    ours, theirs = SincResampler(24_000, 16_000, CPU)(signal), Resample(24_000, 16_000)(signal)
    assert ours.shape[1] == math.ceil(samples * 2 / 3)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)


@pytest.mark.slow  # librosa compiles for 15 s
def test_the_voice_encoders_mel_is_upstreams() -> None:
    package = upstream_part("voice_encoder/__init__.py")
    signal = buzz(1.31, 16_000).samples
    theirs = package.voice_encoder.melspectrogram(signal, package.VoiceEncConfig())
    spectrum = MelSpectrum(16_000, 400, 160, 40, 8000.0, CPU)
    ours = spectrum.mel(spectrum.frames(torch.from_numpy(signal)[None], 200).abs().square())[0]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6 * theirs.max())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_silence_is_trimmed_as_by_librosa(seed: int) -> None:
    from librosa.effects import trim as librosa_trim

    rng = np.random.default_rng(seed)
    envelope = np.repeat(10 ** rng.uniform(-4, 0, 40), rng.integers(100, 700))
    speech = (envelope * rng.standard_normal(len(envelope))).astype(np.float32)
    np.testing.assert_array_equal(trim(speech), librosa_trim(speech, top_db=20)[0])


@pytest.mark.slow
@pytest.mark.parametrize("speech", [np.zeros(9000, np.float32), np.eye(1, 9000, 8999, dtype=np.float32)[0]])
def test_trimming_leaves_something_of_silence_and_of_a_click(
    speech: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    from librosa.effects import trim as librosa_trim

    np.testing.assert_array_equal(trim(speech), librosa_trim(speech, top_db=20)[0])
    assert len(trim(speech)) > 200, "long enough for its ends to be mirrored"


@pytest.mark.parametrize("duration_s", [0.41, 1.234, 5.5, 12.34])
@pytest.mark.parametrize("level", [0.3, 1e-3])
def test_loudness_is_pyloudnorms(duration_s: float, level: float) -> None:
    from pyloudnorm import Meter

    speech = buzz(duration_s, 24_000, level=level).samples
    theirs = Meter(24_000).integrated_loudness(speech)
    assert integrated_loudness(speech) == pytest.approx(theirs, abs=1e-5)
    np.testing.assert_allclose(at_loudness(speech, -27.0), speech * 10 ** ((-27 - theirs) / 20), rtol=1e-6)


@pytest.mark.parametrize(
    "speech", [np.zeros(24_000, np.float32), buzz(0.2, 24_000).samples, buzz(1, 24_000, level=1e-6).samples]
)
def test_what_has_no_loudness_stays_as_it_is(speech: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    assert integrated_loudness(speech) == -math.inf
    assert at_loudness(speech, -27.0) is speech
