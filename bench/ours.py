"""Our engine as one side of a benchmark: built on a checkpoint, generating a given number of tokens."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import torch

from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    LAYOUTS,
    MAX_SPEECH_TOKENS,
    START_TEXT,
    STOP_TEXT,
)
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.kernels.proven import families
from chatterbox_worker.engines.chatterbox.pack import add_draft, load_modules, pack_of
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow, Prompt, pack_rows, unpack_mels
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import SAMPLES_PER_FRAME
from chatterbox_worker.engines.chatterbox.serving.memory import decoder_of, slots_for
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.block_slots import BlockSlots
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.voices.conditioning import ConditioningStore

_STAGES = {"t3_s": "t3", "s3gen_s": "flow", "vocoder_s": "vocoder", "watermark_s": "watermark"}
_LONGEST = 2000  # positions: prefix, text and 40 s


def load_parts(checkpoint: Checkpoint, profile: str, device: torch.device, *, kernels: str = "off") -> Parts:
    """The loaded parts, shared by as many engines as the benchmark needs. `kernels`: as CHATTERBOX_KERNELS."""
    pack = pack_of(checkpoint, profile, device)
    t3, s3gen = load_modules(checkpoint, profile, device, pack)
    add_draft(t3, checkpoint, pack)
    pack.save()
    t3.kernels = families(kernels, device, profile)
    s3gen.use_kernels(t3.kernels)
    return Parts.of(checkpoint, t3, s3gen)


class Ours:
    """An engine whose every utterance has `tokens` tokens. A context manager."""

    def __init__(
        self,
        parts: Parts,
        *,
        tokens: int,
        graphs: bool = True,
        all_graphs: bool = True,
        checkpoint: Checkpoint | None = None,
        adapters: int = 0,
    ) -> None:
        """Returns when all graphs are captured, so that none is captured while anything is timed; or, without
        `all_graphs`, when the hot ones are, as a worker starts. The others are as for `ChatterboxEngine`.
        """
        self._folder = tempfile.TemporaryDirectory()
        self._model = parts.layout.name
        self.slots = slots_for(parts.t3, _LONGEST, engines=1)
        store = ConditioningStore(Path(self._folder.name), 10**8)
        self._engine = ChatterboxEngine(
            parts,
            "bench",
            store,
            slots=self.slots,
            max_tokens=tokens,
            graphs=graphs,
            checkpoint=checkpoint,
            adapters=adapters,
        )
        self.sample_rate = self._engine.sample_rate
        self._engine.warm_up(all_graphs=all_graphs)

    def stop_captures(self) -> None:
        """Capture nothing more, so that nothing else runs on the device while a request is timed."""
        for captures in self._engine._captures:
            captures.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._folder.cleanup()

    def speak(self, text: str, *, seed: int) -> dict[str, float]:
        """Seconds for each stage of one utterance, and `total` from submission to the last sample."""
        started_s = time.perf_counter()
        take = self._engine.submit(self._utterance(text, seed))
        for _ in take:
            pass
        total = time.perf_counter() - started_s
        return {name: take.timings.get(key, 0.0) for key, name in _STAGES.items()} | {"total": total}

    def speak_all(self, texts: list[str]) -> dict[str, float]:
        """All texts at once: wall seconds, seconds of sound, and the median latency."""
        started_s = time.perf_counter()
        takes = [self._engine.submit(self._utterance(text, seed)) for seed, text in enumerate(texts)]
        latencies, samples = [], 0
        for take in takes:  # they end in about this order, so waiting for an earlier one does not delay a later one
            samples += sum(len(piece.samples) for piece in take)
            latencies.append(time.perf_counter() - started_s)
        return {
            "wall_s": latencies[-1],
            "audio_s": samples / self._engine.sample_rate,
            "median_latency_s": sorted(latencies)[len(latencies) // 2],
        }

    def submit_all(
        self, texts: list[str], *, streaming: bool = False, voice: Voice = DEFAULT_VOICE
    ) -> list[ChatterboxTake]:
        """All texts at once."""
        utterances = [self._utterance(text, seed) for seed, text in enumerate(texts)]
        return [
            self._engine.submit(dataclasses.replace(utterance, streaming=streaming, voice=voice))
            for utterance in utterances
        ]

    def first_audio(self, text: str, *, seed: int) -> dict[str, float]:
        """A streamed take: seconds to its first piece and to its end, and how many pieces there were."""
        started_s = time.perf_counter()
        times = [
            time.perf_counter() - started_s
            for _ in self._engine.submit(dataclasses.replace(self._utterance(text, seed), streaming=True))
        ]
        return {"first_s": times[0], "total_s": times[-1], "pieces": len(times)}

    def _utterance(self, text: str, seed: int) -> Utterance:
        return Utterance(text, "en", DEFAULT_VOICE, MODELS[self._model].sampling, seed)


def sampling_of(model: str) -> tuple[Sampling | BlockSampling, float | None]:
    """The model's default sampling, and its emotion."""
    parameters: dict[str, Any] = dict(MODELS[model].sampling)
    if LAYOUTS[model].blocks:
        return BlockSlots.sampling(parameters, MAX_SPEECH_TOKENS), 0.5
    emotion = parameters.pop("exaggeration", None)
    return Sampling(**parameters), emotion


