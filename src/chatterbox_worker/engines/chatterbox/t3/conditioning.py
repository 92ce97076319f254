"""What T3 is conditioned on before the text, as embeddings: the speaker, the prompt and the strength of emotion.

Llama body: [speaker | 32 perceiver tokens computed from the prompt | emotion]. GPT-2 body: [speaker | prompt tokens].
Always in float32: it is computed once per voice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.cpu_products import align

_PERCEIVER_HEADS = 4  # upstream modules/perceiver.py; the shapes of the weights do not show it
_SPEAKER = ("spkr_enc.weight", "spkr_enc.bias")
_OF_LLAMA = (
    "emotion_adv_fc.weight",
    "perceiver.pre_attention_query",
    *(f"perceiver.attn.{layer}.{part}" for layer in ("norm", "to_q", "to_k", "to_v", "proj_out")
      for part in ("weight", "bias")),
)  # fmt: skip


def conditioning_names(*, is_gpt: bool) -> list[str]:
    """The tensors of a T3 checkpoint that `ConditioningEncoder` needs."""
    return [f"cond_enc.{name}" for name in (_SPEAKER if is_gpt else _SPEAKER + _OF_LLAMA)]


class ConditioningEncoder:
    """`cond_enc.*` of a T3 checkpoint."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """`weights` are the checkpoint's, on the device that computes; those of `cond_enc.` are stored in float32."""
        start = "cond_enc."
        self._weights = {
            name.removeprefix(start): align(weight.float())
            for name, weight in weights.items()
            if name.startswith(start)
        }
        self.has_emotion = "emotion_adv_fc.weight" in self._weights
        self._has_perceiver = "perceiver.pre_attention_query" in self._weights

    def __call__(self, speaker: Tensor, prompt: Tensor, emotion: float | None) -> Tensor:
        """Embeddings (length, width), float32, of the speaker (256,), the embedded prompt (p, width) and the emotion.

        Raises:
            ValueError: an emotion for a model without one, or none for a model with one.
        """
        if self.has_emotion != (emotion is not None):
            raise ValueError(f"this T3 model {'needs an' if self.has_emotion else 'has no'} emotion, got {emotion}")
        weights, prompt = self._weights, prompt.float()
        device = weights["spkr_enc.weight"].device
        parts = [
            F.linear(
                speaker.to(device).float().view(1, -1),
                weights["spkr_enc.weight"],
                weights["spkr_enc.bias"],
            )
        ]
        if prompt.shape[0] == 0:
            pass
        elif self._has_perceiver:
            latents = self._attend(weights["perceiver.pre_attention_query"][0], prompt)
            parts.append(self._attend(latents, latents))
        else:
            parts.append(prompt)
        if emotion is not None:
            parts.append(emotion * weights["emotion_adv_fc.weight"].t())
        return torch.cat(parts)

    def _attend(self, queries: Tensor, context: Tensor) -> Tensor:
        """The perceiver's one attention block, (q, width) and (k, width) -> (q, width); it is used for both passes."""
        weights, at = self._weights, "perceiver.attn."

        def project(name: str, x: Tensor) -> Tensor:
            return F.linear(x, weights[f"{at}{name}.weight"], weights[f"{at}{name}.bias"])

        def heads(x: Tensor) -> Tensor:
            return x.view(1, x.shape[0], _PERCEIVER_HEADS, -1).transpose(1, 2)

        width = queries.shape[-1:]
        norm_1, norm_2 = (
            F.layer_norm(x, width, weights[f"{at}norm.weight"], weights[f"{at}norm.bias"]) for x in (queries, context)
        )
        mixed = F.scaled_dot_product_attention(
            heads(project("to_q", norm_1)), heads(project("to_k", norm_2)), heads(project("to_v", norm_2))
        )
        return queries + project("proj_out", mixed.transpose(1, 2).reshape(queries.shape))
