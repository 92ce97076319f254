"""A tokenizer with one more language: new tokens at the end, and every text of the others has the ids that it had."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.text.tokenizer import MultilingualTokenizer, load_tokenizer
from chatterbox_worker.engines.chatterbox.text.vocabulary import add_tokens, find_new_tokens
from chatterbox_worker.errors import InvalidRequest, NotReady
from support.checkpoints import checkpoint, layout_of, upstream_may_warn
from tools.synthetic_tokenizer import SENTENCES

TEXTS = ("Pچای گرم.", "پدر، چای 🙂")
NEW = {"[fa]": 2, "پ": 1, "چ": 2, "گ": 1, "ی": 2}


@pytest.fixture(autouse=True)
def _no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chinese without a segmenter and Russian without accents, here and in upstream's tokenizer."""
    monkeypatch.setitem(sys.modules, "spacy_pkuseg", None)
    monkeypatch.setitem(sys.modules, "silero_stress", None)


def _tokenizers(folder: Path) -> tuple[MultilingualTokenizer, MultilingualTokenizer]:
    """The multilingual model's, and one with the tokens of `TEXTS` in `folder`."""
    base = find(layout_of(checkpoint("multilingual")), weights_dir=checkpoint("multilingual"), offline=True)
    first, name = load_tokenizer(base), base.layout.tokenizer[0]
    assert isinstance(first, MultilingualTokenizer)
    new = find_new_tokens(first, "fa", TEXTS)
    (folder / name).write_bytes(add_tokens(base.path(name), list(new)))
    layout = replace(base.layout, text_vocab=base.layout.text_vocab + len(new))
    files = MappingProxyType({**base.files, name: folder / name})
    second = load_tokenizer(replace(base, layout=layout, files=files))
    assert isinstance(second, MultilingualTokenizer)
    return first, second


def test_a_tag_and_the_unknown_characters_follow_the_old_tokens(tmp_path: Path) -> None:
    first, second = _tokenizers(tmp_path)
    assert find_new_tokens(first, "fa", TEXTS) == NEW
    assert second.encode("پچگی", "fa") == [2454, 2455, 2456, 2457, 2458]
    assert second.encode("چ 🙂", "fa") == [2454, 2456]
    assert first.encode("چ", "ar") == first.encode("تش", "ar")  # as Arabic writes it


def test_the_old_languages_keep_their_ids(tmp_path: Path) -> None:
    first, second = _tokenizers(tmp_path)
    for language, sentence in SENTENCES.items():
        assert first.encode(sentence, language) == second.encode(sentence, language), language


def test_upstreams_tokenizer_reads_the_file_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, second = _tokenizers(tmp_path)
    with upstream_may_warn():
        from chatterbox.models.tokenizers import tokenizer as module
    monkeypatch.setattr(module, "hf_hub_download", lambda filename, **_: checkpoint("multilingual") / filename)
    upstream = module.MTLTokenizer(str(next(tmp_path.glob("*.json"))))
    for text in TEXTS:
        plain = text.replace(" 🙂", "")  # which upstream's encodes as unknown
        assert upstream.encode(plain, language_id="fa") == second.encode(text, "fa")


def test_a_language_that_lacks_nothing_is_refused(tmp_path: Path) -> None:
    first, second = _tokenizers(tmp_path)
    with pytest.raises(InvalidRequest, match=r"has \[fa\] and every character of the 2 transcripts in fa") as caught:
        find_new_tokens(second, "fa", TEXTS)
    assert caught.value.field == "extend_tokenizer"
    assert find_new_tokens(first, "en", ["Ƣ."]) == {"ƣ": 1}  # one that it has: no tag


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(NotReady, match=r"x\.json cannot be extended"):
        add_tokens(tmp_path / "x.json", ["[fa]"])
