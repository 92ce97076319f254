"""`CsmEngine`: Sesame's conversational speech model, by transformers' own classes, behind the same seam as Chatterbox.

A voice is a recording and the words in it, said before what is to be said; earlier turns of a dialogue go between them.
Without a recording the model speaks in a voice of its choosing, so the later chunks of a text then go on from its first.
English only. Sound leaves whole, at a chunk's end, with Perth's watermark.
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
from chatterbox_worker.engine import Turn, Utterance
from chatterbox_worker.engines.chatterbox.device.failures import answer_to
from chatterbox_worker.engines.chatterbox.serving.memory import CPU_BUDGET_BYTES, GPU_SHARE, gpu_free_bytes, places
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.chatterbox.watermark.stream import Marker
from chatterbox_worker.engines.csm.batch import Batch
from chatterbox_worker.engines.csm.model import Codes, Csm, Said
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.engines.csm.take import CsmTake, Script
from chatterbox_worker.engines.csm.weights import find
from chatterbox_worker.engines.device import device_of, prepare
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.voices.conditioning import ConditioningKey, ConditioningStore

log = logging.getLogger(__name__)

_LONGEST_S = 40.0  # unless the request says: as Chatterbox's
_SHORTEST_S = 0.5  # of a recording, as for Chatterbox
_MOST_ON_GPU, _MOST_ON_CPU = 32, 2  # places in the batch
_TURNS_BYTES = 16 * 2**20  # of a dialogue's turns, kept in memory: 256 codes of 2 bytes a second and codebook pair


class CsmEngine:
    def __init__(self, csm: Csm, revision: str, store: ConditioningStore, watermark: Marker, *, slots: int) -> None:
        self._csm, self._store, self._watermark = csm, store, watermark
        self._turns = ConditioningStore(None, _TURNS_BYTES)
        device, dtype = csm.device, csm.model.lm_head.weight.dtype
        self.sample_rate = csm.sample_rate
        self.device = str(device)
        self.device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        self._made_by = f"csm-{revision}"
        self.revision = f"csm@{revision}/{str(dtype).removeprefix('torch.')}"
        self._sounds = ThreadPoolExecutor(1, thread_name_prefix="csm-sound")
        self._batch = Batch(CsmSlots(csm, slots), self._prompt, lambda take: self._sounds.submit(self._sound, take))

    @classmethod
    def load(cls, settings: Settings, store: ConditioningStore) -> CsmEngine:
        """
        Raises:
            NotReady: the weights are missing or broken, or there are none in the precision that is asked for.
        """
        device = device_of(settings.device)
        dtype = _precision(settings.profile, device)
        prepare(device, settings.threads)
        files = find(settings.csm_repo, weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
        csm = Csm.load(files.folder, device, dtype)
        slots = _places(csm, engines=len(settings.models) + len(settings.packs))
        log.info("csm: %d places in %s", slots, dtype)
        return cls(csm, files.revision, store, Watermark(device), slots=slots)

    def submit(self, utterance: Utterance) -> CsmTake:
        """
        Raises:
            InvalidRequest: a recording without its words, or without sound; more than the model can hear and say.
        """
        ids = self._csm.ids(utterance.speaker, utterance.text)
        max_frames = max(1, round((utterance.max_s or _LONGEST_S) * self._csm.frame_rate))
        lead = utterance.lead if isinstance(utterance.lead, CsmTake) and utterance.voice.clip is None else None
        own, context = _own_turn(utterance), list(utterance.context)
        room = self._csm.positions - max_frames - len(ids) - sum(map(self._positions, own))
        if lead is not None:
            room -= len(lead.script.ids) + lead.script.max_frames + 1
        if room < 0:
            raise self._too_long(utterance, own, max_frames)
        left_out = 0
        while sum(map(self._positions, context)) > room:
            context.pop(0)
            left_out += 1
        take = CsmTake(utterance, Script((*own, *context), ids, max_frames), lead, self._batch.wake)
        if left_out:
            take.warn(
                f"the first {left_out} of {len(utterance.context)} turns of context were left out: no room for them"
            )
        self._batch.submit(take)
        return take

    def mark(self, audio: Audio) -> Audio:
        return self._watermark.mark(audio)

    def close(self) -> None:
        self._batch.close()
        self._sounds.shutdown()

    def _positions(self, turn: Turn) -> int:
        """Of the model's context that a turn takes."""
        return len(self._csm.ids(turn.speaker, turn.text)) + self._csm.frames_in(turn.clip.duration_s) + 1

    def _too_long(self, utterance: Utterance, own: Sequence[Turn], max_frames: int) -> InvalidRequest:
        seconds = own[0].clip.duration_s if own else 0.0
        return InvalidRequest(
            f"csm holds {self._csm.positions / self._csm.frame_rate:.0f} s of sound and text in all: a recording of "
            f"{seconds:.1f} s with its transcript, {len(utterance.text)} characters and {max_frames / self._csm.frame_rate:g} s "
            "of speech are too much; shorten the recording or give a lower max_chunk_s",
            field="reference_audio" if own else "max_chunk_s",
        )

    def _prompt(self, take: CsmTake) -> Tensor:
        """On the batch's thread."""
        voice = take.utterance.voice
        said = [
            Said(self._csm.ids(turn.speaker, turn.text), self._codes(turn, keep=turn.digest == voice.digest))
            for turn in take.script.heard
        ]
        if take.lead is not None:
            said.append(
                Said(take.lead.script.ids, np.array(take.lead.frames, np.int64).reshape(-1, self._csm.codebooks))
            )
        return self._csm.prompt(said, take.script.ids)

    def _codes(self, turn: Turn, *, keep: bool) -> Codes:
        """A recording's frames, encoded once: a voice's for all workers, a turn's for a while."""
        store = self._store if keep else self._turns
        key = ConditioningKey(turn.digest, self._made_by)
        arrays = store.get_or_compute(key, lambda: {"codes": self._csm.encode(turn.clip).astype(np.int16)})
        codes: Codes = arrays["codes"].astype(np.int64)
        return codes

    def _sound(self, take: CsmTake) -> None:
        """On a thread of its own."""
        try:
            with take.timed("codec_s"):
                samples = self._csm.decode(np.array(take.frames, np.int64).reshape(-1, self._csm.codebooks))
            with take.timed("watermark_s"):
                piece = self._watermark.mark(Audio(samples, self.sample_rate))
        except Exception as error:  # the thread's edge: the take's reader must hear of it
            log.exception("sound could not be made")
            take.fail(answer_to(error, "making sound"))
            return
        take.put(piece)
        take.end()


