"""Voices encoded for the models: a recording is encoded once, and T3's prefix for it stays in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout
from chatterbox_worker.engines.chatterbox.device.streams import work_on_stream
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.reference.conditioning import (
    SPEECH_RATE,
    Conditioning,
    condition,
    resample,
)
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore

_CACHED = 8  # voices on the device; turbo's prefix takes 37 MB in bf16


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVoice:
    """A voice in the form that T3 and S3Gen need."""

    prefix: Prefix
    prompt: Prompt
    ready: torch.cuda.Event | None = None
    """Recorded after the prefix on the stream that computed it; None on a CPU."""

    def wait(self) -> None:
        """Until the prefix is computed."""
        if self.ready is not None:
            self.ready.synchronize()

    def use(self) -> None:
        """Call before the prefix is read on this thread's stream, which then waits for it; the thread does not."""
        if self.ready is not None:
            stream = torch.cuda.current_stream(self.prefix.keys_values.device)
            stream.wait_event(self.ready)
            self.prefix.keys_values.record_stream(stream)  # so that its memory is not used again too early


class VoiceCache:
    """Safe to use from any thread."""

    def __init__(
        self,
        t3: T3,
        encoders: ReferenceEncoders,
        store: ConditioningStore,
        *,
        layout: Layout,
        default_voice: Conditioning | None,
        revision: str,
    ) -> None:
        """`default_voice` is the model's own voice, or None; `revision` the version of the encoders' weights."""
        self._t3, self._encoders, self._store, self._layout = t3, encoders, store, layout
        self._default_voice = default_voice
        self._made_by = f"{layout.name}-{revision}"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voices")
        self._cached: OrderedDict[tuple[str, float | None], Future[EncodedVoice]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, voice: Voice) -> None:
        """
        Raises:
            InvalidRequest: it is the model's own voice, and the model has none.
        """
        if voice.clip is None:
            self._own_voice()

    def encode(self, voice: Voice, emotion: float | None) -> Future[EncodedVoice]:
        """The encoded voice, cached or computed on a thread of its own. If encoding fails, so do the waiting takes."""
        key = (voice.digest, emotion)
        with self._lock:
            future = self._cached.get(key)
            if future is None or (future.done() and future.exception() is not None):
                future = self._cached[key] = self._thread.submit(self._encode, voice, emotion)
            self._cached.move_to_end(key)
            while len(self._cached) > _CACHED:
                self._cached.popitem(last=False)
            return future

    def tokenize(self, speech: Audio) -> Future[list[int]]:
        """The speech tokens of a recording, one for each 40 ms begun, on the thread that encodes voices."""
        return self._thread.submit(self._tokenize, speech)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        for future in self._cached.values():  # until then the device still reads the model
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().wait()

    def _encode(self, voice: Voice, emotion: float | None) -> EncodedVoice:
        device = self._t3.device
        try:
            work_on(device)
            with work_on_stream(device, "voices"):
                conditioning = self._conditioning(voice)
                prefix = self._t3.encode(conditioning.speaker_emb[0], conditioning.speech_tokens[0], emotion)
                ready = torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None
            prompt = Prompt(conditioning.prompt_token[0], conditioning.prompt_feat[0], conditioning.embedding[0])
            return EncodedVoice(prefix, prompt, ready)
        finally:
            release_threads()

    def _tokenize(self, speech: Audio) -> list[int]:
        device = self._t3.device
        try:
            work_on(device)
            with work_on_stream(device, "voices"):
                samples = resample(speech.samples, speech.sample_rate, SPEECH_RATE)
                tokens: list[int] = self._encoders.tokens(samples)[0].tolist()  # waits for the device
                return tokens
        finally:
            release_threads()

    def _own_voice(self) -> Conditioning:
        if self._default_voice is None:
            raise InvalidRequest(
                f"{self._layout.name} has no voice of its own here: give voice, reference_audio or voice_url",
                field="voice",
            )
        return self._default_voice

    def _conditioning(self, voice: Voice) -> Conditioning:
        """The model's own voice, or what the encoders compute from the recording, once for all workers."""
        if voice.clip is None:
            return self._own_voice()
        clip = voice.clip

        def compute() -> Arrays:
            conditioning = condition(clip, self._layout, self._encoders)
            if voice.speaker is not None and voice.speaker.made_by == self._encoders.speaker_revision:
                embedding = torch.from_numpy(voice.speaker.embedding)[None].float()
                conditioning = replace(conditioning, speaker_emb=embedding)
            return conditioning.arrays()

        key = ConditioningKey(voice.digest, self._made_by)
        return Conditioning.from_arrays(self._store.get_or_compute(key, compute))
