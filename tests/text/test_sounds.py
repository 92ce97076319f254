"""Tags of sounds: what a model does not make is left out with a warning, never read."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.text.preview import preview


def show(text: str, model: str, **fields: object) -> dict[str, Any]:
    request = parse({"text": text, "model": model, **fields}, Settings(models=tuple(MODELS)))
    assert isinstance(request, SpeechRequest)
    return preview(request)


@pytest.mark.parametrize(
    ("model", "text", "spoken", "named"),
    [
        ("multilingual", "Well [laugh] yes [laugh].", "Well yes.", ["[laugh]", "turbo or nano can"]),
        ("multilingual", "[Sigh] Well, [chuckles] yes.", "Well, yes.", ["[sigh]", "[chuckles]"]),
        ("csm", "So [clear throat], yes.", "So, yes.", ["[clear throat]"]),
        ("preview", "So [whispering] yes.", "So yes.", ["[whispering]", "no model does"]),
        ("turbo", "Well [laugh] yes [Laugh].", "Well [laugh] yes [laugh].", []),
        ("nano", "Well [chuckles] yes.", "Well yes.", ["[chuckles]", "it makes laugh, chuckle"]),
        ("turbo", "A [whispering] voice.", "A [whispering] voice.", []),
        ("multilingual", "He wrote [sic] and [he laughed].", "He wrote [sic] and [he laughed].", []),
        ("multilingual", "No tag at all.", "No tag at all.", []),
    ],
)
def test_a_sound_is_made_or_left_out(model: str, text: str, spoken: str, named: list[str]) -> None:
    answer = show(text, model)
    assert " ".join(chunk["spoken"] for chunk in answer["chunks"]) == spoken
    warnings = " ".join(answer["warnings"])
    assert all(name in warnings for name in named)
    assert len(answer["warnings"]) == len([name for name in named if name.startswith("[")])


def test_as_written_the_tag_stays() -> None:
    for normalize in (False, {"tags": False}):
        answer = show("Well [laugh] yes.", "multilingual", normalize=normalize)
        assert (answer["chunks"][0]["spoken"], answer["warnings"]) == ("Well [laugh] yes.", [])


def test_a_pronunciation_wins_over_the_rule() -> None:
    answer = show("Well [laugh] yes.", "multilingual", pronunciations={"[laugh]": "ha ha"})
    assert (answer["chunks"][0]["spoken"], answer["warnings"]) == ("Well ha ha yes.", [])


def test_a_text_of_sounds_alone_has_nothing_to_speak() -> None:
    with pytest.raises(InvalidRequest, match="nothing to speak"):
        show("[laugh]", "multilingual")


def test_a_sound_inside_what_markup_reads_otherwise_is_left_alone() -> None:
    text = '<speak>Hi <sub alias="ha">x [laugh]</sub>, <sub alias="ho">[laugh] y</sub> [laugh] there.</speak>'
    request = parse({"text": text, "text_format": "ssml"}, Settings())
    assert isinstance(request, SpeechRequest)
    assert [chunk.spoken for chunk in prepare(request).chunks] == ["Hi ha, ho there."]
