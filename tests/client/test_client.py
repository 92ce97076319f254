"""Both clients against the real worker on a local queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chatterbox_worker.client import (
    ConversionFields,
    JobFailed,
    NoAudio,
    RunPodServerlessClient,
    SpeechFields,
    TextError,
    TextFields,
)
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.request import ConvertBody
from chatterbox_worker.serverless.job import JobBody
from support.audio_clips import wav_bytes
from support.clients import duration_s


def test_the_usage_of_the_readme(client: RunPodServerlessClient, tmp_path: Path) -> None:
    response = client.runsync(text="Hello world", format="mp3")
    client.save_audio(response, str(tmp_path / "output.mp3"))

    run_response = client.run(text="Longer text...", seed=7)
    job_id = run_response["id"]
    final_response = client.poll_until_complete(job_id)
    client.save_audio(final_response, tmp_path / "new folder" / "output.wav")

    assert response["status"] == "COMPLETED"
    assert response["output"]["mimetype"] == "audio/mpeg"
    assert final_response.speech.seed == 7
    assert duration_s(tmp_path / "output.mp3") > 0.3
    assert duration_s(tmp_path / "new folder" / "output.wav") == pytest.approx(
        final_response.speech.duration_s, abs=0.01
    )


def test_results_are_typed_too(client: RunPodServerlessClient) -> None:
    speech = client.runsync("Hello there.", seed=7, sample_rate=16_000, cache=False).speech
    assert (speech.seed, speech.sample_rate, speech.model, speech.format) == (7, 16_000, "preview", "wav")
    assert (speech.mimetype, speech.cache_hit, speech.warnings, speech.url, speech.path) == (
        "audio/wav",
        False,
        (),
        None,
        None,
    )
    assert speech.audio is not None
    assert speech.audio[:4] == b"RIFF"


def test_the_clients_fields_are_the_workers() -> None:
    job_keys = {"webhook", "policy", "s3Config"}
    assert set(SpeechFields.__annotations__) - job_keys == set(JobBody.model_fields) - {"action", "text"}
    assert set(ConversionFields.__annotations__) - job_keys == set(ConvertBody.model_fields) - {
        "action", "audio", "audio_url"
    }  # fmt: skip


def test_a_refused_request_names_code_and_field(client: RunPodServerlessClient) -> None:
    with pytest.raises(JobFailed, match="format must be") as caught:
        client.runsync("Hello.", format="midi")
    assert (caught.value.code, caught.value.field) == ("invalid_request", "format")


def test_a_recording_is_sent_to_be_converted(client: RunPodServerlessClient) -> None:
    with pytest.raises(JobFailed, match="preview cannot convert speech") as caught:
        client.convert(wav_bytes(1.0), voice="alice", format="mp3")
    assert caught.value.field == "model"
    for sources in ((None, None), (b"RIFF", "http://example.org/a.wav")):
        with pytest.raises(ValueError, match="one of the two"):
            client.convert(sources[0], url=sources[1])


def test_several_texts_are_one_job_with_a_result_for_each(
    client: RunPodServerlessClient, queue: LocalQueue, tmp_path: Path
) -> None:
    recording = tmp_path / "voice.wav"
    recording.write_bytes(wav_bytes(6.0))
    texts: list[TextFields] = [
        {"id": "one", "text": "Number one.", "seed": 3, "voice": None},
        {"id": "two", "text": " "},
        {"id": "three", "text": "Number three.", "reference_audio": recording},  # the preview has its own voice only
        {"id": "four", "text": "Number four.", "format": "wav"},
    ]
    jobs = len(queue.jobs)

    job = client.runsync_many(texts, format="mp3", seed=4)
    later = client.poll_until_complete(client.run_many(texts[:1], format="mp3").id)

    assert len(queue.jobs) == jobs + 2
    one, two, three, four = job.results
    assert [result.id for result in job.results] == ["one", "two", "three", "four"]
    assert (one.speech.seed, one.speech.format, one.error) == (3, "mp3", None)
    assert (four.speech.seed, four.speech.format) == (4, "wav")
    assert two.error == TextError("invalid_request", "text is empty", "text")
    assert three.error is not None
    assert three.error.field == "reference_audio"
    assert duration_s(client.save_audio(one, tmp_path / "one.mp3")) > 0.2
    assert later.results[0]["cache_hit"]
    with pytest.raises(NoAudio, match="it was not spoken: text is empty"):
        client.save_audio(two, tmp_path / "two.mp3")
    with pytest.raises(NoAudio, match="no results"):
        _ = client.runsync("Hello.").results
    with pytest.raises(JobFailed, match="is taken by") as caught:
        client.runsync_many([texts[0], texts[0]])
    assert caught.value.field == "texts[1].id"


def test_the_lexicon_is_saved_listed_used_and_deleted(client: RunPodServerlessClient) -> None:
    client.lexicon.save({"Nguyen": "Nwin"})
    client.lexicon.save({"GIF": "yif"}, "es")
    assert [(entry.word, entry.language) for entry in client.lexicon.list()] == [("Nguyen", "*"), ("GIF", "es")]
    assert client.runsync("Ask Nguyen.").output["chunks"][0]["spoken"] == "Ask Nwin."
    own = client.runsync("Ask Nguyen.", pronunciations={"Nguyen": "Nuyen"})
    assert own.output["chunks"][0]["spoken"] == "Ask Nuyen."
    client.lexicon.delete("Nguyen")
    client.lexicon.delete("GIF", "es")
    with pytest.raises(JobFailed) as caught:
        client.lexicon.delete("GIF", "es")
    assert caught.value.code == "entry_not_found"


def test_voices_are_saved_listed_and_deleted(client: RunPodServerlessClient, tmp_path: Path) -> None:
    path = tmp_path / "alice.wav"
    path.write_bytes(wav_bytes(6.0))
    saved = client.voices.save("alice", path)
    assert (saved.voice, saved.duration_s) == ("alice", 6.0)
    assert client.voices.save("bob", path.read_bytes()).digest == saved.digest
    assert client.voices.save("bob", path.read_bytes(), language="es").language == "es"
    assert [(voice.id, voice.language) for voice in client.voices.list()] == [("alice", None), ("bob", "es")]
    client.voices.delete("alice")
    assert client.voices.save("carol", client.voices.export("bob")).duration_s == 6.0
    client.voices.delete("carol")
    client.voices.delete("bob")
    assert client.voices.list() == []
    with pytest.raises(JobFailed) as caught:
        client.voices.delete("alice")
    assert caught.value.code == "voice_not_found"
    with pytest.raises(ValueError, match="one of the two"):
        client.voices.save("carol")


def test_info_and_health(client: RunPodServerlessClient) -> None:
    assert client.info()["default_model"] == "preview"
    assert client.health()["workers"]["ready"] == 1


def test_an_answer_without_audio_cannot_be_saved(client: RunPodServerlessClient, tmp_path: Path) -> None:
    with pytest.raises(NoAudio, match="holds no audio"):
        client.save_audio(client.call({"action": "info"}), tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


def test_pauses_of_a_text_are_exact_over_the_queue(client: RunPodServerlessClient) -> None:
    def pcm(text: str, **fields: Any) -> npt.NDArray[np.int16]:
        audio = client.runsync(text, format="pcm", cache=False, **fields).speech.audio
        assert audio is not None
        return np.frombuffer(audio, "<i2")

    plain, paused = pcm("Hello there."), pcm("[pause:1s] Hello there. [pause:1500ms]")
    # of the plain one, up to 0.15 s of what is around the words count as pause
    assert 2.5 - 0.15 <= (len(paused) - len(plain)) / 24_000 <= 2.5
    one, two = pcm("Hello there. [pause:1s] My friend."), pcm("Hello there. [pause:3s] My friend.")
    assert len(two) - len(one) == 2 * 24_000
    spoken = client.runsync("<speak>Hello <sub alias='World'>W</sub></speak>", text_format="ssml").output["chunks"]
    assert [chunk["spoken"] for chunk in spoken] == ["Hello World"]
