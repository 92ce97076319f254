"""The networks that encode a reference: speech tokenizer, x-vector network and voice encoder.

They are upstream's own modules (half a gigabyte of weights and some seconds of imports), loaded with the first
reference or by `warm_up` in idle time; a worker that only uses stored voices never loads them. The voice encoder loads
by itself, so that comparing speakers needs its own file only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_voice_encoder_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE
from chatterbox_worker.errors import NotReady

_HEAD = 64  # the speech tokenizer's attention heads, 20 x 64 = 1280
_ROPE_POSITIONS = 2048  # AudioEncoderV2's own table: 1024 * 2
_FFT = 400  # S3Tokenizer.n_fft: 25 ms at 16 kHz
_MELS = 128

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Networks:
    tokenizer: Any  # chatterbox.models.s3tokenizer.S3Tokenizer
    x_vector: Any  # chatterbox.models.s3gen.xvector.CAMPPlus
    to_16k: Any  # torchaudio.transforms.Resample
    log_mel: Any  # chatterbox.models.s3gen.utils.mel.mel_spectrogram


class ReferenceEncoders:
    """`conditioning.Encoders` on one device. One recording at a time: upstream's mel caches are globals."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._checkpoint = checkpoint
        self._lock = threading.RLock()
        self._loaded: _Networks | None = None
        self._voice: Any = None  # chatterbox.models.voice_encoder.VoiceEncoder

    def warm_up(self) -> None:
        """Load the networks now rather than with the first reference.

        Raises:
            NotReady: the checkpoint's tensors are not those of these networks.
        """
        self._networks()
        self._voice_encoder()

    def tokens(self, speech: Samples, *, limit: int | None = None) -> Tensor:
        """Speech tokens (1, n) int64 of 16 kHz `speech` (samples,); at most `limit`, 25 a second."""
        with self._lock, torch.inference_mode():
            tokens, _ = self._networks().tokenizer.forward([speech], max_len=limit)
            reshaped: Tensor = tokens.reshape(1, -1)
            return reshaped

    def flow_prompt(self, speech: Samples) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (1, t), log mel (1, 2t, 80) and x-vector (1, 192) of 24 kHz `speech` (samples,), as `S3Gen.embed_ref`.

        This path resamples with torchaudio and T3's with soxr, as in upstream.
        """
        with self._lock, torch.inference_mode():
            networks = self._networks()
            wave = torch.from_numpy(speech).float()[None].to(self.device)
            mel = networks.log_mel(wave).transpose(1, 2).float()
            wave_16k = networks.to_16k(wave)
            embedding = networks.x_vector.inference(wave_16k)
            tokens, _ = networks.tokenizer(wave_16k)
            tokens = tokens[
                :, : mel.shape[1] // 2
            ]  # a clip whose length is not a multiple of 40 ms has one token too many
            return tokens, mel, embedding

    def speaker(self, speech: Samples) -> Tensor:
        """Speaker embedding (1, 256) of 16 kHz `speech` (samples,), silence at its ends trimmed."""
        with self._lock, torch.inference_mode():
            embedded = self._voice_encoder().embeds_from_wavs([speech], sample_rate=SPEECH_RATE)
            return torch.from_numpy(embedded).mean(dim=0, keepdim=True)

    @cached_property
    def speaker_revision(self) -> str:
        """SHA-256 (hex) of the voice encoder's weights, the same in every file format.

        Equal digests mean equal embeddings.
        """
        digest = hashlib.sha256()
        for name, value in sorted(load_voice_encoder_state(self._checkpoint).items()):
            digest.update(f"{name} {tuple(value.shape)}\n".encode() + value.float().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _networks(self) -> _Networks:
        with self._lock:
            if self._loaded is None:
                _log.info("loading the networks that encode references")
                self._loaded = self._load()
            return self._loaded

    def _voice_encoder(self) -> Any:
        with self._lock:
            if self._voice is None:
                with torch.device("meta"):
                    voice = _upstream("voice_encoder/__init__.py").VoiceEncoder()
                self._voice = self._fill(voice, load_voice_encoder_state(self._checkpoint))
            return self._voice

    def _load(self) -> _Networks:
        from torchaudio.transforms import Resample  # noqa: PLC0415

        state = load_s3gen_state(self._checkpoint, "tokenizer.", "speaker_encoder.")
        with torch.device("meta"):
            x_vector = _upstream("s3gen/xvector.py").CAMPPlus(memory_efficient=False)
        return _Networks(
            self._fill(_tokenizer(_under(state, "tokenizer.")), _under(state, "tokenizer.")),
            self._fill(x_vector, _under(state, "speaker_encoder.")),
            Resample(SAMPLE_RATE, SPEECH_RATE).to(self.device),
            _upstream("s3gen/utils/mel.py").mel_spectrogram,
        )

    def _fill(self, module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
        own = module.state_dict()
        try:  # buffers that are computed already may be missing from the file
            module.load_state_dict(
                {name: value for name, value in own.items() if not value.is_meta} | state, assign=True
            )
        except RuntimeError as error:
            raise NotReady(
                f"the {self._checkpoint.layout.name} checkpoint does not fit {type(module).__name__}: {error}"
            ) from error
        return module.to(self.device).eval()


def _upstream(file: str) -> ModuleType:
    """One file or package of `chatterbox/models`, imported by itself.

    Importing it by its name would run `chatterbox/__init__.py`, which imports every model with transformers and
    diffusers: many seconds that the first caller with a reference would wait, for modules that are not used here.

    Raises:
        NotReady: the package is not installed.
    """
    package = importlib.util.find_spec("chatterbox")
    if package is None or package.origin is None:
        raise NotReady("references need the chatterbox-tts package, which is not installed")
    path = Path(package.origin).parent / "models" / file
    name = f"_chatterbox_{path.parent.name if path.stem == '__init__' else path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise NotReady(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: packages import their own parts by this name
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _tokenizer(state: dict[str, Tensor]) -> nn.Module:
    """S3Tokenizer without weights, as wide and deep as `state`; its own constructor supports one size only."""
    from librosa.filters import mel  # noqa: PLC0415
    from s3tokenizer.model_v2 import ModelConfig, S3TokenizerV2, precompute_freqs_cis  # noqa: PLC0415

    width = state["encoder.conv1.weight"].shape[0]
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.blocks."))
    config = ModelConfig(n_audio_state=width, n_audio_head=width // _HEAD, n_audio_layer=layers)
    s3_tokenizer = _upstream("s3tokenizer/__init__.py").S3Tokenizer
    tokenizer: Any = s3_tokenizer.__new__(s3_tokenizer)
    with torch.device("meta"):
        S3TokenizerV2.__init__(tokenizer, "speech_tokenizer_v2_25hz", config)
    tokenizer.encoder.freqs_cis = precompute_freqs_cis(_HEAD, _ROPE_POSITIONS)
    tokenizer.n_fft = _FFT
    filters = mel(sr=SPEECH_RATE, n_fft=_FFT, n_mels=_MELS)
    tokenizer.register_buffer("_mel_filters", torch.from_numpy(filters))
    tokenizer.register_buffer("window", torch.hann_window(_FFT))
    built: nn.Module = tokenizer
    return built
