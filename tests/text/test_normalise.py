from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.normalise import Style, clean, finish


def upstream(module: str) -> Callable[[str], str]:
    """The `punc_norm` of the installed wheel, without importing the model stack around it."""
    spec = importlib.util.find_spec("chatterbox")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name(f"{module}.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "punc_norm")
    code: CodeType = compile(ast.Module([function], []), str(path), "exec")
    names: dict[str, Callable[[str], str]] = {}
    exec(code, names)  # noqa: S102 - the oracle is the wheel's own code
    return names["punc_norm"]


ORACLES: dict[Style, Callable[[str], str]] = {"llama": upstream("mtl_tts"), "gpt": upstream("tts_turbo")}
ENGLISH = upstream("tts")

MARKS = [
    *".,;:!?-—–…\"'“”‘’ ",
    "...",
    " - ",
    " ,",
    "a",
    "b",
    "ß",
    "Z",
    "é",
    "i",
    "7",
    "、",
    "，",
    "。",
    "？",
    "！",
    "।",
    "؟",
    "[laugh]",
    "字",
    "(",
    ")",
]
SPACES = [" ", "  ", "\t", "\u00a0", "\u3000", "\n", "\r\n", "\u2028", "\x1f"]
slow_settings = settings(deadline=None, max_examples=150)
punctuated = st.lists(st.sampled_from(MARKS + SPACES[:-4]), max_size=40).map("".join)
visible = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cn", "Cs", "Mn", "Lo"]), max_size=60)


def is_one_paragraph(text: str) -> bool:
    return any(map(str.isalnum, text)) and not any(
        char in text for char in "\f\n\r\v\x85\u2028\u2029\u3164\uffa0\ufffc\ufffd"
    )


@pytest.mark.parametrize("style", ["llama", "gpt"])
@slow_settings
@given(text=st.one_of(punctuated, visible).filter(is_one_paragraph))
def test_one_paragraph_becomes_the_same_as_upstreams_result(style: Style, text: str) -> None:
    assert finish(clean(text), style) == ORACLES[style](text.strip())


@slow_settings
@given(text=punctuated.filter(is_one_paragraph))
def test_the_english_model_agrees_except_for_a_stop_after_ideographic_endings(text: str) -> None:
    result, expected = finish(clean(text), "llama"), ENGLISH(text.strip())
    assert result == expected or (result[-1] in "、，。？！" and result + "." == expected)


@pytest.mark.parametrize("style", ["llama", "gpt"])
@slow_settings
@given(paragraphs=st.lists(punctuated.filter(is_one_paragraph), min_size=2, max_size=4))
def test_paragraphs_are_joined_as_upstream_does_with_a_stop_after_a_heading(
    style: Style, paragraphs: list[str]
) -> None:
    stopped = [text.strip() + "." * text.strip()[-1].isalnum() for text in paragraphs[:-1]]
    assert finish(clean("\n\n".join(paragraphs)), style) == ORACLES[style](" ".join([*stopped, paragraphs[-1].strip()]))


@slow_settings
@given(st.text(max_size=80))
def test_cleaning_is_idempotent_and_leaves_only_spaces_and_paragraphs(text: str) -> None:
    try:
        cleaned = clean(text)
    except InvalidRequest:
        return
    assert clean(cleaned) == cleaned
    assert all(word and word == word.strip() for paragraph in cleaned.split("\n\n") for word in paragraph.split(" "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc\u00a0d", "a b c d"),
        ("one\ntwo", "one two"),
        ("one\r\n \t\r\ntwo", "one\n\ntwo"),
        ("one\n\n\n\n\ntwo\n\n", "one\n\ntwo"),
        ("one\u2029two\fthree\u2028four", "one\n\ntwo\n\nthree four"),
        ("\ufeffHel\u00adlo\u200b wor\x00ld\x1b \ud83d!", "Hello world !"),
        ("न\u200dमस्ते \u202bשלום\u202c 1\ufe0f", "नमस्ते שלום 1"),
        ("Ha [laugh] and [clear throat]", "Ha [laugh] and [clear throat]"),
        ("…; “12:30” — e\u0301", "…; “12:30” — e\u0301"),
    ],
)
def test_only_what_cannot_be_spoken_is_removed(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("style", "chunk", "expected"),
    [
        ("llama", "wait... what; no", "Wait,  what,  no."),
        ("gpt", "wait... what; no", "Wait... what; no."),
        ("gpt", "ha [laugh] [clear throat]", "Ha [laugh] [clear throat]."),
        ("llama", "你好。", "你好。"),
        ("llama", "Chapter One\n\nIt was “dark”…", 'Chapter One. It was "dark",'),
        ("llama", "Done!\n\n- one", "Done!, one."),
        ("plain", "wait… “what” — no\n\nyes", "wait… “what” — no. yes"),
    ],
)
def test_chunks_are_finished_in_the_style_of_their_model(style: Style, chunk: str, expected: str) -> None:
    assert finish(chunk, style) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n\t", "\u200b\ufeff", "...", "?!", "🎉👍🏽", "« — »", "\u0301", "***\n\n---"]
)
def test_a_text_without_anything_to_speak_is_rejected(text: str) -> None:
    with pytest.raises(InvalidRequest, match="nothing to speak") as caught:
        clean(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize("text", ["a", "7", "字", "½", "[laugh]", "नी"])
def test_the_shortest_speakable_texts_are_accepted(text: str) -> None:
    assert clean(text) == text
