"""`ChatterboxEngine`: one checkpoint of the family, loaded once, for all requests.

Connects the packages of this folder: text becomes ids, a recording becomes a voice, T3's batch generates tokens, S3Gen
turns them into sound, and all sound is watermarked.
"""

from __future__ import annotations

import dataclasses
import logging
import platform
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import numpy as np
import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Passage, Utterance
from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    MAX_SPEECH_TOKENS,
    SAMPLE_RATE,
    SPEECH_CODES,
    START_TEXT,
    STOP_TEXT,
    TOKEN_RATE,
    Layout,
)
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, decoded
from chatterbox_worker.engines.chatterbox.device.failures import answer_to, free_memory
from chatterbox_worker.engines.chatterbox.device.host_copy import HostCopy
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.pack import HeldWeights
from chatterbox_worker.engines.chatterbox.parts import Parts, load_parts
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HopClock, hops_of
from chatterbox_worker.engines.chatterbox.serving.adapter_pool import AdaptedModel, AdapterPool
from chatterbox_worker.engines.chatterbox.serving.memory import decoder_of, make_slots, slots_for
from chatterbox_worker.engines.chatterbox.serving.render import Renderer, RenderJob, Stream
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.serving.scheduler import Errand, Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import VoiceCache
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue, sound_captures, speech_captures
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BLOCK
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.text.alignment import boundaries, monotonic_path
from chatterbox_worker.voices.conditioning import ConditioningStore

log = logging.getLogger(__name__)

_LLAMA_PREFIX = 34  # positions of a voice: speaker, 32 of the perceiver, emotion
_WARM_UP_S = 120.0  # about twenty graphs, each a fraction of a second: only a device that hangs takes longer
_EMOTION = 0.5  # of models that take none from a request, and where T3 does not speak; the default of the others
_PROMPT_TOKENS = 250  # of a voice for the flow: 10 s, the most that is used of a recording
_TEXT_TOKENS = 512  # of one chunk: 500 characters at most, about one token each


