"""Actions on the library of voices: saved, listed, exported and deleted, with a network volume and without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.delivery import volume
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.audio_clips import wav_base64
from support.fakes import ToneEngine
from support.worker_jobs import ask


def test_voices_are_saved_listed_spoken_with_and_deleted(worker: Worker, engine: ToneEngine) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    listed = ask(worker, {"action": "voices.list"})
    spoken = ask(worker, {"text": "Hello there.", "voice": "alice"})
    deleted = ask(worker, {"action": "voices.delete", "voice": "alice"})
    gone = ask(worker, {"text": "Hello there.", "voice": "alice"})

    assert saved["duration_s"] == 6.0
    assert [voice["id"] for voice in listed["voices"]] == ["alice"]
    assert spoken["voice"] == "alice"
    assert engine.takes[-1].utterance.voice.digest == saved["digest"]
    assert deleted == {"voice": "alice", "deleted": True}
    assert gone["code"] == "voice_not_found"


def test_a_voice_with_a_language_decides_the_guidance_of_other_languages(worker: Worker, engine: ToneEngine) -> None:
    about = {"voice": "alice", "reference_audio": wav_base64(), "language": "en-GB"}
    saved = ask(worker, {"action": "voices.save", **about})
    spoken = ask(worker, {"text": "Hola.", "language": "es", "voice": "alice"})
    own = ask(worker, {"text": "Hola.", "language": "es", "voice": "alice", "cfg_weight": 0.5})
    file = ask(worker, {"action": "voices.export", "voice": "alice"})["reference_audio"]
    ask(worker, {"action": "voices.save", "voice": "bob", "reference_audio": file})
    listed = ask(worker, {"action": "voices.list"})["voices"]

    assert saved["language"] == "en"
    assert {voice["id"]: voice["language"] for voice in listed} == {"alice": "en", "bob": "en"}
    assert [take.utterance.sampling["cfg_weight"] for take in engine.takes] == [0.0, 0.5]
    assert spoken["warnings"][0].startswith("voice 'alice' is in en and the text in es: cfg_weight is 0 there")
    assert own["warnings"] == []


def test_a_saved_name_gets_an_id_and_errors_name_the_field_that_was_used(worker: Worker) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "李雷", "reference_audio": wav_base64(4.0)})
    listed = ask(worker, {"action": "voices.list"})["voices"]
    short = {name: ask(worker, {"text": "Hello.", "model": "turbo", name: value})
             for name, value in (("voice", saved["voice"]), ("reference_audio", wav_base64(4.0)))}  # fmt: skip
    path = ask(worker, {"action": "voices.save", "voice": "../a", "reference_audio": wav_base64()})

    assert (saved["voice"], saved["name"]) == ("voice-3a47328a", "李雷")
    assert any("turbo or nano" in warning for warning in saved["warnings"])
    assert [(entry["id"], entry["name"]) for entry in listed] == [("voice-3a47328a", "李雷")]
    assert {name: answer["field"] for name, answer in short.items()} == {name: name for name in short}
    assert (path["code"], path["field"]) == ("invalid_request", "voice")


def test_a_voice_leaves_as_a_file_that_can_come_back(worker: Worker) -> None:
    ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    out = ask(worker, {"action": "voices.export", "voice": "alice"})
    back = ask(worker, {"action": "voices.save", "voice": "bob", "reference_audio": out["reference_audio"]})
    again = ask(worker, {"action": "voices.export", "voice": "bob"})

    assert out["voice"] == "alice"
    assert back["duration_s"] == 6.0
    assert again["digest"] == back["digest"]
    assert again["reference_audio"] == out["reference_audio"]


def test_a_voice_that_does_not_fit_an_answer_says_where_it_is(settings: Settings, synthesizer: Synthesizer) -> None:
    worker = Worker(replace(settings, payload_limit_bytes=100_000), synthesizer)
    ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    answer = ask(worker, {"action": "voices.export", "voice": "alice"})

    assert answer["code"] == "answer_too_large"
    assert "copy its file from the volume" in answer["error"]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_voice_that_would_be_lost_is_refused_or_saved_with_a_warning(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_disk: bool
) -> None:
    monkeypatch.setattr(volume, "VOLUME", tmp_path)  # a folder, as in an image without a network volume
    worker = Worker(replace(settings, voices_on_disk=on_disk), synthesizer)

    answer = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    listed = ask(worker, {"action": "voices.list"})["voices"]

    if on_disk:
        assert answer["warnings"][-1] == "no network volume is attached, so voice 'alice' is lost when this worker ends"
    else:
        assert answer["code"] == "volume_failed"
        assert "CHATTERBOX_VOICES_ON_DISK=1" in answer["error"]
    assert len(listed) == int(on_disk)


def test_a_voice_on_a_volume_is_saved_without_a_warning(worker: Worker) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})

    assert not any("volume" in warning for warning in saved["warnings"])


@pytest.mark.parametrize("variant", ["URL-safe", "unpadded", "URL-safe and unpadded", "in lines", "a data URI"])
def test_every_usual_form_of_base64_is_the_same_voice(worker: Worker, variant: str) -> None:
    standard = wav_base64()
    assert "+" in standard
    assert "/" in standard
    url_safe = standard.replace("+", "-").replace("/", "_")
    sent = {
        "URL-safe": url_safe,
        "unpadded": standard.rstrip("="),
        "URL-safe and unpadded": url_safe.rstrip("="),
        "in lines": "\r\n".join(standard[start : start + 76] for start in range(0, len(standard), 76)),
        "a data URI": f"data:audio/wav;base64,{url_safe}",
    }[variant]

    expected = ask(worker, {"action": "voices.save", "voice": "a", "reference_audio": standard})["digest"]
    assert ask(worker, {"action": "voices.save", "voice": "b", "reference_audio": sent})["digest"] == expected
