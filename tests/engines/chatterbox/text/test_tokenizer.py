import json
import logging
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.text import scripts
from chatterbox_worker.engines.chatterbox.text.tokenizer import TextTokenizer, load_tokenizer
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint, layout_of, upstream_may_warn
from support.paths import ROOT
from tools.synthetic_tokenizer import SENTENCES, TAGS

EXTRA = {  # difficult for the rewriting: mixed scripts, shared Cangjie codes, particles, lone punctuation
    "zh": ("日曰月 abc 你好！", "北京大学 2024", "", "，。", "かな漢字"),
    "ja": ("", "私は東京へ行く。", "ガギグゲゴ ｶﾞ", "母は花を", "OK、Tシャツ", "々〆"),
    "ko": (" 가각힣 ", "ㄱㄴ abc"),
    "tr": ("İSTANBUL IĞDIR",),
    "de": ("STRASSE GROẞ",),
    "en": ("", " ", "[SPACE][STOP] [laugh]", "emoji 🙂 ﬁ ½ ²", "tabs\tand\nlines"),
}


def local(model: str) -> Checkpoint:
    folder = checkpoint(model)
    return find(layout_of(folder), weights_dir=folder, offline=True)


class Words:
    """A segmenter that cuts after every second character, in place of pkuseg's downloaded model."""

    def cut(self, text: str) -> list[str]:
        return [text[start : start + 2] for start in range(0, len(text), 2)]


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chinese words without a download, and Russian without accents, as upstream's where its helper is missing."""
    import spacy_pkuseg

    monkeypatch.setitem(sys.modules, "silero_stress", None)
    monkeypatch.setattr(spacy_pkuseg, "pkuseg", Words)


def upstream_multilingual(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with upstream_may_warn():
        from chatterbox.models.tokenizers import tokenizer as module
    monkeypatch.setattr(module, "hf_hub_download", lambda filename, **_: folder / filename)
    return module.MTLTokenizer(str(folder / "grapheme_mtl_merged_expanded_v1.json"))


def spans_of(model: str, text: str, language: str) -> list[tuple[int, int]]:
    tokenizer = load_tokenizer(local(model))
    spans = tokenizer.spans(text, language)
    assert len(spans) == len(tokenizer.encode(text, language))
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    some = [span for span in spans if span[0] < span[1]]
    assert some == sorted(some)
    return some


@pytest.mark.parametrize(
    ("model", "language", "text"),
    [
        ("english", "en", "Hello there, my  friend."),
        ("turbo", "en", "Hello [laugh] naïve 🙂 friend."),
        ("multilingual", "es", "El niño comió, ¿verdad?"),
        ("multilingual", "de", "STRASSE GROẞ"),
        ("multilingual", "tr", "İSTANBUL IĞDIR"),
        ("multilingual", "ko", " 가각힣 안녕"),
        pytest.param("multilingual", "ru", "Мой дом у реки.", marks=pytest.mark.slow),  # loads Silero: 3 s
        ("multilingual", "ja", "私は東京へ行く。ガギグ"),
    ],
)
def test_the_tokens_cover_the_text_in_order(model: str, language: str, text: str) -> None:
    covered = {index for start, end in spans_of(model, text, language) for index in range(start, end)}
    assert covered >= {index for index, character in enumerate(text) if character != " "}


@pytest.mark.usefixtures("segmenter")
def test_rewritten_scripts_lead_back_to_what_was_written() -> None:
    for language, text, parts in (
        ("zh", "北京，你好", ["北京", "，", "你好"]),
        ("ko", " 가 힣", ["가", " ", "힣"]),
        ("ja", "東京へ", ["東京", "へ"]),
    ):
        found = dict.fromkeys(text[start:end] for start, end in spans_of("multilingual", text, language))
        assert list(found) == parts


@pytest.mark.slow
@pytest.mark.usefixtures("segmenter")
def test_every_language_gets_upstreams_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint("multilingual")
    theirs, ours = upstream_multilingual(folder, monkeypatch), load_tokenizer(local("multilingual"))
    unknown = theirs.tokenizer.token_to_id("[UNK]")  # there ours has another character or none
    for language in LANGUAGES:
        for text in (SENTENCES[language], SENTENCES[language].upper(), *EXTRA.get(language, ())):
            expected = theirs.encode(text, language_id=language)
            assert ours.encode(text, language) == expected or unknown in expected, (language, text)


@pytest.mark.usefixtures("segmenter")
def test_no_letter_of_a_language_is_unknown_and_the_language_comes_first() -> None:
    ours = load_tokenizer(local("multilingual"))
    vocabulary = json.loads((checkpoint("multilingual") / "grapheme_mtl_merged_expanded_v1.json").read_text())["model"][
        "vocab"
    ]
    for language, sentence in SENTENCES.items():
        ids = ours.encode(sentence, language)
        assert ids[0] == vocabulary[f"[{language}]"]
        if language != "zh":  # its table here is small
            assert vocabulary["[UNK]"] not in ids, language
    assert ours.encode("olá", "pt-BR") == ours.encode("olá", "pt")
    with pytest.raises(ValueError, match="vi"):
        ours.encode("xin chào", "vi")


@pytest.mark.usefixtures("segmenter")
def test_characters_that_share_a_cangjie_code_are_distinguished() -> None:
    ours = load_tokenizer(local("multilingual"))
    vocabulary = json.loads((checkpoint("multilingual") / "grapheme_mtl_merged_expanded_v1.json").read_text())["model"][
        "vocab"
    ]
    assert ours.encode("日", "zh")[1:] == [vocabulary[token] for token in ("[cj_a]", "[cj_.]")]
    assert ours.encode("曰", "zh")[1:] == [vocabulary[token] for token in ("[cj_a]", "[cj_1]", "[cj_.]")]


@pytest.mark.slow
def test_english_gets_upstreams_ids() -> None:
    from chatterbox.models.tokenizers import EnTokenizer

    folder = checkpoint("english")
    theirs, ours = EnTokenizer(str(folder / "tokenizer.json")), load_tokenizer(local("english"))
    for text in (SENTENCES["en"], "ALL CAPS", *EXTRA["en"]):
        assert ours.encode(text, "en") == theirs.encode(text.replace("emoji 🙂 ﬁ ½ ²", "emoji fi 1/2 2"))
    assert ours.encode("naïve café", "en") == theirs.encode("naive cafe")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["turbo", "nano"])
