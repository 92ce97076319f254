"""Voices as the models take them: a recording is listened to once, and what T3 makes of it stays at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from chatterbox_worker.engine import Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning, condition
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore

_AT_HAND = 8  # voices kept ready on the device; turbo's prefix takes 37 MB in bf16


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVoice:
    """A voice as the two models take it."""

    prefix: Prefix
    prompt: Prompt


class VoiceCache:
    """Safe for several threads."""

    def __init__(
        self,
        t3: T3,
        encoders: ReferenceEncoders,
        store: ConditioningStore,
        *,
        layout: Layout,
        own: Conditioning,
        revision: str,
    ) -> None:
        """`own` is the model's own voice, `revision` that of the networks that listen."""
        self._t3, self._encoders, self._store, self._layout, self._own = t3, encoders, store, layout, own
        self._made_by = f"{layout.name}-{revision}"
        self._listener = ThreadPoolExecutor(1, thread_name_prefix="voices")
        self._at_hand: OrderedDict[tuple[str, float | None], Future[EncodedVoice]] = OrderedDict()
        self._lock = threading.Lock()

    def hear(self, voice: Voice, emotion: float | None) -> Future[EncodedVoice]:
        """The voice, being made on a thread of its own unless it is at hand. Its failure is that of the takes that wait for it."""
        key = (voice.digest, emotion)
        with self._lock:
            future = self._at_hand.get(key)
            if future is None or (future.done() and future.exception() is not None):
                future = self._at_hand[key] = self._listener.submit(self._made, voice, emotion)
            self._at_hand.move_to_end(key)
            while len(self._at_hand) > _AT_HAND:
                self._at_hand.popitem(last=False)
            return future

    def close(self) -> None:
        self._listener.shutdown(cancel_futures=True)

    def _made(self, voice: Voice, emotion: float | None) -> EncodedVoice:
        try:
            known = self._conditioning(voice)
            prefix = self._t3.encode(known.speaker_emb[0], known.speech_tokens[0], emotion)
            return EncodedVoice(prefix, Prompt(known.prompt_token[0], known.prompt_feat[0], known.embedding[0]))
        finally:
            release_threads()

    def _conditioning(self, voice: Voice) -> Conditioning:
        """What the model hears in the voice: its own, or that of the recording, worked out once for all workers."""
        if voice.clip is None:
            return self._own
        clip = voice.clip

        def made() -> Arrays:
            heard = condition(clip, self._layout, self._encoders)
            if voice.speaker is not None and voice.speaker.made_by == self._encoders.speaker_revision:
                heard = replace(heard, speaker_emb=torch.from_numpy(voice.speaker.embedding)[None].float())
            return heard.arrays()

        return Conditioning.from_arrays(self._store.get_or_compute(ConditioningKey(voice.digest, self._made_by), made))