@torch.inference_mode()
def graphs_equal_eager(parts: Parts, text: str, *, steps: int = 40) -> dict[str, bool]:
    """Whether replaying graphs gives the same bits as running eagerly, for T3's logits and tokens, mel and sound."""
    sampling, emotion = sampling_of(parts.layout.name)
    voice, ids = own_voice(parts), parts.tokenizer.encode(text, "en")
    ids = ids if parts.layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]
    prefix = parts.t3.encode(voice.speaker_emb[0], voice.speech_tokens[0], emotion)
    graphed, eager = (decoder_of(parts.t3)(parts.t3, 2, _LONGEST, graphs=graphs) for graphs in (True, False))
    for shape in graphed.text_shapes(prefix.length)[:4]:  # up to 128 positions on a GPU
        graphed.warm_text(shape)
    for slots in (graphed, eager):
        slots.prefill(0, prefix, ids, sampling, 1)
    rows, same = slice(0, parts.t3.rows), torch.equal(graphed.carried, eager.carried)
    for _ in range(steps):
        graphed.warm_step(graphed.next_shape)
        left, right = graphed.step().clone(), eager.step().clone()
        same &= torch.equal(left[:1], right[:1]) and torch.equal(graphed.carried[rows], eager.carried[rows])
    return {"t3": same} | _sound_equals_eager(parts, steps)


def own_voice(parts: Parts) -> Conditioning:
    assert parts.default_voice is not None, "the synthetic checkpoints have one"  # noqa: S101
    return parts.default_voice


def _sound_equals_eager(parts: Parts, tokens: int) -> dict[str, bool]:
    """Compared in the shortest bucket that fits an utterance of `tokens` tokens."""
    s3gen, voice = parts.s3gen, own_voice(parts)
    prompt = Prompt(voice.prompt_token[0], voice.prompt_feat[0], voice.embedding[0])
    codes = torch.arange(tokens) * 7
    noise = SeededNoise(1, s3gen.device).whole(prompt, tokens)
    row = FlowRow(codes, prompt, noise.mel)
    size = next((1, bucket) for bucket in BUCKETS if bucket >= row.token_count)
    batch = pack_rows([row], s3gen.device, tokens=size[1])
    s3gen.flow_graphs.warm(size)
    mel, eager_mel = s3gen.flow_graphs(size, batch).clone(), s3gen.flow(batch)

    short = next((1, bucket) for bucket in BUCKETS if bucket >= tokens)
    frames, samples = FRAMES_PER_TOKEN * short[1], FRAMES_PER_TOKEN * short[1] * SAMPLES_PER_FRAME
    source = torch.nn.functional.pad(noise.source, (0, samples - noise.source.shape[1]))[None]
    own = torch.nn.functional.pad(unpack_mels(eager_mel, [row])[0], (0, frames - FRAMES_PER_TOKEN * tokens))[None]
    count = torch.full((1,), FRAMES_PER_TOKEN * tokens, device=s3gen.device)
    s3gen.vocoder_graphs.warm(short)
    sound = s3gen.vocoder_graphs(short, own, noise.phase[None], source, count).clone()
    eager_sound, _ = s3gen.vocoder(own, noise.phase[None], source, count)
    return {"flow": torch.equal(mel, eager_mel), "vocoder": torch.equal(sound, eager_sound)}
