"""Tokenizer files with the real ones' sizes, special tokens and coverage, trained on one sentence per language.

Their ids are not the real ones, so trained weights cannot use them. They share with the real files what code depends
on: the formats, [STOP] = 0 and [START] = 255, the language and Cangjie tokens, the 50257 + 19 entries of turbo's
vocabulary, and that no letter of the 23 languages is unknown.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers  # type: ignore[import-untyped]

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_TEXT, Layout

SENTENCES: dict[str, str] = {
    "ar": "مرحباً، كيف حالك اليوم؟ الطقس جميل في المدينة.",
    "da": "Hvordan går det i dag? Vejret er smukt, og æblerne på øen er røde.",
    "de": "Guten Morgen! Die Straße ist heute über Nacht weiß geworden, schön.",
    "el": "Καλημέρα, πώς είσαι σήμερα; Ο καιρός είναι ωραίος.",
    "en": "Hello there, how are you? The quick brown fox jumps over the lazy dog.",
    "es": "¿Cómo estás hoy? El niño pequeño comió una piña en la montaña.",
    "fi": "Hyvää päivää, mitä kuuluu? Sää on tänään kaunis.",
    "fr": "Bonjour, comment ça va ? L'été dernier, nous étions à la plage, où le cœur bat.",
    "he": "שלום, מה שלומך היום? מזג האוויר יפה.",
    "hi": "नमस्ते, आप कैसे हैं? आज मौसम बहुत अच्छा है।",
    "it": "Buongiorno, come stai oggi? Perché non andiamo in città?",
    "ja": "こんにちは、今日は元気ですか？東京へ行きましょう。カメラを見る。",
    "ko": "안녕하세요, 오늘 기분이 어떠세요? 날씨가 좋습니다.",
    "ms": "Selamat pagi, apa khabar hari ini? Cuaca sangat cantik.",
    "nl": "Goedemorgen, hoe gaat het vandaag? Het weer is mooi in België.",
    "no": "God morgen, hvordan går det i dag? Været er fint på øya.",
    "pl": "Dzień dobry, jak się masz? Żółta łódź płynie przez rzekę.",
    "pt": "Bom dia, como está você hoje? A manhã é linda, não é?",
    "ru": "Доброе утро, как дела сегодня? Погода прекрасная, ёлка зелёная.",
    "sv": "God morgon, hur mår du idag? Vädret är vackert på ön.",
    "sw": "Habari za asubuhi, hujambo leo? Hali ya hewa ni nzuri.",
    "tr": "Günaydın, bugün nasılsın? Hava çok güzel, ığdır'a gidelim.",
    "zh": "你好，今天天气怎么样？我们去北京大学吧。",
}
"""A sentence in every language of the multilingual model."""

# Real Cangjie 5 codes of some characters in SENTENCES["zh"], so that there are both hits and misses.
CANGJIE: tuple[tuple[str, str], ...] = (
    ("你", "onf"), ("好", "vnd"), ("今", "oin"), ("天", "mk"), ("气", "omn"), ("我", "hqi"), ("们", "ols"),
    ("去", "gi"), ("北", "lmp"), ("京", "yrf"), ("大", "k"), ("学", "fbnd"), ("日", "a"), ("曰", "a"), ("月", "b"),
)  # fmt: skip

# added_tokens.json of the hub's turbo model, 50257 and up
TAGS = (
    "angry", "fear", "surprised", "whispering", "advertisement", "dramatic", "narration", "crying", "happy",
    "sarcastic", "clear throat", "sigh", "shush", "cough", "groan", "sniff", "gasp", "chuckle", "laugh",
)  # fmt: skip

_SPECIAL = ("[STOP]", "[UNK]", "[SPACE]")
_RANGES = (  # the scripts' characters after NFKD and lower case, first and last
    (0x21, 0x40), (0x5B, 0x7E), (0xA1, 0xA1), (0xBF, 0xBF), (0x300, 0x345), (0x3B1, 0x3C9), (0x430, 0x45F),
    (0x5B0, 0x5C7), (0x5D0, 0x5EA), (0x60C, 0x60C), (0x61B, 0x61F), (0x621, 0x655), (0x901, 0x965), (0x1100, 0x1112),
    (0x1161, 0x1175), (0x11A8, 0x11C2), (0x3001, 0x3002), (0x3041, 0x3096), (0x3099, 0x309A), (0x30A1, 0x30FC),
)  # fmt: skip
_LETTERS = "ßæøœđłıəħŋ«»“”‘’–—…"


def write_tokenizer(folder: Path, layout: Layout) -> None:
    """Write the files of `layout.tokenizer` and `layout.optional` to `folder`."""
    if layout.is_gpt:
        _write_byte_level(folder, layout.text_vocab)
        return
    multilingual = layout.language != "en"
    (folder / layout.tokenizer[0]).write_text(_graphemes(layout.text_vocab, multilingual=multilingual).to_str())
    if layout.optional:
        entries = [f"{character}\t{code}" for character, code in CANGJIE]
        (folder / layout.optional[0]).write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")


def _graphemes(size: int, *, multilingual: bool) -> Tokenizer:
    """A character-level BPE of `size` entries, filled up with unused ones."""
    added = list(_SPECIAL)
    if multilingual:
        added += [f"[{language}]" for language in LANGUAGES]
        added += [f"[cj_{key}]" for key in "abcdefghijklmnopqrstuvwxyz.123456789"]
        texts = [unicodedata.normalize("NFKD", sentence.lower()) for sentence in SENTENCES.values()]
        alphabet = [chr(code) for first, last in _RANGES for code in range(first, last + 1)] + list(_LETTERS)
    else:  # the English model is case-sensitive
        texts = [SENTENCES["en"]]
        alphabet = [chr(code) for code in range(0x21, 0x7F)]
    trained = _train(texts, alphabet, limit=size - len(added) - 1)
    vocabulary = _number_tokens([*added, *trained["vocab"]], size)
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(merge) for merge in trained["merges"]], unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (*added, "[START]")])
    return tokenizer


def _number_tokens(tokens: Iterable[str], size: int) -> dict[str, int]:
    """Ids in order, except [START] at its fixed id, and unused entries up to `size`."""
    free = (number for number in count() if number != START_TEXT)
    vocabulary = {"[START]": START_TEXT} | dict(zip(dict.fromkeys(tokens), free, strict=False))
    for number in sorted(set(range(size)) - set(vocabulary.values())):
        vocabulary[f"[UNUSED_{number}]"] = number
    return vocabulary


def _train(texts: list[str], alphabet: list[str], *, limit: int) -> dict[str, list[str]]:
    """The vocabulary in order of id, and the merges, of a BPE trained on `texts`."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=limit, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts * 2, trainer)  # twice: a pair must occur more than once
    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": sorted(model["vocab"], key=model["vocab"].get), "merges": model["merges"]}


def _write_byte_level(folder: Path, size: int) -> None:
    """GPT-2's three files: 256 bytes, merges, <|endoftext|> last of 50257, and the tags after it."""
    last = size - len(TAGS) - 1
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=last, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(list(SENTENCES.values()) * 2, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    vocabulary |= {f"<|unused_{number}|>": number for number in range(len(vocabulary), last)}
    vocabulary["<|endoftext|>"] = last
    merges = "\n".join(["#version: 0.2", *(" ".join(merge) for merge in model["merges"]), ""])
    end = {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    files: dict[str, object] = {
        "vocab.json": vocabulary,
        "added_tokens.json": {f"[{tag}]": last + 1 + index for index, tag in enumerate(TAGS)},
        "special_tokens_map.json": {"bos_token": end, "eos_token": end, "unk_token": end},
        "tokenizer_config.json": {
            "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "errors": "replace",
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
            "model_max_length": 1024,
        },
    }  # fmt: skip
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
