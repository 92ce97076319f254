"""The components of an engine, loaded from a checkpoint as the settings want them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

import torch

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import choose_profile
from chatterbox_worker.engines.chatterbox.device.failures import is_device_failure
from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED, shared_folder
from chatterbox_worker.engines.chatterbox.kernels.proven import Family, families
from chatterbox_worker.engines.chatterbox.measured_kernels import measure
from chatterbox_worker.engines.chatterbox.pack import HeldWeights, load_with_pack
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning, load_own_voice
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.text.tokenizer import TextTokenizer, load_tokenizer
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.chatterbox.watermark.stream import Marker
from chatterbox_worker.engines.device import device_of, prepare, profile_of
from chatterbox_worker.errors import NotReady

log = logging.getLogger(__name__)

_measured: dict[tuple[torch.device, str, str], frozenset[Family]] = {}
"""What `measure` found, by device, model and profile: a model that is loaded again runs the same kernels."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The loaded components of an engine."""

    layout: Layout
    t3: T3
    s3gen: S3Gen
    tokenizer: TextTokenizer
    default_voice: Conditioning | None
    """None: every utterance brings a voice."""
    encoders: ReferenceEncoders
    watermark: Marker

    @classmethod
    def of(cls, checkpoint: Checkpoint, t3: T3, s3gen: S3Gen) -> Self:
        """The networks with what else the checkpoint has. Raises NotReady: a file is missing or broken."""
        return cls(
            layout=checkpoint.layout,
            t3=t3,
            s3gen=s3gen,
            tokenizer=load_tokenizer(checkpoint),
            default_voice=load_own_voice(checkpoint),
            encoders=ReferenceEncoders(checkpoint, t3.device),
            watermark=Watermark(t3.device),
        )


def load_parts(checkpoint: Checkpoint, settings: Settings, held: HeldWeights | None) -> Parts:
    """`held`: of an engine whose weights can stay in the machine's memory.

    Raises:
        NotReady: a file is missing or broken, or the device or its kernels are not as the settings want them.
    """
    device = device_of(settings.device)
    prepare(
        device,
        settings.threads,
        cudnn_attention=settings.cudnn_attention,
        graph_share=settings.graph_memory_share,
    )
    profile = profile_of(choose_profile(settings.profile, device.type, checkpoint), device)
    t3, s3gen = load_with_pack(
        checkpoint, profile, device, graphs=settings.graphs, prepared=settings.prepared_weights, held=held
    )
    if chosen := families(settings.kernels, device, profile):
        _use_kernels(t3, s3gen, chosen, settings, model=(device, checkpoint.layout.name, profile))
    if (small := t3.small_weights()) is not None:
        log.info(
            "%s: T3's weights take %.2f GB instead of %.2f, with a relative error of %.2f %% (%s)",
            checkpoint.layout.name, small.stored_bytes / 1e9, small.unquantized_bytes / 1e9, 100 * small.relative_error,
            t3.precision.value,
        )  # fmt: skip
    return Parts.of(checkpoint, t3, s3gen)


def _use_kernels(
    t3: T3, s3gen: S3Gen, chosen: frozenset[Family], settings: Settings, *, model: tuple[torch.device, str, str]
) -> None:
    """Run these of the project's own kernels, or with `measure` those of them that win, if they run here.

    Raises:
        NotReady: they do not, and the setting is neither `auto` nor `measure` or the device does not work any more.
    """
    if settings.weights_dir is not None:
        COMPILED.read_from(shared_folder(settings.weights_dir))
    t3.kernels = chosen
    try:
        t3.try_kernels()
        if settings.kernels == "measure":
            if model not in _measured:
                _measured[model] = measure(t3, s3gen)
            chosen = _measured[model]
    except Exception as error:
        t3.kernels = frozenset()
        if settings.kernels not in ("auto", "measure") or is_device_failure(error):
            raise NotReady(
                f"CHATTERBOX_KERNELS is {settings.kernels}, but a kernel does not run: {error}; set it to off"
            ) from error
        log.warning("the engine's own kernels do not run here, torch's are used", exc_info=error)
        return
    t3.kernels = chosen
    s3gen.use_kernels(chosen)
