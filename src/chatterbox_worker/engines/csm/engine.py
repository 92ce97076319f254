"""`CsmEngine`: Sesame's conversational speech model, by transformers' own classes, with the interface of Chatterbox's.

A voice is a recording and its transcript, which come before the text in the prompt; earlier turns of a dialogue go
between them. Without a recording the model chooses a voice, so the later chunks of a text continue from its first one.
English only. A chunk's audio is returned as a whole, with Perth's watermark.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from huggingface_hub import constants
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Adapter, Passage, Turn, Utterance
from chatterbox_worker.engines.chatterbox.device.failures import answer_to
from chatterbox_worker.engines.chatterbox.device.memory import gpu_free_bytes
from chatterbox_worker.engines.chatterbox.serving.adapters import check
from chatterbox_worker.engines.chatterbox.serving.memory import CPU_BUDGET_BYTES, GPU_SHARE, slots_within
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.chatterbox.watermark.stream import Marker
from chatterbox_worker.engines.csm.adapters import check_adapter
from chatterbox_worker.engines.csm.batch import Batch
from chatterbox_worker.engines.csm.model import Codes, Csm, EncodedTurn
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.engines.csm.take import CsmTake, Script
from chatterbox_worker.engines.csm.weights import find
from chatterbox_worker.engines.device import device_of, prepare, work_on
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.voices.conditioning import ConditioningKey, ConditioningStore

log = logging.getLogger(__name__)

_LONGEST_S = 40.0  # if the request sets no limit; the same as Chatterbox's
_SHORTEST_S = 0.5  # of a recording, as for Chatterbox
_MOST_ON_GPU, _MOST_ON_CPU = 32, 2  # slots in the batch
_TURNS_BYTES = 16 * 2**20  # memory for encoded dialogue turns: 12.5 frames a second of 32 codes of 2 bytes


class CsmEngine:
    def __init__(
        self,
        csm: Csm,
        revision: str,
        store: ConditioningStore,
        watermark: Marker,
        *,
        slots: int,
        base: str | None,
    ) -> None:
        """`base`: `CsmFiles.digest` of the weights, which fine-tuned voices name; None to refuse those voices."""
        self._csm, self._store, self._watermark, self._base = csm, store, watermark, base
        self._turns = ConditioningStore(None, _TURNS_BYTES)
        device, dtype = csm.device, csm.model.lm_head.weight.dtype
        self.sample_rate = csm.sample_rate
        self.device = str(device)
        self.device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        self._made_by = f"csm-{revision}"
        self.revision = f"csm@{revision}/{str(dtype).removeprefix('torch.')}"
        self._renderer = ThreadPoolExecutor(1, "csm-sound", work_on, (device,))
        self._batch = Batch(CsmSlots(csm, slots), self._prompt, lambda take: self._renderer.submit(self._render, take))

    @classmethod
    def load(cls, settings: Settings, store: ConditioningStore) -> CsmEngine:
        """
        Raises:
            NotReady: the weights are missing or broken, or the requested precision is not supported.
        """
        device = device_of(settings.device)
        dtype = _precision(settings.profile, device)
        prepare(
            device,
            settings.threads,
            cudnn_attention=settings.cudnn_attention,
            graph_share=settings.graph_memory_share,
        )
        files = find(settings.csm_repo, weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
        csm = Csm.load(files.folder, device, dtype)
        slots = _slots_for(csm, engines=len(settings.models) + len(settings.packs))
        log.info("csm: a batch of %d in %s", slots, dtype)
        base = files.digest if settings.adapters else None
        return cls(csm, files.revision, store, Watermark(device), slots=slots, base=base)

    def submit(self, utterance: Utterance) -> CsmTake:
        """
        Raises: InvalidRequest: a recording without its transcript or without sound; more than fits into the model's
        context; a voice that was fine-tuned for another model or on other weights.
        """
        if utterance.voice.adapter is not None:
            self._check(utterance.voice.adapter)
        ids = self._csm.ids(utterance.speaker, utterance.text)
        max_frames = max(1, round((utterance.max_s or _LONGEST_S) * self._csm.frame_rate))
        lead = utterance.lead if isinstance(utterance.lead, CsmTake) and utterance.voice.clip is None else None
        reference, context = _reference_turn(utterance), list(utterance.context)
        free = self._csm.positions - max_frames - len(ids) - sum(map(self._positions, reference))
        if lead is not None:
            free -= len(lead.script.ids) + lead.script.max_frames + 1
        if free < 0:
            raise self._too_long(utterance, reference, max_frames)
        left_out = 0
        while sum(map(self._positions, context)) > free:
            context.pop(0)
            left_out += 1
        take = CsmTake(utterance, Script((*reference, *context), ids, max_frames), lead, self._batch.wake)
        if left_out:
            take.warn(
                f"the first {left_out} of {len(utterance.context)} turns of context were left out: they do not fit"
            )
        self._batch.submit(take)
        return take

    def convert(self, passage: Passage) -> CsmTake:
        """Raises InvalidRequest: the model speaks text only."""
        del passage
        raise InvalidRequest("csm cannot convert speech to another voice", field="model")

    def mark(self, audio: Audio) -> Audio:
        return self._watermark.mark(audio)

    def close(self) -> None:
        self._batch.close()
        self._renderer.shutdown()

    def _check(self, adapter: Adapter) -> None:
        if self._base is None:
            raise InvalidRequest("this worker serves no fine-tuned voices (CHATTERBOX_ADAPTERS is 0)", field="voice")
        check(adapter, "csm", self._base)
        check_adapter(adapter, self._csm.model)

    def _positions(self, turn: Turn) -> int:
        """How many positions of the model's context a turn takes."""
        return len(self._csm.ids(turn.speaker, turn.text)) + self._csm.frames_in(turn.clip.duration_s) + 1

    def _too_long(self, utterance: Utterance, reference: Sequence[Turn], max_frames: int) -> InvalidRequest:
        seconds = reference[0].clip.duration_s if reference else 0.0
        return InvalidRequest(
            f"csm has space for {self._csm.positions / self._csm.frame_rate:.0f} s of sound and text in all: "
            f"a recording of {seconds:.1f} s with its transcript, {len(utterance.text)} characters and "
            f"{max_frames / self._csm.frame_rate:g} s of speech are too much; shorten the recording or give a lower "
            "max_chunk_s",
            field="reference_audio" if reference else "max_chunk_s",
        )

    def _prompt(self, take: CsmTake) -> Tensor:
        """Called on the batch's thread."""
        voice = take.utterance.voice
        turns = [
            EncodedTurn(self._csm.ids(turn.speaker, turn.text), self._codes(turn, is_voice=turn.digest == voice.digest))
            for turn in take.script.turns
        ]
        if take.lead is not None:
            frames = np.array(take.lead.frames, np.int64).reshape(-1, self._csm.codebooks)
            turns.append(EncodedTurn(take.lead.script.ids, frames))
        return self._csm.prompt(turns, take.script.ids)

    def _codes(self, turn: Turn, *, is_voice: bool) -> Codes:
        """A recording's frames, encoded once: a voice's are stored for all workers, a turn's are cached in memory."""
        store = self._store if is_voice else self._turns
        key = ConditioningKey(turn.digest, self._made_by)
        arrays = store.get_or_compute(key, lambda: {"codes": self._csm.encode(turn.clip).astype(np.int16)})
        codes: Codes = arrays["codes"].astype(np.int64)
        return codes

    def _render(self, take: CsmTake) -> None:
        """Called on the renderer's thread."""
        try:
            with take.measure("codec_s"):
                samples = self._csm.decode(np.array(take.frames, np.int64).reshape(-1, self._csm.codebooks))
            with take.measure("watermark_s"):
                piece = self._watermark.mark(Audio(samples, self.sample_rate))
        except Exception as error:  # the thread's edge: the take's reader must get the error
            log.exception("a take could not be rendered")
            take.fail(answer_to(error, "generating audio"))
            return
        take.put(piece)
        take.end()


