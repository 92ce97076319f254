"""Upstream as the other side of a benchmark: chatterbox-tts' modules, HEAD's loops, perth's watermark on the CPU.

GPT-2 models run the package's own `inference_turbo`. The package's Llama loop is older than HEAD 5de7a54 (it builds an
alignment analyser that HEAD dropped, and requests attentions), so HEAD's loop is written out here, on two rows and with
the same sampling. Both run for a given number of tokens: synthetic weights never draw the end.
"""

from __future__ import annotations

import contextlib
import functools
import io
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import (
    SAMPLE_RATE,
    START_SPEECH,
    START_TEXT,
    STOP_SPEECH,
    STOP_TEXT,
)
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.device.threads import release_threads
from chatterbox_worker.engines.chatterbox.reference.conditioning import load_default_conditionals
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer


@contextlib.contextmanager
def _suppress_output() -> Iterator[None]:
    """Upstream uses deprecated parts of its dependencies, prints, and draws progress bars."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


class Upstream:
    """One model in fp32, eager, one request at a time: the only mode that upstream has."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, sizes: str) -> None:
        """`sizes`: "full" or "tiny", as the checkpoint was written."""
        self._checkpoint, self._layout, self._device, self._sizes = checkpoint, checkpoint.layout, device, sizes
        with _suppress_output():
            from tools.upstream import SIZES, build_t3  # noqa: PLC0415  # 7 s of imports

            with torch.device("meta"):
                t3 = build_t3(self._layout, SIZES[sizes])
            t3.load_state_dict(load_file(checkpoint.path(self._layout.t3)), assign=True)
            _restore_rotary(t3)
        self._t3: Any = t3.to(device).eval().requires_grad_(requires_grad=False)
        self._tokenizer = load_tokenizer(checkpoint)
        self._voice = load_default_conditionals(checkpoint)
        self._watermarker: Any = None

    @functools.cached_property
    def _s3gen(self) -> Any:
        with _suppress_output():
            from tools.upstream import SIZES, build_s3gen  # noqa: PLC0415

            s3gen = build_s3gen(SIZES[self._sizes], meanflow=self._layout.meanflow)
            s3gen.load_state_dict(_state(self._checkpoint), strict=False)
        return s3gen.to(self._device).eval().requires_grad_(requires_grad=False)

    def load_sound(self) -> None:
        """Load S3Gen too; otherwise its first use does."""
        _ = self._s3gen

    def speak(
        self, text: str, sampling: Sampling, emotion: float | None, *, tokens: int, seed: int
    ) -> dict[str, float]:
        """Seconds for each stage of one utterance of `tokens` tokens, and `total`."""
        s3gen = self._s3gen
        torch.manual_seed(seed)
        ids = self._tokenizer.encode(text, "en")
        laps = [self._now()]
        # torch's default, which upstream uses; our engine has switched it off
        tf32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=True)
        with torch.inference_mode(), _suppress_output(), tf32:
            codes = self._generate(ids, sampling, emotion, tokens)
            laps.append(self._now())
            codes = torch.cat(
                [codes[codes < START_SPEECH], torch.tensor(self._layout.silence_tail, device=self._device).long()]
            )
            mel = s3gen.flow_inference(codes, ref_dict=self._reference(), finalize=True)
            laps.append(self._now())
            wave, _ = s3gen.hift_inference(mel, None)
            wave[:, : len(s3gen.trim_fade)] *= s3gen.trim_fade
            samples = wave.squeeze(0).cpu().numpy()
            laps.append(self._now())
            if (marker := self._marker()) is not None:
                marker.apply_watermark(samples, sample_rate=SAMPLE_RATE)
            laps.append(self._now())
        release_threads()  # its threads would slow the other side down
        names = ("t3", "flow", "vocoder", "watermark")
        return {name: laps[at + 1] - laps[at] for at, name in enumerate(names)} | {"total": laps[-1] - laps[0]}

    def codes(self, text: str, sampling: Sampling, emotion: float | None, *, tokens: int, seed: int) -> Tensor:
        """The first `tokens` tokens (tokens,), specials included."""
        torch.manual_seed(seed)
        with torch.inference_mode(), _suppress_output():
            return self._generate(self._tokenizer.encode(text, "en"), sampling, emotion, tokens)

    def _generate(self, ids: Sequence[int], sampling: Sampling, emotion: float | None, tokens: int) -> Tensor:
        if self._layout.is_gpt:
            return self._gpt2(ids, sampling, tokens)
        return self._llama(ids, sampling, emotion, tokens)

    def _gpt2(self, ids: Sequence[int], sampling: Sampling, tokens: int) -> Tensor:
        codes: Tensor = self._t3.inference_turbo(
            t3_cond=self._condition(None),
            text_tokens=torch.tensor([list(ids)], device=self._device),
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
            max_gen_len=tokens - 1,  # after the one from the prompt's pass
        )
        return _check_count(codes[0], tokens)

    def _llama(self, ids: Sequence[int], sampling: Sampling, emotion: float | None, tokens: int) -> Tensor:
        from transformers.generation import logits_process as processors  # noqa: PLC0415

        text = torch.tensor([[START_TEXT, *ids, STOP_TEXT]] * 2, device=self._device)
        bos = torch.full((2, 1), START_SPEECH, device=self._device)
        embeddings, _ = self._t3.prepare_input_embeds(
            t3_cond=self._condition(emotion), text_tokens=text, speech_tokens=bos, cfg_weight=1.0
        )
        again = self._t3.speech_emb(bos) + self._t3.speech_pos_emb.get_fixed_embedding(0)
        inputs, past, seen, drawn = torch.cat([embeddings, again], dim=1), None, bos[:1], []
        penalty = processors.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty))
        min_p, top_p = processors.MinPLogitsWarper(sampling.min_p), processors.TopPLogitsWarper(sampling.top_p)
        for step in range(tokens):
            output = self._t3.tfmr(
                inputs_embeds=inputs, past_key_values=past, use_cache=True, output_hidden_states=True
            )
            past, logits = output.past_key_values, self._t3.speech_head(output.hidden_states[-1])[:, -1]
            logits = logits[:1] + sampling.cfg_weight * (logits[:1] - logits[1:])
            logits = top_p(seen, min_p(seen, penalty(seen, logits) / sampling.temperature))
            token = torch.multinomial(torch.softmax(logits, dim=-1), num_samples=1)
            drawn.append(token)
            seen = torch.cat([seen, token], dim=1)
            if token.view(-1) == STOP_SPEECH:  # the host waits here, as it does upstream
                break
            embedded = self._t3.speech_emb(token) + self._t3.speech_pos_emb.get_fixed_embedding(step + 1)
            inputs = torch.cat([embedded, embedded])
        return _check_count(torch.cat(drawn, dim=1)[0], tokens)

    def _condition(self, emotion: float | None) -> Any:
        from chatterbox.models.t3.modules.cond_enc import T3Cond  # noqa: PLC0415

        return T3Cond(
            speaker_emb=self._voice.speaker_emb.to(self._device),
            cond_prompt_speech_tokens=self._voice.speech_tokens.to(self._device),
            emotion_adv=None if emotion is None else torch.full((1, 1, 1), emotion, device=self._device),
        )

    def _reference(self) -> dict[str, Any]:
        voice, device = self._voice, self._device
        return {
            "prompt_token": voice.prompt_token.to(device),
            "prompt_token_len": torch.tensor([voice.prompt_token.shape[1]], device=device),
            "prompt_feat": voice.prompt_feat.to(device),
            "prompt_feat_len": None,
            "embedding": voice.embedding.to(device),
        }

    def _marker(self) -> Any:
        """None if perth is not installed, or cannot be used: it imports pkg_resources, gone from setuptools 81."""
        if self._watermarker is None:
            try:
                import perth  # noqa: PLC0415
            except ImportError:
                return None
            self._watermarker = perth.PerthImplicitWatermarker and perth.PerthImplicitWatermarker()
        return self._watermarker

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _restore_rotary(t3: Any) -> None:
    """Compute the Llama body's rotary frequencies: no state dict has them, so they are still on the meta device."""
    rotary = getattr(t3.tfmr, "rotary_emb", None)
    if rotary is not None:
        t3.tfmr.rotary_emb = type(rotary)(config=t3.tfmr.config)


def _check_count(codes: Tensor, tokens: int) -> Tensor:
    if len(codes) != tokens:
        raise RuntimeError(f"upstream ended after {len(codes)} of {tokens} tokens: the weights are not synthetic ones")
    return codes


def _state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    path = checkpoint.path(checkpoint.layout.s3gen)
    if path.suffix == ".safetensors":
        return load_file(path)
    state: dict[str, Tensor] = torch.load(path, weights_only=True, mmap=True)
    return state