class ChatterboxEngine:
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        parts: Parts,
        revision: str,
        store: ConditioningStore,
        *,
        slots: int,
        max_tokens: int = MAX_SPEECH_TOKENS,
        graphs: bool = True,
        checkpoint: Checkpoint | None = None,
        adapters: int = 0,
    ) -> None:
        """A take that does not end by itself is ended after `max_tokens`, with a warning.

        `graphs`: whether a GPU replays graphs.
        Fine-tuned voices, `adapters` of them at once, need the `checkpoint` that `parts` were loaded from.
        """
        self.parts = parts
        self.offload: Callable[[], Callable[[], ChatterboxEngine]] | None = None
        """Copies the weights to the machine's memory, and returns what builds the engine again from there; the engine
        must be closed and dropped by its owner. None without the setting for it.
        """
        self.slots, self.max_tokens = slots, max_tokens
        device = parts.t3.device
        self._neutral = None if parts.layout.is_gpt else _EMOTION
        self._hops = hops_of(blocks=parts.layout.blocks, on_gpu=device.type == "cuda")
        self.device = str(device)
        self.device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        self.decoder = None if checkpoint is None else _decoder(checkpoint)
        small = parts.t3.small_weights()
        self.small_weights = None if small is None else dataclasses.asdict(small)
        self.revision = f"{parts.layout.name}@{revision}/{parts.t3.precision.value}"
        self._voices = self._voice_cache(parts.t3, store, revision)
        self._adapter_pool = AdapterPool(  # before the threads, which ask how many takes are active
            parts.t3,
            checkpoint,
            lambda t3: self._build_adapted(t3, store, revision, adapters, graphs=graphs),
            limit=adapters,
        )
        self._renderer = Renderer(parts.s3gen, parts.layout, parts.watermark, in_background=device.type == "cuda")
        batch_slots = self._make_slots(parts.t3, slots, graphs=graphs)
        self._captures = (
            _captures(parts, batch_slots) if graphs and device.type == "cuda" else (CaptureQueue(), CaptureQueue())
        )
        self._scheduler = Scheduler(
            batch_slots, self._render, name=parts.layout.name, captures=self._captures[0], owner=parts.layout.name
        )
        self._render_queue = RenderQueue(
            self._renderer.render,
            device,
            in_background=device.type == "cuda",
            more_to_come=lambda: self._active > 0,
            captures=self._captures[1],
            owner=parts.layout.name,
        )
        self._base_model = AdaptedModel(self._voices, self._scheduler)
        release_threads()

    @classmethod
    def load(cls, name: str, settings: Settings, store: ConditioningStore) -> ChatterboxEngine:
        """The engine of a model or pack, ready to speak.

        Raises:
            NotReady: its weights are missing or broken.
        """
        checkpoint = decoded(checkpoint_of(name, settings), settings)
        held = HeldWeights() if settings.idle_unload_s and settings.idle_unload == "offload" else None
        return cls._load(checkpoint, settings, store, held)

    @classmethod
    def _load(
        cls, checkpoint: Checkpoint, settings: Settings, store: ConditioningStore, held: HeldWeights | None
    ) -> ChatterboxEngine:
        parts = load_parts(checkpoint, settings, held)
        engines = len(settings.models) + len(settings.packs)
        slots = slots_for(parts.t3, _positions(parts.layout, MAX_SPEECH_TOKENS), engines=engines)
        engine = cls(
            parts,
            checkpoint.sound_revision,
            store,
            slots=slots,
            graphs=settings.graphs,
            checkpoint=checkpoint,
            adapters=settings.adapters,
        )
        if held is not None:
            engine.offload = partial(cls._offload, parts.t3.device.type, checkpoint, settings, store, held)
        engine.warm_up()
        parts.encoders.start_warm_up()
        return engine

    @classmethod
    def _offload(
        cls, kind: str, checkpoint: Checkpoint, settings: Settings, store: ConditioningStore, held: HeldWeights
    ) -> Callable[[], ChatterboxEngine]:
        held.copy_to_memory(pinned=kind == "cuda")
        return partial(cls._load, checkpoint, settings, store, held)

    def submit(self, utterance: Utterance) -> ChatterboxTake:
        self._voices.check(utterance.voice)
        adapter = utterance.voice.adapter
        if adapter is not None:
            self._adapter_pool.check(adapter)
        parameters = dict(utterance.sampling)
        emotion = parameters.pop("exaggeration", self._neutral)
        max_tokens = self._token_limit(utterance)
        sampling = decoder_of(self.parts.t3).sampling(parameters, max_tokens)
        text_ids = self._text_ids(utterance)
        take = ChatterboxTake(utterance, self._scheduler.wake if adapter is None else self._adapter_pool.wake)
        if problem := self.parts.tokenizer.problem(utterance.language):
            take.warn(problem)

        def start(model: AdaptedModel) -> None:
            model.scheduler.submit(
                Sequence(
                    take=take,
                    text_ids=text_ids,
                    sampling=sampling,
                    voice=model.voices.encode(utterance.voice, emotion),
                    max_tokens=max_tokens,
                    observe=utterance.timestamps,
                    stream=Stream(HopClock(self._hops)) if utterance.streaming else None,
                )
            )

        if adapter is None:
            start(self._base_model)
        else:
            self._adapter_pool.submit(adapter, take, start)
        return take

    def left_out(self, text: str, language: str) -> str:
        """The letters, digits and symbols of a text that `submit` would leave out, each once: there are no tokens."""
        return self.parts.tokenizer.left_out(text, language)

    def convert(self, passage: Passage) -> ChatterboxTake:
        """The recording's speech tokens go to S3Gen in place of T3's (upstream's `ChatterboxVC.generate`).

        A fine-tuned voice is that of its recording: fine-tuning changes T3 only.
        """
        self._voices.check(passage.voice)
        voices, scheduler = self._base_model.voices, self._scheduler
        take = ChatterboxTake(passage, scheduler.wake)
        voice = voices.encode(passage.voice, self._neutral)
        spoken = voices.tokenize(passage.speech)  # on the same thread, so the voice is ready before

        def render() -> None:
            tokens = tuple(spoken.result())
            self._render_queue.submit(RenderJob(take, voice.result().prompt, tokens, last=True, verbatim=True))

        def go_on(_: Future[list[int]]) -> None:
            failure = _failure_of(voice) or _failure_of(spoken)
            if failure is None:
                scheduler.submit_errand(Errand(take, render))
            else:
                take.fail(answer_to(failure, "reading the recording"))

        spoken.add_done_callback(go_on)
        return take

    def warm_up(self, *, all_graphs: bool = False) -> None:
        """Return when the hot graphs are captured, or all of them; at once if there are none to capture."""
        self._renderer.warm_up()
        for captures in self._captures:
            if not (captures.wait_all(_WARM_UP_S) if all_graphs else captures.wait_hot(_WARM_UP_S)):
                log.warning("graphs are still being captured after %.0f s; the engine starts without them", _WARM_UP_S)
        if self.parts.t3.device.type == "cuda":
            free_memory()  # what the warm-ups used is cached for the streams of captures

    def mark(self, audio: Audio) -> Audio:
        try:
            return self.parts.watermark.mark(audio)
        finally:
            release_threads()

    def close(self) -> None:
        self._adapter_pool.close()
        self._scheduler.close()
        self._voices.close()
        self._render_queue.close()
        self._renderer.close()

    @property
    def _active(self) -> int:
        return self._scheduler.active + self._adapter_pool.active

    def _voice_cache(self, t3: T3, store: ConditioningStore, revision: str) -> VoiceCache:
        parts = self.parts
        return VoiceCache(
            t3, parts.encoders, store, layout=parts.layout, default_voice=parts.default_voice, revision=revision
        )

    def _make_slots(self, t3: T3, size: int, *, graphs: bool) -> Decoder:
        length, heads = _positions(self.parts.layout, self.max_tokens), self.parts.layout.aligned_heads
        return make_slots(t3, size, length, graphs=graphs, aligned_heads=heads)

    def _build_adapted(
        self, t3: T3, store: ConditioningStore, revision: str, engines: int, *, graphs: bool
    ) -> AdaptedModel:
        """A batch for an adapted T3, with the same encoders; the memory is shared by `engines` such models."""
        layout, length = self.parts.layout, _positions(self.parts.layout, self.max_tokens)
        slots = self._make_slots(t3, min(self.slots, slots_for(t3, length, engines=engines)), graphs=graphs)
        voices = self._voice_cache(t3, store, revision)
        scheduler = Scheduler(
            slots,
            self._render,
            name=f"{layout.name}-adapted",
            captures=CaptureQueue(wanted=slots.wanted),
            owner=layout.name,
        )
        return AdaptedModel(voices, scheduler)

    def _text_ids(self, utterance: Utterance) -> list[int]:
        ids = self.parts.tokenizer.encode(utterance.text, utterance.language)
        return ids if self.parts.layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]  # as upstream's generate() pads

    def _boundaries(self, sequence: Sequence, attention: HostCopy) -> list[float]:
        """`Take.boundaries_s` of a take whose tokens are complete."""
        utterance, is_gpt = sequence.take.utterance, self.parts.layout.is_gpt
        assert isinstance(utterance, Utterance), "a passage has no text to attend to"  # noqa: S101
        spans = self.parts.tokenizer.spans(utterance.text, utterance.language)
        path = monotonic_path(attention.read().numpy())
        # the query at a token predicts the next one; the first is predicted from the text alone
        read = np.concatenate([path[:1], path[:-1]])[np.asarray(sequence.tokens) < SPEECH_CODES]
        steps = boundaries(read, spans if is_gpt else [(0, 0), *spans, (0, 0)], len(utterance.text))
        codes = len(read) - self.parts.layout.cuts_last_token
        return [min(float(step), codes) / TOKEN_RATE for step in steps]

    def _token_limit(self, utterance: Utterance) -> int:
        requested = self.max_tokens if utterance.max_s is None else max(1, round(utterance.max_s * TOKEN_RATE))
        return min(self.max_tokens, requested)

    def _render(self, sequence: Sequence, is_whole: bool) -> None:
        """Queue the sequence's tokens for rendering."""
        stream, hop = sequence.stream, 0
        if stream is not None:
            hop, stream.hops_requested = stream.hops_requested, stream.hops_requested + 1
        prompt = sequence.voice.result().prompt
        if is_whole and sequence.attention is not None:
            sequence.take.set_alignment(partial(self._boundaries, sequence, sequence.attention))
        self._render_queue.submit(RenderJob(sequence.take, prompt, tuple(sequence.tokens), is_whole, stream, hop))


