"""Each Chatterbox model as values: its hub files, its dimensions and its special behaviour.

File names and dimensions are those of upstream HEAD 5de7a54 (`tts.py`, `mtl_tts.py`, `tts_turbo.py`,
`models/t3/llama_configs.py`, `models/t3/modules/t3_config.py`). Nothing here reads a file or imports a model.

The multilingual v3 model pairs `t3_mtl23ls_v3` with `s3gen.pt`, as upstream's loader does; the hub also has a
`s3gen_v3` that upstream uses with the language packs only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from chatterbox_worker.catalogue import PACKS, REGIONS

SAMPLE_RATE = 24_000
"""Hertz, of S3Gen's output and of the reference that conditions it (`s3gen.const.S3GEN_SR`)."""
TOKEN_RATE = 25
"""Speech tokens a second (`s3tokenizer.S3_TOKEN_RATE`): one token is 40 ms, 2 mel frames, 960 samples."""
SPEECH_CODES = 6561
"""3**8 codes of the speech tokenizer; token ids from here on are special."""
START_SPEECH, STOP_SPEECH = 6561, 6562
START_TEXT, STOP_TEXT = 255, 0
SPEAKER_WIDTH = 256  # the voice encoder's embedding
SILENCE_TOKEN = 4299  # s3gen.const.S3GEN_SIL
MAX_SPEECH_TOKENS = 1000  # upstream's max_new_tokens: 40 s

BASE_REPO = "ResembleAI/chatterbox"


@dataclass(frozen=True, slots=True)
class Remote:
    """A model repository on the hub, at one revision."""

    repo: str
    revision: str


@dataclass(frozen=True, slots=True)
class Layout:
    name: str
    """As in `catalogue.MODELS`, or a pack of `catalogue.PACKS`."""
    remote: Remote
    t3: str
    s3gen: str
    voice_encoder: str
    tokenizer: tuple[str, ...]
    """The first is the one to open; the others are in the same folder."""
    backbone: Literal["llama", "gpt2"]
    layers: int
    width: int
    heads: int
    text_vocab: int
    speech_vocab: int
    prompt_tokens: int
    """The most tokens of the reference that precede T3's text."""
    prompt_s: float
    """Seconds of the reference that those tokens are taken from."""
    conditionals: str = "conds.pt"
    optional: tuple[str, ...] = ()
    """Files that only some languages need, or a voice of the model's own; the model starts without them."""
    from_base: tuple[str, ...] = ()
    """Which files come from `base`, because `remote` lacks them: a pack is not a whole checkpoint."""
    base: Remote | None = None
    language: str | None = None
    """The one language it speaks; None for several."""
    names_language: bool = False
    """Whether a text begins with the token of its language, and is in small letters."""
    blocks: bool = False
    """T3 decodes in blocks, and its speech embedding has one row more than its head, for [MASK]."""
    cleans_english: bool = False
    """Texts are rewritten by `text.flash_english` before they become ids."""
    meanflow: bool = False
    """The flow was distilled: 2 steps, no guidance."""
    silence_tail: tuple[int, ...] = ()
    """Tokens that upstream appends before the flow."""
    cuts_last_token: bool = False
    """Upstream drops the last token's 960 samples from the sound."""
    loudness_lufs: float | None = None
    """The reference is brought to this loudness first."""
    reference_min_s: float = 0.0
    """The reference must be longer than this."""
    aligned_heads: tuple[tuple[int, int], ...] = ()
    """(layer, head) of T3 whose attention follows the text; none are known for nano."""

    @property
    def is_gpt(self) -> bool:
        """GPT-2: one BOS, a bias in the head; no guidance, emotion, perceiver or learned positions beyond GPT-2's."""
        return self.backbone == "gpt2"

    @property
    def required(self) -> tuple[str, ...]:
        voice = () if self.conditionals in self.optional else (self.conditionals,)
        return (self.t3, self.s3gen, self.voice_encoder, *self.tokenizer, *voice)

    @property
    def replaced(self) -> tuple[str, ...]:
        """The files that packs can replace: all other files are small, or are read as they are."""
        kept = (self.voice_encoder, self.conditionals, *self.tokenizer)  # a custom model may have all in one file
        return tuple(name for name in dict.fromkeys((self.t3, self.s3gen)) if name not in kept)

    @property
    def files(self) -> tuple[str, ...]:
        return self.required + self.optional


# Commits of the hub's repositories as other public projects pin them, 2026.
_BASE = Remote(BASE_REPO, "5bb1f6ee58e50c3b8d408bc82a6d3740c2db6e18")
_TURBO = Remote("ResembleAI/chatterbox-turbo", "749d1c1a46eb10492095d68fbcf55691ccf137cd")
_NANO = Remote("ResembleAI/chatterbox-nano", "71ccd1d0081b430592cea481f4307e764e07bc64")
_PACK_REVISIONS: Mapping[str, str] = MappingProxyType({
    "es-es": "7262b364e3222ba9446c9289e7485eadc47ed902",
    "es-mx-latam": "27e595bf2fe7be0533ca299d9afafcde08b7cca7",
    "pt-br": "b3952f18bc2eaa72b9bd7c17d2c4653bcad4770d",
    "hi": "82ca71273cc2a9ab19efdf8315f865c1a5af0ee7",
})  # fmt: skip
_UNPINNED = "main"  # no commit of this repository could be found in public code