def test_turbo_gets_the_ids_of_transformers_tokenizer(model: str) -> None:
    with upstream_may_warn():
        from transformers import AutoTokenizer

        theirs = AutoTokenizer.from_pretrained(checkpoint(model))
    ours = load_tokenizer(local(model))
    assert len(theirs) == 50276
    tagged = [f"Oh [{tag}] I see.[{tag}]" for tag in TAGS]
    for text in (
        *SENTENCES.values(),
        *EXTRA["en"],
        *tagged,
        "a<|endoftext|>b",
        "  two  spaces ",
        "it's we'll I'd 12345",
    ):
        assert ours.encode(text, "en") == theirs(text)["input_ids"], text
    assert [ours.encode(f"[{tag}]", "en") for tag in TAGS] == [[50257 + index] for index in range(19)]


def test_chinese_without_word_segmentation_is_read_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import spacy_pkuseg

    def no_network() -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(spacy_pkuseg, "pkuseg", no_network)
    ours = load_tokenizer(local("multilingual"))
    with caplog.at_level(logging.WARNING):
        assert ours.encode("你好", "zh") == ours.encode("你好", "zh")
    assert caplog.text.count("no route to host") == 1
    vocabulary = json.loads((checkpoint("multilingual") / "grapheme_mtl_merged_expanded_v1.json").read_text())["model"][
        "vocab"
    ]
    assert vocabulary["[SPACE]"] not in ours.encode("你好", "zh")


def test_chinese_without_the_cangjie_table_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "multilingual"
    shutil.copytree(checkpoint("multilingual"), folder)
    (folder / "Cangjie5_TC.json").unlink()
    ours = load_tokenizer(find(layout_of(folder), weights_dir=folder, offline=True))
    assert ours.encode("Hallo", "de")
    with pytest.raises(NotReady, match=r"Cangjie5_TC\.json"):
        ours.encode("你好", "zh")


def _install(monkeypatch: pytest.MonkeyPatch, package: str, **contents: object) -> None:
    module = ModuleType(package)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, package, module)


