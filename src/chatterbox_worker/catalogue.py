"""What can be requested: models, languages, packs and audio formats, as values.

What *this* worker serves is in `config.Settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

# chatterbox.mtl_tts.SUPPORTED_LANGUAGES, the multilingual model's own list
LANGUAGES: Mapping[str, str] = MappingProxyType({
    "ar": "Arabic", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "sv": "Swedish", "sw": "Swahili", "tr": "Turkish", "zh": "Chinese",
})  # fmt: skip

# A regional tag and the single-language pack for it.
REGIONS: Mapping[str, str] = MappingProxyType({
    "es-MX": "es-mx-latam", "es-ES": "es-es", "pt-BR": "pt-br",
    "pt-PT": "pt-pt", "zh-CN": "zh-cmn", "hi-IN": "hi",
})  # fmt: skip

PACKS: tuple[str, ...] = tuple(REGIONS.values())

OPENAI_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
"""OpenAI's voices and models of speech, which many clients can send nothing but."""
OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one model can do."""

    name: str
    languages: tuple[str, ...]
    sampling: Mapping[str, float]
    """The sampling parameters the model can use, each with upstream's default."""
    reference_min_s: float = 0.0
    """A reference clip must be longer than this, in seconds; 0 for no limit."""
    clones_voices: bool = True
    """Whether the model can take a voice from a recording."""
    needs_transcript: bool = False
    """Whether it needs the transcript of the recording to do so."""
    uses_context: bool = False
    """Whether it can condition on earlier turns of a conversation."""
    converts_speech: bool = True
    """Whether it can say recorded speech with another voice."""
    longest_chunk_s: float | None = 40.0
    """The largest `max_chunk_s` in seconds; None if a chunk always ends by itself."""
    punctuation: Literal["llama", "gpt", "plain"] = "llama"
    """Which of upstream's two punctuation tables it was trained with; plain: none."""
    watermarks: bool = True
    tags: tuple[str, ...] = ()
    """Sounds that the text may contain in square brackets."""
    keeps_case: bool = True
    """False: its tokenizer turns capitals into small letters, so that it cannot know an acronym by them."""

    @property
    def identifies_languages(self) -> bool:
        """Whether a text's language can be found among the model's: `language` "auto"."""
        return len(self.languages) > 1 and all(code in LANGUAGES for code in self.languages)


# Defaults of ChatterboxTTS.generate and ChatterboxMultilingualTTS.generate at upstream HEAD 5de7a54.
_LLAMA_SAMPLING = MappingProxyType({
    "temperature": 0.8, "exaggeration": 0.5, "cfg_weight": 0.5, "repetition_penalty": 1.2, "top_p": 1.0, "min_p": 0.05,
})  # fmt: skip
# ChatterboxTurboTTS.generate; it warns that CFG, min_p and exaggeration do nothing.
_GPT_SAMPLING = MappingProxyType({"temperature": 0.8, "repetition_penalty": 1.2, "top_p": 0.95, "top_k": 1000})
# ChatterboxFlashTTS.generate of chatterbox-flash 0.1.0; cfg_weight is its cfg_scale, steps its num_steps, block_size
# its drf_block_size.
_BLOCK_SAMPLING = MappingProxyType({
    "temperature": 0.6, "cfg_weight": 1.0, "steps": 10, "position_temperature": 5.0, "block_size": 16,
})  # fmt: skip
# generation_config.json of sesame/csm-1b, and transformers' own top_k; Sesame's generator uses the same.
_CSM_SAMPLING = MappingProxyType({"temperature": 0.9, "top_k": 50})
# The sound tags among turbo's 19 added tokens that are known to work.
_SOUNDS = ("laugh", "chuckle", "cough", "sigh", "gasp", "sniff", "groan", "shush", "clear throat")

MODELS: Mapping[str, ModelCard] = MappingProxyType({
    card.name: card
    for card in (
        ModelCard("multilingual", tuple(LANGUAGES), _LLAMA_SAMPLING, keeps_case=False),
        ModelCard("multilingual-v2", tuple(LANGUAGES), _LLAMA_SAMPLING, keeps_case=False),
        ModelCard("english", ("en",), _LLAMA_SAMPLING),
        # "Audio prompt must be longer than 5 seconds!", upstream tts_turbo.py
        ModelCard("turbo", ("en",), _GPT_SAMPLING, reference_min_s=5.0, punctuation="gpt", tags=_SOUNDS),
        ModelCard("nano", ("en",), _GPT_SAMPLING, reference_min_s=5.0, punctuation="gpt", tags=_SOUNDS),
        ModelCard("flash", ("en",), _BLOCK_SAMPLING, punctuation="plain"),
        # 90 s: max_audio_length_ms of Sesame's generator
        ModelCard(
            "csm", ("en",), _CSM_SAMPLING, punctuation="plain", needs_transcript=True, uses_context=True,
            converts_speech=False, longest_chunk_s=90.0,
        ),
        ModelCard(
            "preview", tuple(LANGUAGES), MappingProxyType({}), clones_voices=False, converts_speech=False,
            punctuation="plain", watermarks=False, longest_chunk_s=None,
        ),
    )
})  # fmt: skip

NORMALIZED: tuple[str, ...] = (
    "numbers", "money", "units", "times", "dates", "phones", "urls", "emails", "roman", "symbols", "abbreviations",
    "acronyms", "plurals", "lexicon", "tags", "decoration",
)  # fmt: skip
"""What in a text may be read otherwise than it is written: by `text.spoken`, `text.lexicon`, `text.sounds` and
`text.markup` (decoration)."""

MODEL_RATE = 24_000
"""Hertz, every model's own, and of an answer that asks for no other."""
SAMPLE_RATES = (8000, 16000, 22050, 24000, 44100, 48000)
"""Hertz."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    name: str
    mimetype: str
    sample_rates: tuple[int, ...] = SAMPLE_RATES
    """Hertz."""


FORMATS: Mapping[str, AudioFormat] = MappingProxyType(
    {
        audio_format.name: audio_format
        for audio_format in (
            AudioFormat("wav", "audio/wav"),  # 16-bit
            AudioFormat("mp3", "audio/mpeg"),
            AudioFormat("flac", "audio/flac"),
            AudioFormat("ogg", "audio/ogg"),  # Vorbis
            AudioFormat(
                "opus", "audio/ogg; codecs=opus", (8000, 16000, 24000, 48000)
            ),  # RFC 6716: no 22 050 or 44 100 Hz
            AudioFormat("aac", "audio/aac"),  # ADTS
            AudioFormat("pcm", "audio/pcm"),  # 16-bit little-endian, no header
        )
    }
)

_MPEG2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
MP3_KBPS: Mapping[int, tuple[int, ...]] = MappingProxyType({
    8_000: (8, 16, 24, 32, 40, 48, 56, 64),
    **dict.fromkeys((16_000, 22_050, 24_000), _MPEG2_KBPS),
    **dict.fromkeys((44_100, 48_000), (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)),
})  # fmt: skip
"""The bit rates of Layer III at each sample rate: ISO 11172-3 (MPEG-1), ISO 13818-3 (MPEG-2), and MPEG-2.5 at 8 kHz."""

_OWNERS = {"preview": "espeak-ng", "csm": "sesame"}
_CREATED = 1_748_390_400  # 28 May 2025, when Chatterbox was published: OpenAI's list requires a time


def openai_model(name: str) -> dict[str, Any]:
    """A model in the shape of OpenAI's `GET /v1/models/{id}`."""
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": _OWNERS.get(name, "resemble-ai")}
