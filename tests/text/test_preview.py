"""A text as it will be read: the function, the action and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatterbox_worker.catalogue import NORMALIZED
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, actions, openai_speech, parse
from chatterbox_worker.text.__main__ import main
from chatterbox_worker.text.normalise import clean, finish
from chatterbox_worker.text.preview import preview


def _speech(**fields: object) -> SpeechRequest:
    request = parse({"text": "Hello there.", **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return request


def test_as_written_a_chunk_is_what_upstream_gives_its_tokenizer() -> None:
    text = "At 12:30 p.m. — in 1984… it cost $1,200; “cheap”, they said"
    [chunk] = preview(_speech(text=text, normalize=False))["chunks"]
    assert chunk["spoken"] == finish(clean(text), "llama")
    assert (chunk["start"], chunk["end"], chunk["text"]) == (0, len(text), clean(text))
    assert (chunk["pause_s"], chunk["language"]) == (0.0, "en")


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [
        (None, True, set(NORMALIZED)),
        (None, False, set()),
        (True, False, set(NORMALIZED)),
        (False, True, set()),
        ({"numbers": False}, True, set(NORMALIZED) - {"numbers"}),
        ({"numbers": True}, False, {"numbers"}),
        ({}, True, set(NORMALIZED)),
    ],
)
def test_normalize_changes_the_workers_setting_where_it_names_something(
    given: object, default: bool, expected: set[str]
) -> None:
    request = parse({"text": "Hello.", "normalize": given}, Settings(normalize=default))
    assert isinstance(request, SpeechRequest)
    assert request.normalize == expected


@pytest.mark.parametrize(
    ("given", "field"),
    [("yes", "normalize"), (1, "normalize"), ({"numbr": True}, "normalize.numbr"), ({"money": 1}, "normalize.money")],
)
def test_a_bad_normalize_is_refused_by_name(given: object, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _speech(normalize=given)
    assert refusal.value.field == field


def test_kokoros_options_become_ours() -> None:
    def options(**given: object) -> object:
        return openai_speech({"input": "Hello.", "normalization_options": given})["normalize"]

    assert options(normalize=False, url_normalization=True) is False
    assert options(normalize=True, unit_normalization=True) == {"units": True}
    assert options(phone_normalization=False, optional_pluralization_normalization=True) == {
        "phones": False, "plurals": True,
    }  # fmt: skip
    for bad in ({"unit": True}, {"normalize": "yes"}):
        with pytest.raises(InvalidRequest, match="normalization_options"):
            options(**bad)
    with pytest.raises(InvalidRequest, match="not both"):
        openai_speech({"input": "Hello.", "normalize": True, "normalization_options": {}})


def test_the_action_takes_the_fields_of_speech() -> None:
    request = parse({"action": "text.preview", "text": "Hello.", "speed": 2.0}, Settings())
    assert isinstance(request, actions.TextPreviewRequest)
    assert request.speech.speed == 2.0
    with pytest.raises(InvalidRequest, match="txt"):
        parse({"action": "text.preview", "txt": "Hello."}, Settings())


def test_the_command_prints_the_chunks_and_refuses_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Hola. Adiós.", "--language", "es", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chunks"][0]["spoken"] == "Hola. Adiós."
    assert main(["Hola.", "--language", "es"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "0-5\tes\tpause 0 s"
    assert main(["...", "--language", "es"]) == 2
    assert "nothing to speak" in capsys.readouterr().err


def test_a_pronunciation_or_a_lexicon_that_cannot_be_used_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["Hello.", "--pronounce", "Hello"])
    assert "'Hello' is not WORD=SPOKEN" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text("[]")
    for name, reason in (("missing.json", "No such file or directory"), ("bad.json", "it is not a JSON object")):
        assert main(["Hello.", "--lexicon", str(tmp_path / name)]) == 2
        assert capsys.readouterr().err == f"the lexicon {tmp_path / name} cannot be read: {reason}\n"
    (tmp_path / "good.json").write_text('{"en": {"hello": "hi"}}')
    assert main(["Hello.", "--lexicon", str(tmp_path / "good.json")]) == 0
    assert "'Hi.'" in capsys.readouterr().out