def _own_turn(utterance: Utterance) -> tuple[Turn, ...]:
    """The voice's recording, as a turn of its speaker's."""
    voice = utterance.voice
    if voice.clip is None:
        return ()
    if voice.transcript is None:
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
        raise InvalidRequest("the reference audio holds no sound", field="reference_audio")
    return (Turn(voice.transcript, voice.clip, utterance.speaker, voice.digest),)


def _precision(profile: str, device: torch.device) -> torch.dtype:
    if profile == "int8":
        raise NotReady("csm has no 8-bit weights: CHATTERBOX_PROFILE must be auto, exact or fast to serve it")
    if profile == "exact" or (profile == "auto" and device.type == "cpu"):
        return torch.float32
    has_bfloat16 = device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def _places(csm: Csm, *, engines: int) -> int:
    config, width = csm.model.config, csm.model.lm_head.weight.dtype.itemsize
    row = 2 * csm.positions * config.head_dim * width  # keys and values of one head
    slot = row * (
        config.num_hidden_layers * config.num_key_value_heads + config.num_attention_heads
    )  # and the attention's copy
    if csm.device.type == "cuda":
        return places(slot, gpu_free_bytes(csm.device) * GPU_SHARE / engines, _MOST_ON_GPU)
    return places(slot, CPU_BUDGET_BYTES / engines, _MOST_ON_CPU)
