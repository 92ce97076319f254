"""Other names of voices and models, which the operator writes down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker import request, wiring
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import actions
from chatterbox_worker.serverless.actions import act
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.information import JobCounts
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes


@pytest.mark.parametrize(
    ("text", "voices", "models"),
    [
        ("alloy=default, tts-1=multilingual, gpt-4o-mini-tts=turbo", {"alloy": "default"},
         {"tts-1": "multilingual", "gpt-4o-mini-tts": "turbo"}),
        ("lucy = alice  TTS-1 = Turbo", {"lucy": "alice"}, {"tts-1": "turbo"}),
        ("openai/tts-1=turbo", {}, {"openai/tts-1": "turbo"}),
    ],
)  # fmt: skip
def test_aliases_are_read(text: str, voices: dict[str, str], models: dict[str, str]) -> None:
    settings = Settings.from_env({"CHATTERBOX_ALIASES": text})

    assert settings.voice_aliases() == voices
    assert settings.model_aliases() == models


def test_openais_names_are_one_entry_that_others_change() -> None:
    settings = Settings.from_env({"CHATTERBOX_ALIASES": "openai, nova=alice, tts-1-hd=multilingual",
                                  "CHATTERBOX_MODELS": "turbo,multilingual"})  # fmt: skip

    assert settings.voice_aliases()["alloy"] == "default"
    assert settings.voice_aliases()["nova"] == "alice"
    assert settings.model_aliases() == {"tts-1": "turbo", "tts-1-hd": "multilingual", "gpt-4o-mini-tts": "turbo"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alloy", "neither name=target nor openai"),
        ("alloy=", "neither name=target nor openai"),
        ("a b=c", "neither name=target nor openai"),
        ("../x=default", "neither name=target nor openai"),
        ("turbo=default", "its own meaning"),
        ("default=alice", "its own meaning"),
        ("a/b=alice", "a/b=alice, but a voice's name has only letters"),
        ("tts-1=nano", "serves multilingual or turbo"),
    ],
)
def test_an_alias_that_cannot_be_is_an_error_at_the_start(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Settings.from_env({"CHATTERBOX_ALIASES": text})

    assert refused.value.field == "CHATTERBOX_ALIASES"
    assert message in refused.value.message


def test_an_alias_of_a_voice_that_does_not_exist_is_an_error_at_the_start(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    settings = Settings(aliases=("lucy=alice",), voices_dir=tmp_path)
    with pytest.raises(InvalidRequest) as refused:
        wiring.check_aliases(settings, library)
    with pytest.raises(InvalidRequest):
        wiring.build(replace(settings, models=("preview",)))
    library.save("alice", wav_bytes(), field="file")

    wiring.check_aliases(settings, library)
    assert "lucy=alice" in refused.value.message
    assert "multilingual, turbo or default" in refused.value.message


def test_without_aliases_no_name_has_another_meaning() -> None:
    with pytest.raises(InvalidRequest, match="model 'tts-1' is unknown; this worker serves multilingual or turbo"):
        request.parse({"text": "x", "model": "tts-1"}, Settings())

    spoken = request.parse({"text": "x", "voice": "alloy"}, Settings())
    assert isinstance(spoken, request.SpeechRequest)
    assert spoken.voice == "alloy"


def test_an_alias_is_the_same_request(settings: Settings, synthesizer: Synthesizer) -> None:
    chosen = replace(settings, aliases=("openai",))
    fields: dict[str, Any] = {"text": "Hello.", "seed": 1}
    named = request.parse(fields | {"voice": "alloy", "model": "TTS-1"}, chosen)
    plain = request.parse(fields, chosen)
    assert isinstance(named, request.SpeechRequest)
    assert isinstance(plain, request.SpeechRequest)

    first = synthesizer.speak(plain, CancelScope())
    second = synthesizer.speak(named, CancelScope())

    assert second.hit
    assert (second.info.voice, second.info.model, second.key) == ("default", "multilingual", first.key)


@pytest.mark.parametrize("name", ["alloy", "álloy"])
def test_a_voice_cannot_be_saved_under_an_alias(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path, name: str
) -> None:
    chosen = replace(settings, aliases=("openai",))
    body = {"action": "voices.save", "voice": name, "voice_url": "https://example.org/a.wav"}
    save = request.parse(body, chosen)
    assert isinstance(save, actions.SaveVoiceRequest)

    with pytest.raises(InvalidRequest, match="'alloy' is another name of 'default' here") as refused:
        act(save, chosen, synthesizer, JobCounts(), Volume(tmp_path, max_age_s=60), most_bytes=1_000_000)

    assert refused.value.field == "voice"


def test_an_alias_exports_its_voice_and_does_not_delete_it(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    synthesizer.library.save("alice", wav_bytes(), field="file")
    chosen = replace(settings, aliases=("lucy=alice",))

    def answer(action: str, voice: str) -> dict[str, Any]:
        asked: Any = request.parse({"action": action, "voice": voice}, chosen)
        return act(asked, chosen, synthesizer, JobCounts(), Volume(tmp_path, max_age_s=60), most_bytes=1_000_000)

    with pytest.raises(InvalidRequest, match="'lucy' is another name of 'alice' here") as refused:
        answer("voices.delete", "lucy")
    assert refused.value.field == "voice"
    assert answer("voices.export", "lucy") == answer("voices.export", "alice")
    assert answer("voices.delete", "alice") == {"voice": "alice", "deleted": True}