def test_hebrew_gets_vowel_points_if_package_and_model_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Dicta:
        def __init__(self, model: str) -> None:
            self.model = model

        def add_diacritics(self, text: str) -> str:
            if "!" in text:
                raise RuntimeError("no model")
            return text[::-1]

    _install(monkeypatch, "dicta_onnx", Dicta=Dicta)
    missing = scripts.hebrew(tmp_path / "dicta.onnx")
    assert (missing("אבג"), missing("אבג")) == ("אבג", "אבג")
    assert "dicta.onnx" in missing.problem
    assert caplog.text.count(missing.problem) == 1

    (tmp_path / "dicta.onnx").touch()
    rewrite = scripts.hebrew(tmp_path / "dicta.onnx")
    assert rewrite("אבג") == "גבא"
    assert rewrite("אבג!") == "אבג!"  # a failure leaves the text as it was
    assert "no model" in caplog.text
    assert rewrite.problem == ""


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("большой замок", "больш+ой зам+ок", "большо\u0301й замо\u0301к"),
        ("елка", "+ёлка", "ёлка"),
        ("за\u0301мок и замок", "зам+о\u0301к и зам+ок", "за\u0301мок и замо\u0301к"),
        ("я+ты", "+я+ты", "я+ты"),
    ],
)
def test_russian_gets_accents_in_upstreams_form(
    text: str, marked: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    threads = torch.get_num_threads()

    def load_accentor() -> Any:
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        return lambda given, **_: {text: marked}[given]

    _install(monkeypatch, "silero_stress", load_accentor=load_accentor)
    rewrite = scripts.russian()
    assert rewrite(unicodedata.normalize("NFKD", text)) == unicodedata.normalize("NFKD", expected)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


@pytest.mark.slow
def test_silero_marks_the_words_that_have_two_vowels() -> None:
    rewrite = scripts.russian()
    assert rewrite("дом у реки, елка") == unicodedata.normalize("NFKD", "дом у реки\u0301, ёлка")
    assert rewrite.problem == ""
    import torch

    assert torch.is_grad_enabled()  # or training would fail after the first Russian text


@pytest.mark.parametrize(("code", "package"), [("ru", "silero_stress"), ("he", "dicta_onnx")])
def test_a_missing_helper_is_a_warning_for_its_language_and_logged_once(
    code: str, package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ours = load_tokenizer(local("multilingual"))
    text = "абв" if code == "ru" else "אבג"
    assert ours.encode(text, code) == ours.encode(text, code)
    assert package.replace("_", "-") in ours.problem(code)
    assert caplog.text.count("is not installed") == 1
    assert ours.problem("de") == load_tokenizer(local("english")).problem("en") == ""


def break_file(folder: Path, name: str, content: str) -> Checkpoint:
    shutil.copytree(checkpoint("english" if name == "tokenizer.json" else "turbo"), folder)
    (folder / name).write_text(content)
    return find(layout_of(folder), weights_dir=folder, offline=True)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("tokenizer.json", "{}", "cannot be read"),
        (
            "tokenizer.json",
            '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}',
            "1 tokens; english has 704",
        ),
        ("added_tokens.json", '{"[laugh]": 60000}', r"\[laugh\] is 60000"),
        ("merges.txt", "one two three\nfour\n", "cannot be read"),
    ],
)
def test_a_tokenizer_that_is_not_the_models_is_refused_at_start_up(
    name: str, content: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(NotReady, match=reason):
        load_tokenizer(break_file(tmp_path / "it", name, content))


def test_nothing_heavy_is_imported_to_read_english() -> None:
    code = (
        "import sys; sys.path[:0] = ['src', 'tests', '.']\n"
        "import chatterbox_worker.engines.chatterbox.text.tokenizer\n"
        "heavy = {'torch', 'transformers', 'chatterbox', 'pykakasi', 'spacy_pkuseg', 'huggingface_hub', 'librosa'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        == "[]\n"
    )


def test_the_tokenizers_follow_the_protocol() -> None:
    tokenizers: list[TextTokenizer] = [load_tokenizer(local(model)) for model in ("english", "multilingual", "turbo")]
    assert all(tokenizer.encode("Hello.", "en") for tokenizer in tokenizers)
