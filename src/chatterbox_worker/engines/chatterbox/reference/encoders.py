"""The networks that encode a reference: speech tokenizer, x-vector network and voice encoder.

Loaded with the first reference or by `warm_up` before it; a worker that only uses stored voices never needs them. The
voice encoder loads by itself, so that comparing speakers needs its own file only. Their arithmetic is that of the
chatterbox-tts and s3tokenizer packages in float32; neither is imported.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_voice_encoder_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.remainder import s3gen_state
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.device.streams import finish_stream
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE
from chatterbox_worker.engines.chatterbox.reference.features import FlowMel, SincResampler
from chatterbox_worker.engines.chatterbox.reference.speech_tokenizer import SpeechTokenizer
from chatterbox_worker.engines.chatterbox.reference.voice_encoder import VoiceEncoder
from chatterbox_worker.engines.chatterbox.reference.x_vector import XVector
from chatterbox_worker.errors import NotReady

_WARM_UP_S = 1.0  # of noise: whatever the first use of a network costs has been paid after it

_log = logging.getLogger(__name__)

Network = TypeVar("Network", SpeechTokenizer, XVector, VoiceEncoder)


@dataclass(frozen=True, slots=True)
class _Networks:
    tokenizer: SpeechTokenizer
    x_vector: XVector
    to_16k: SincResampler
    mel: FlowMel


class ReferenceEncoders:
    """`conditioning.Encoders` on one device."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._checkpoint = checkpoint
        self._lock = threading.RLock()  # held while loading, not while encoding
        self._loaded: _Networks | None = None
        self._voice: VoiceEncoder | None = None

    def warm_up(self) -> None:
        """Load the networks and use each once, so that the first reference takes no longer than the second.

        Raises:
            NotReady: the checkpoint's tensors are not those of these networks.
        """
        noise = 0.1 * np.random.default_rng(0).standard_normal(round(_WARM_UP_S * SAMPLE_RATE), np.float32)
        self.flow_prompt(noise)
        self.speaker(noise)

    def start_warm_up(self) -> threading.Thread:
        """The same on a thread of its own; a failure is logged, and the first reference fails with it."""

        def run() -> None:
            started_s = time.perf_counter()
            try:
                self.warm_up()
                _log.info("references can be encoded after %.1f s", time.perf_counter() - started_s)
            except Exception as error:  # noqa: BLE001 - the thread's edge: stored voices need no encoders
                _log.warning("the networks that encode references cannot be loaded: %s", error)
            finally:
                release_threads()

        # Not a daemon: a process that exits while torch works in a daemon thread is aborted.
        thread = threading.Thread(target=run, name="reference")
        thread.start()
        return thread

    def tokens(self, speech: Samples, *, limit: int | None = None) -> Tensor:
        """Speech tokens (1, n) int64 of 16 kHz `speech` (samples,); at most `limit`, 25 a second."""
        networks = self._networks()  # loaded outside of inference mode: its tensors are ordinary ones
        with torch.inference_mode():
            return networks.tokenizer(self._tensor(speech), limit)

    def flow_prompt(self, speech: Samples) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (1, t), log mel (1, 2t, 80) and x-vector (1, 192) of 24 kHz `speech` (samples,), as `S3Gen.embed_ref`.

        This path resamples with a short sinc and T3's with soxr, as in upstream.
        """
        networks = self._networks()
        with torch.inference_mode():
            wave = self._tensor(speech)
            mel = networks.mel(wave)
            wave_16k = networks.to_16k(wave)
            tokens = networks.tokenizer(wave_16k)[:, : mel.shape[1] // 2]  # one too many unless 40 ms divide the clip
            return tokens, mel, networks.x_vector(wave_16k)

    def speaker(self, speech: Samples) -> Tensor:
        """Speaker embedding (1, 256) of 16 kHz `speech` (samples,), silence at its ends trimmed."""
        encoder = self._voice_encoder()
        with torch.inference_mode():
            return encoder(speech)

    def speaker_windows(self, speech: Samples) -> Tensor:
        """Embeddings (n, 256), one for each 1.6 s at 16 kHz in `speech` (n, 25600), nothing trimmed."""
        encoder = self._voice_encoder()
        with torch.inference_mode():
            return encoder.windows(torch.tensor(speech, device=self.device))

    @cached_property
    def speaker_revision(self) -> str:
        """SHA-256 (hex) of the voice encoder's weights, the same in every file format.

        Equal digests mean equal embeddings.
        """
        digest = hashlib.sha256()
        for name, value in sorted(load_voice_encoder_state(self._checkpoint).items()):
            digest.update(f"{name} {tuple(value.shape)}\n".encode() + value.float().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _tensor(self, speech: Samples) -> Tensor:
        return torch.tensor(speech, device=self.device)[None]

    def _networks(self) -> _Networks:
        with self._lock:
            if self._loaded is None:
                tensors = s3gen_state(self._checkpoint, "tokenizer.", "speaker_encoder.")
                self._loaded = _Networks(
                    self._build(SpeechTokenizer, tensors, "tokenizer."),
                    self._build(XVector, tensors, "speaker_encoder."),
                    SincResampler(SAMPLE_RATE, SPEECH_RATE, self.device),
                    FlowMel(self.device),
                )
                finish_stream(self.device)  # from here on they are used on other streams
            return self._loaded

    def _voice_encoder(self) -> VoiceEncoder:
        with self._lock:
            if self._voice is None:
                self._voice = self._build(VoiceEncoder, load_voice_encoder_state(self._checkpoint), "")
                finish_stream(self.device)
            return self._voice

    def _build(self, network: type[Network], tensors: Mapping[str, Tensor], prefix: str) -> Network:
        state = StateDict(tensors, self.device, torch.float32, prefix)
        try:
            return network(state)
        except (KeyError, ValueError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise NotReady(
                f"the {self._checkpoint.layout.name} checkpoint does not fit {network.__name__}: {why}"
            ) from error