# `LLAMA_ALIGNED_HEADS` of upstream's alignment_stream_analyzer.py, removed from its HEAD, still in the 0.1.7 wheel
_LLAMA_HEADS = ((12, 15), (13, 11), (9, 2))
# Upstream's pull request #563 (open, 2026-09-16, commit 3bae920): the one head of turbo that its author found usable
_TURBO_HEADS = ((4, 6),)

_GRAPHEMES = "grapheme_mtl_merged_expanded_v1.json"
_CANGJIE = "Cangjie5_TC.json"


def _multilingual(name: str, t3: str) -> Layout:
    return Layout(
        name, _BASE, t3=t3, s3gen="s3gen.pt", voice_encoder="ve.pt", tokenizer=(_GRAPHEMES,), optional=(_CANGJIE,),
        names_language=True, backbone="llama", layers=30, width=1024, heads=16, text_vocab=2454, speech_vocab=8194,
        prompt_tokens=150, prompt_s=6.0, cuts_last_token=True, aligned_heads=_LLAMA_HEADS,
    )  # fmt: skip


def _pack(name: str) -> Layout:
    language = next(tag for tag, pack in REGIONS.items() if pack == name).partition("-")[0]
    return Layout(
        name, Remote(f"ResembleAI/Chatterbox-Multilingual-{name}", _PACK_REVISIONS.get(name, _UNPINNED)),
        t3=f"t3_{name.replace('-', '_')}.safetensors", s3gen="s3gen_v3.pt", voice_encoder="ve.pt",
        tokenizer=(_GRAPHEMES,), optional=(_CANGJIE,) if language == "zh" else (),
        base=_BASE, from_base=("ve.pt", "conds.pt", _CANGJIE), language=language, names_language=True,
        backbone="llama", layers=30, width=1024, heads=16, text_vocab=2454, speech_vocab=8194,
        prompt_tokens=150, prompt_s=6.0, cuts_last_token=True, aligned_heads=_LLAMA_HEADS,
    )  # fmt: skip


def _gpt(
    name: str,
    remote: Remote,
    *,
    layers: int,
    width: int,
    heads: int,
    aligned_heads: tuple[tuple[int, int], ...] = (),
) -> Layout:
    return Layout(
        name, remote, t3=f"t3_{name}_v1.safetensors", s3gen="s3gen_meanflow.safetensors",
        voice_encoder="ve.safetensors", tokenizer=("vocab.json", "merges.txt", "added_tokens.json"),
        backbone="gpt2", layers=layers, width=width, heads=heads, text_vocab=50276, speech_vocab=6563,
        prompt_tokens=375, prompt_s=15.0, language="en", meanflow=True, silence_tail=(SILENCE_TOKEN,) * 3,
        loudness_lufs=-27.0, reference_min_s=5.0, aligned_heads=aligned_heads,
    )  # fmt: skip


_ENGLISH = Layout(
    "english", _BASE, t3="t3_cfg.safetensors", s3gen="s3gen.safetensors", voice_encoder="ve.safetensors",
    tokenizer=("tokenizer.json",), language="en",
    backbone="llama", layers=30, width=1024, heads=16, text_vocab=704, speech_vocab=8194,
    prompt_tokens=150, prompt_s=6.0, aligned_heads=_LLAMA_HEADS,
)  # fmt: skip

# The files that chatterbox-flash 0.1.0 downloads. There is no voice among them; English's has the same form.
_FLASH = Layout(
    "flash", Remote("ResembleAI/chatterbox-flash", _UNPINNED), t3="t3_flash.safetensors", s3gen="s3gen.safetensors",
    voice_encoder="ve.safetensors", tokenizer=("tokenizer.json",), optional=("conds.pt",), language="en",
    base=_BASE, from_base=("conds.pt",), blocks=True, cleans_english=True, meanflow=True,
    backbone="llama", layers=30, width=1024, heads=16, text_vocab=704, speech_vocab=8194,
    prompt_tokens=150, prompt_s=6.0,
)  # fmt: skip

LAYOUTS: Mapping[str, Layout] = MappingProxyType({
    layout.name: layout
    for layout in (
        _multilingual("multilingual", "t3_mtl23ls_v3.safetensors"),
        _multilingual("multilingual-v2", "t3_mtl23ls_v2.safetensors"),
        _ENGLISH,
        _gpt("turbo", _TURBO, layers=24, width=1024, heads=16, aligned_heads=_TURBO_HEADS),
        _gpt("nano", _NANO, layers=12, width=768, heads=12),
        _FLASH,
        *map(_pack, PACKS),
    )
})  # fmt: skip