def _decoder(checkpoint: Checkpoint) -> str | None:
    """The model whose S3Gen has other steps than the model's own and is used in its place."""
    layout = checkpoint.s3gen_source.layout
    return layout.name if layout.meanflow is not checkpoint.layout.meanflow else None


def _failure_of(future: Future[Any]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _positions(layout: Layout, max_tokens: int) -> int:
    """The most positions that an utterance takes in T3's cache."""
    prefix = 1 + layout.prompt_tokens if layout.is_gpt else _LLAMA_PREFIX
    return prefix + _TEXT_TOKENS + max_tokens + (BLOCK if layout.blocks else 0)


def _captures(parts: Parts, slots: Decoder) -> tuple[CaptureQueue, CaptureQueue]:
    """The graphs that T3 and S3Gen can use: first those for the model's own voice, then all others."""
    voice, is_gpt = parts.default_voice, parts.layout.is_gpt
    prefix = 1 + voice.speech_tokens.shape[1] if is_gpt and voice is not None else _LLAMA_PREFIX
    return (
        speech_captures(slots, prefix, sorts=is_gpt),  # only the GPT-2 models' defaults have top_k and top_p
        sound_captures(parts.s3gen, _PROMPT_TOKENS if voice is None else voice.prompt_token.shape[1]),
    )