def _reference_turn(utterance: Utterance) -> tuple[Turn, ...]:
    """The voice's recording as a turn of its speaker; none without a recording."""
    voice = utterance.voice
    if voice.clip is None:
        return ()
    if voice.details.transcript is None:
        raise InvalidRequest(
            f"csm needs the words of the recording of voice {voice.id!r}: give reference_transcript",
            field="reference_transcript",
        )
    if voice.duration_s < _SHORTEST_S:
        raise InvalidRequest(
            f"the reference audio is {voice.duration_s:.2f} s long; at least {_SHORTEST_S} s are needed",
            field="reference_audio",
        )
    if not np.isfinite(voice.clip.samples).all() or not voice.clip.samples.any():
        raise InvalidRequest("the reference audio is silent", field="reference_audio")
    return (Turn(voice.details.transcript, voice.clip, utterance.speaker, voice.digest),)


def _precision(profile: str, device: torch.device) -> torch.dtype:
    if profile in ("int8", "nf4"):
        raise NotReady(f"csm has no {profile} weights: CHATTERBOX_PROFILE must be auto, exact or fast to serve it")
    if profile == "exact" or (profile == "auto" and device.type == "cpu"):
        return torch.float32
    has_bfloat16 = device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def _slots_for(csm: Csm, *, engines: int) -> int:
    config, width = csm.model.config, csm.model.lm_head.weight.dtype.itemsize
    row = 2 * csm.positions * config.head_dim * width  # keys and values of one head
    slot = row * (
        config.num_hidden_layers * config.num_key_value_heads + config.num_attention_heads
    )  # and the attention's own copy
    if csm.device.type == "cuda":
        return slots_within(slot, gpu_free_bytes(csm.device) * GPU_SHARE / engines, _MOST_ON_GPU)
    return slots_within(slot, CPU_BUDGET_BYTES / engines, _MOST_ON_CPU)
