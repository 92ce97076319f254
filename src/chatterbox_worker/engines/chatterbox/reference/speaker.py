"""The voice encoder by itself: says who speaks, for tools that compare speakers. A file of 6 MB, and a CPU is enough.

Every model's checkpoint has one. Whichever is at hand will do, since a voice says which encoder its speaker is from.
"""

from __future__ import annotations

from huggingface_hub import constants

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.device.threads import use_threads
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.errors import NotReady


class SpeakerEncoder:
    def __init__(self, checkpoint: Checkpoint) -> None:
        self._encoders = ReferenceEncoders(checkpoint)
        self.name = _name(checkpoint)
        """For people: where it was found."""
        self.made_by = self._encoders.speaker_revision
        """SHA-256 (hex) of its weights."""

    @classmethod
    def load(cls, settings: Settings) -> SpeakerEncoder:
        """The encoder of a model that is served, or of any that is at hand, else the served one's from the hub.

        Raises:
            NotReady: it is nowhere, or broken.
        """
        use_threads(settings.threads or 1)  # so small a network gains nothing from more, and loses where cores are busy
        return cls(_checkpoint(settings))

    def __call__(self, speech: Samples) -> Samples:
        """Embedding (256,) float32, of length 1, of 16 kHz `speech` (samples,)."""
        embedding: Samples = self._encoders.speaker(speech)[0].numpy()
        return embedding


def _name(checkpoint: Checkpoint) -> str:
    layout, revision = checkpoint.layout, checkpoint.revision
    is_local = revision.startswith("local-")  # a folder does not say whose weights it holds
    return f"{'' if is_local else f'{(layout.base or layout.remote).repo}/'}{layout.voice_encoder}@{revision}"


def _checkpoint(settings: Settings) -> Checkpoint:
    served = [LAYOUTS[name] for name in settings.models if name in LAYOUTS] or [LAYOUTS["multilingual"]]
    for layout in dict.fromkeys((*served, *LAYOUTS.values())):
        try:
            return _found(layout, settings, offline=True)
        except NotReady:
            continue
    return _found(served[0], settings, offline=constants.HF_HUB_OFFLINE)


def _found(layout: Layout, settings: Settings, *, offline: bool) -> Checkpoint:
    return find(layout, weights_dir=settings.weights_dir, offline=offline, only=(layout.voice_encoder,))
