"""Builds a `Synthesizer` from `Settings`: the only place that chooses engines.

Engines are imported here and nowhere else, each when it is first needed, so that a preview worker needs no torch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings, variable
from chatterbox_worker.engine import DEFAULT_VOICE, Engine
from chatterbox_worker.errors import InvalidRequest, NotReady, VolumeFailed, first_choices, quote
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import lexicon_at
from chatterbox_worker.voices.conditioning import ConditioningStore
from chatterbox_worker.voices.library import VoiceLibrary

if TYPE_CHECKING:
    from chatterbox_worker.engines.chatterbox.reference.speaker import SpeakerEncoder

log = logging.getLogger(__name__)

_CONDITIONING_BYTES = 64 * 2**20  # in memory: about 400 voices at 160 kB (500 mel frames of 80 floats)
_STORED_CONDITIONING_BYTES = 2**30  # on the volume: about 6 000 voices, also those that came with a request


def build(settings: Settings) -> Synthesizer:
    """A synthesizer with every model loaded and ready.

    Raises:
        NotReady: a model's weights are missing or broken.
        InvalidRequest: see `check_aliases`.
    """
    check_aliases(settings, VoiceLibrary(settings.voices_dir))
    _read_ahead(settings)
    _limit_memory(settings)
    store = conditionings(settings)
    engines: dict[str, Engine] = {}
    for name in (*settings.models, *settings.packs):
        started_s = time.perf_counter()
        engines[name] = _engine(name, settings, store)
        log.info("%s is ready on %s after %.1f s", name, engines[name].device, time.perf_counter() - started_s)
    return Synthesizer(
        engines,
        VoiceLibrary(settings.voices_dir, forget=store.forget),
        AudioCache(settings.cache_dir, max_bytes=settings.cache_max_bytes, max_age_s=settings.cache_max_age_s),
        allow_private_urls=settings.allow_private_urls,
        lexicon=lexicon_at(settings.lexicon),
        recognizer=SpeechRecognizer.of(settings),
    )


def conditionings(settings: Settings) -> ConditioningStore:
    """What engines compute from voices, in memory and next to the voice library."""
    return ConditioningStore(
        settings.voices_dir / ".conditioning",
        _CONDITIONING_BYTES,
        max_stored_bytes=_STORED_CONDITIONING_BYTES,
        max_age_s=settings.cache_max_age_s,
    )


def check_aliases(settings: Settings, library: VoiceLibrary) -> None:
    """
    Raises:
        InvalidRequest: an alias stands for a voice that the library does not have.
    """
    if not (aliases := settings.voice_aliases()):
        return
    try:
        voices = [DEFAULT_VOICE.id, *(entry.id for entry in library.list())]
    except VolumeFailed as error:
        log.warning("%s is not checked: %s", variable("aliases"), error.message)
        return
    for name, target in aliases.items():
        if target not in voices:
            raise InvalidRequest(
                f"{variable('aliases')} has {name}={target}, but {quote(target)} is neither a model nor a voice; "
                f"there are {first_choices([*settings.models, *voices])}",
                field=variable("aliases"),
            )
        if name in voices:
            log.warning(
                "the voice %s cannot be used: %s makes it another name of %s", name, variable("aliases"), target
            )


def _engine(name: str, settings: Settings, store: ConditioningStore) -> Engine:
    if name == "preview":
        from chatterbox_worker.engines.preview import PreviewEngine  # noqa: PLC0415

        return PreviewEngine()
    if name == "csm":
        return _csm(settings, store)
    from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine  # noqa: PLC0415

    return ChatterboxEngine.load(name, settings, store)


def _read_ahead(settings: Settings) -> None:
    """Start reading the weights, while torch is imported."""
    if set(settings.models) <= {"preview", "csm"}:
        return
    from chatterbox_worker.engines.chatterbox.checkpoint.read_ahead import read_ahead  # noqa: PLC0415

    read_ahead(settings)


def speaker_encoder(settings: Settings) -> SpeakerEncoder:
    """The network that distinguishes speakers: the voice encoder of any model's checkpoint.

    Raises:
        NotReady: its weights are missing or broken.
    """
    from chatterbox_worker.engines.chatterbox.reference.speaker import SpeakerEncoder  # noqa: PLC0415

    return SpeakerEncoder.load(settings)


def _csm(settings: Settings, store: ConditioningStore) -> Engine:
    try:
        from chatterbox_worker.engines.csm.engine import CsmEngine  # noqa: PLC0415
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "transformers":
            raise
        raise NotReady("the model csm needs the package transformers (the extra named csm)") from error
    return CsmEngine.load(settings, store)


def _limit_memory(settings: Settings) -> None:
    if settings.gpu_memory_fraction == 1.0 or set(settings.models) <= {"preview"}:
        return
    from chatterbox_worker.engines.device import device_of, limit_memory  # noqa: PLC0415

    limit_memory(device_of(settings.device), settings.gpu_memory_fraction)


def watermark_detector(settings: Settings) -> Callable[[Audio], float]:
    """A function from audio to the confidence, 0 to 1, that it carries the models' watermark.

    Raises:
        NotReady: the network's weights are not installed.
    """
    import torch  # noqa: F401, PLC0415 - first: a gateway may lack it, and the error then names torch

    from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark  # noqa: PLC0415
    from chatterbox_worker.engines.device import device_of  # noqa: PLC0415

    try:
        return Watermark(device_of(settings.device)).detect
    except FileNotFoundError as error:
        raise NotReady(str(error)) from error
