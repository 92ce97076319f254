"""The setting of custom models, and such models through the edges."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.custom_models import parse_custom_models
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.server import speech
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.wiring import build
from support.community import bases, entry
from support.paths import ROOT

VARIABLE = "CHATTERBOX_CUSTOM_MODELS"
TEXT = "persian=owner/repo@refs/pr/1:multilingual:fa+en, mine=/weights/my file.pt:turbo"


def settings_of(**more: str) -> Settings:
    return Settings.from_env({VARIABLE: TEXT} | {f"CHATTERBOX_{name}": value for name, value in more.items()})


def test_an_entry_names_place_family_and_languages() -> None:
    persian, mine = parse_custom_models(TEXT)
    assert (persian.place, persian.family, persian.languages) == ("owner/repo@refs/pr/1", "multilingual", ("fa", "en"))
    assert (mine.place, mine.is_on_hub, persian.is_on_hub) == ("/weights/my file.pt", False, True)
    assert ", ".join(map(str, (persian, mine))) == TEXT
    assert parse_custom_models("") == ()


def test_a_comma_may_be_part_of_a_place() -> None:
    text = "italian=owner/repo/it,en@v1:english:it+en, mine=/weights/a,b:turbo,"
    italian, mine = parse_custom_models(text)
    assert (italian.place, italian.languages) == ("owner/repo/it,en@v1", ("it", "en"))
    assert mine.place == "/weights/a,b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mine", "'mine' is not name=place:family"),
        ("mine=/weights", "is not name=place:family"),
        ("Mine=/weights:turbo", "the name 'Mine' must have"),
        ("turbo=/weights:turbo", "'turbo' has its own meaning already"),
        ("mine=weights:turbo", "neither an absolute path nor owner/repository@revision"),
        ("mine=/weights:flush", "the family of mine is 'flush'; choose multilingual"),
        ("mine=/weights:english:german", "the language 'german' of mine is not a code of two letters"),
        ("mine=owner/repo/../other:turbo", r"the place 'owner/repo/../other' of mine must not contain \.\."),
        ("a=/w:turbo, a=/v:turbo", "'a' is given twice"),
    ],
)
def test_a_mistake_in_the_setting_is_named(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        Settings.from_env({VARIABLE: text})
    assert caught.value.field == VARIABLE


def test_custom_models_are_served_after_the_others_unless_they_are_named() -> None:
    assert settings_of().models == ("multilingual", "turbo", "persian", "mine")
    assert settings_of(MODELS="mine").models == ("mine", "persian")
    with pytest.raises(InvalidRequest, match=r"'other' is not one of .*persian or mine"):
        settings_of(MODELS="other")


def test_aliases_may_stand_for_them_and_not_replace_them() -> None:
    assert settings_of(ALIASES="farsi=persian").model_aliases() == {"farsi": "persian"}
    with pytest.raises(InvalidRequest, match="persian, which is a custom model"):
        settings_of(ALIASES="persian=turbo")


def test_a_request_takes_the_familys_fields_and_the_models_own_languages() -> None:
    settings = settings_of()
    assert speech.parse({"text": "سلام", "model": "persian", "language": "fa"}, settings).language == "fa"
    assert speech.parse({"text": "Hello.", "model": "persian"}, settings).language == "en"
    assert dict(speech.parse({"text": "Hi.", "model": "mine"}, settings).sampling) == dict(
        settings.cards["turbo"].sampling
    )
    with pytest.raises(InvalidRequest, match="persian speaks fa or en, not 'de'"):
        speech.parse({"text": "Hallo.", "model": "persian", "language": "de"}, settings)
    with pytest.raises(InvalidRequest, match=r"multilingual speaks .*, not 'fa'"):
        speech.parse({"text": "سلام", "language": "fa"}, settings)


def test_a_model_that_speaks_no_english_has_its_own_language_by_default() -> None:
    settings = Settings.from_env({VARIABLE: "german=/w:english:de"})
    assert speech.parse({"text": "Hallo.", "model": "german"}, settings).language == "de"


def test_languages_that_are_not_recognised_in_a_text_are_named(tmp_path: Path) -> None:
    settings = Settings.from_env({VARIABLE: "viet=/w:multilingual:vi+fr, west=/w:multilingual:de+fr"})
    assert speech.parse({"text": "Xin chào.", "model": "viet"}, settings).language == "vi"
    assert speech.parse({"text": "Hallo.", "model": "west"}, settings).language == "auto"
    with pytest.raises(InvalidRequest, match="choose vi or fr") as caught:
        speech.parse({"text": "Xin chào.", "model": "viet", "language": "auto"}, settings)
    assert caught.value.field == "language"


def _settings(root: Path, *names: str, **more: str) -> dict[str, str]:
    return {
        "CHATTERBOX_MODELS": names[0], "CHATTERBOX_WEIGHTS_DIR": str(bases(root / "bases")),
        VARIABLE: ", ".join(entry(root, name) for name in names), "CHATTERBOX_CACHE_DIR": str(root / "cache"),
        "CHATTERBOX_VOICES_DIR": str(root / "voices"), "CHATTERBOX_DEVICE": "cpu", "CHATTERBOX_THREADS": "1",
        "CHATTERBOX_PREPARED_WEIGHTS": "off", "CHATTERBOX_PROFILE": "exact", **more,
    }  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.slow
@pytest.mark.anyio
async def test_over_http_four_makes_speak_and_are_listed(tmp_path: Path) -> None:
    settings = Settings.from_env(_settings(tmp_path, "persian", "single", "whole", "pickled"))
    app = create_app(settings, LocalBackend(settings, build))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server", timeout=60) as http:
            listed = {model["id"]: model for model in (await http.get("/v1/models")).json()["data"]}
            languages = {each["code"]: each["models"] for each in (await http.get("/languages")).json()["languages"]}
            answers = {}
            for model, language in (("persian", "fa"), ("single", "en"), ("whole", "de"), ("pickled", "en")):
                fields = {"input": "1 سلام", "model": model, "language": language, "seed": 1, "max_chunk_s": 1.0}
                answer = await http.post("/v1/audio/speech", json=fields | {"response_format": "wav"})
                assert answer.status_code == 200, answer.text
                answers[model] = answer.content
    assert list(listed) == ["persian", "single", "whole", "pickled"]
    assert listed["persian"]["languages"] == ["fa", "en"]
    assert languages == {"en": ["persian", "single", "pickled"], "de": ["whole"], "fa": ["persian"]}
    assert len(set(answers.values())) == 4


@pytest.mark.slow
def test_a_worker_speaks_with_one_and_stores_what_it_said(tmp_path: Path) -> None:
    env = _settings(tmp_path, "single", HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as queue:

        def run(**fields: Any) -> dict[str, Any]:
            output: dict[str, Any] = queue.run(fields, sync=True, timeout_s=300)["output"]
            return output

        info = run(action="info")
        first, again = (run(text="Hi.", model="single", seed=1, max_chunk_s=1.0) for _ in range(2))
    assert info["models"]["single"]["revision"].startswith("single@custom-")
    assert (first["cache_hit"], again["cache_hit"], first["model"]) == (False, True, "single")
    assert base64.b64decode(first["audio_base64"]) == base64.b64decode(again["audio_base64"])


def test_one_of_another_family_stops_the_start_by_name(tmp_path: Path) -> None:
    settings = Settings.from_env(_settings(tmp_path, "wrong"))
    with pytest.raises(NotReady, match=r"the custom model wrong \(.*\) cannot be loaded"):
        build(settings)
