"""The voice encoder by itself, for tools that compare speakers. Its file has 6 MB, and a CPU is enough.

Every model's checkpoint has one. Any of them can be used, because a voice records which encoder computed its speaker.
"""

from __future__ import annotations

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.level import level_windows, raise_quiet
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, is_chatterbox
from chatterbox_worker.engines.chatterbox.device.threads import use_threads
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.errors import NotReady


class SpeakerEncoder:
    def __init__(self, checkpoint: Checkpoint) -> None:
        self._encoders = ReferenceEncoders(checkpoint)
        self.name = _name(checkpoint)
        """Where it was found, for display."""
        self.made_by = self._encoders.speaker_revision
        """SHA-256 (hex) of its weights."""

    @classmethod
    def load(cls, settings: Settings) -> SpeakerEncoder:
        """The encoder of a served model, or else of any model on the disk, or else the served one's from the hub.

        Raises:
            NotReady: no encoder was found, or its file is broken.
        """
        use_threads(settings.threads or 1)  # the network is too small for more threads; on busy cores they slow it down
        return cls(_find_checkpoint(settings))

    def __call__(self, speech: Samples) -> Samples:
        """Embedding (256,) float32, of norm 1, of 16 kHz `speech` (samples,), raised if it is quiet."""
        embedding: Samples = self._encoders.speaker(raise_quiet(speech))[0].numpy()
        return embedding

    def windows(self, speech: Samples) -> Samples:
        """Embeddings (n, 256) of `speech` (n, 25600): windows of 1.6 s at 16 kHz, each at the same level."""
        embeddings: Samples = self._encoders.speaker_windows(level_windows(speech)).numpy()
        return embeddings


def _name(checkpoint: Checkpoint) -> str:
    layout, revision = checkpoint.layout, checkpoint.revision
    is_local = revision.startswith(
        ("local-", "custom-")
    )  # a folder does not show which repository its weights are from
    return f"{'' if is_local else f'{(layout.base or layout.remote).repo}/'}{layout.voice_encoder}@{revision}"


def _find_checkpoint(settings: Settings) -> Checkpoint:
    served = [name for name in settings.models if is_chatterbox(name, settings)] or ["multilingual"]
    for name in dict.fromkeys((*served, *LAYOUTS)):
        try:
            return _find(name, settings, offline=True)
        except NotReady:
            continue
    return _find(served[0], settings)


def _find(name: str, settings: Settings, *, offline: bool | None = None) -> Checkpoint:
    return checkpoint_of(
        name, settings, offline=offline, only=(LAYOUTS[name].voice_encoder,) if name in LAYOUTS else None
    )
