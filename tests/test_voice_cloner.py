"""`VoiceCloner`: the same engine from Python, without a server."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from chatterbox_worker import VoiceCloner
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.voice_cloner import ClonedSpeech
from support.audio_clips import wav_bytes
from support.checkpoints import checkpoint, linked
from support.paths import ROOT

WORDS = "This is what is spoken there."


@pytest.fixture(scope="module")
def cloner() -> Iterator[VoiceCloner]:
    with VoiceCloner(model_path=checkpoint("csm"), device="cpu") as cloner:
        yield cloner


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voices") / "reference.wav"
    path.write_bytes(wav_bytes(1.5))
    return path


def test_a_recording_its_transcript_and_a_text_become_speech(
    cloner: VoiceCloner, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "speech.wav"
    speech = cloner.clone_voice_from_file(
        reference_audio=str(recording), reference_transcript=WORDS, target_text="Something new to speak.",
        output_path=out, seed=7, max_chunk_s=0.8,
    )  # fmt: skip

    assert out.read_bytes() == speech.audio
    assert soundfile.info(str(out)).duration == pytest.approx(speech.duration_s, abs=0.01)
    assert (speech.seed, speech.about["model"], speech.about["format"]) == (7, "csm", "wav")


def test_a_batch_returns_results_in_order_and_a_bad_job_fails_alone(cloner: VoiceCloner, recording: Path) -> None:
    job = {"reference_audio": recording, "reference_transcript": WORDS, "max_chunk_s": 0.5, "seed": 3}
    jobs = [
        {**job, "target_text": "One."},
        {**job, "target_text": "..."},
        {**job, "target_text": "One."},
        {**job, "target_text": "One.", "reference_audio": recording.parent / "nothing.wav"},
        job,
        {**job, "target_text": "Two.", "exaggeration": 1.0},
    ]
    answers = cloner.clone_batch(jobs)

    first, third = answers[0], answers[2]
    assert isinstance(first, ClonedSpeech)
    assert isinstance(third, ClonedSpeech)
    assert first.audio == third.audio
    failed = [answer for answer in answers if isinstance(answer, InvalidRequest)]
    assert [error.field for error in failed] == ["text", "reference_audio", "target_text", "exaggeration"]
    assert "nothing.wav' cannot be read: No such file" in failed[1].message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reference_transcript": None}, "reference_transcript"),
        ({"reference_transcript": " "}, "reference_transcript"),
        ({"reference_audio": "voices"}, "reference_audio"),
        ({"model": "turbo"}, "model"),
        ({"language": "es"}, "language"),
        ({"colour": "red"}, "colour"),
        ({"text": "Another."}, "text"),
        ({"max_chunk_s": 91.0}, "max_chunk_s"),
    ],
)
def test_an_invalid_field_is_rejected_by_name(
    cloner: VoiceCloner, recording: Path, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        cloner.clone_voice_from_file(**{  # type: ignore[arg-type]
            "reference_audio": recording, "reference_transcript": WORDS, "target_text": "Hello.", **change
        })  # fmt: skip

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("arguments", "error", "field"),
    [
        ({"model_path": "no/such/folder"}, InvalidRequest, "model_path"),
        ({"model": "elevenlabs"}, InvalidRequest, "CHATTERBOX_MODELS"),
        ({"gpu_memory_fraction": 1.5}, InvalidRequest, "CHATTERBOX_GPU_MEMORY_FRACTION"),
        ({"profile": "int8"}, NotReady, None),
    ],
)
def test_an_invalid_argument_is_rejected_with_the_reason(
    arguments: dict[str, object], error: type[InvalidRequest], field: str | None
) -> None:
    with pytest.raises(error) as caught:
        VoiceCloner(**{"model_path": checkpoint("csm"), "device": "cpu", **arguments})  # type: ignore[arg-type]

    assert caught.value.field == field


def test_an_empty_folder_is_reported_as_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NotReady, match="no weights for csm"):
        VoiceCloner(model_path=tmp_path)


@pytest.mark.slow
def test_it_works_with_chatterbox_too(recording: Path, tmp_path: Path) -> None:
    with VoiceCloner(model_path=linked("multilingual", tmp_path), model="multilingual", device="cpu") as cloner:
        speech = cloner.clone_voice_from_file(
            reference_audio=recording, target_text="Hola a todos.", language="es", max_chunk_s=0.8, check="off"
        )
        with pytest.raises(InvalidRequest, match="multilingual cannot use reference_transcript"):
            cloner.clone_voice_from_file(reference_audio=recording, reference_transcript=WORDS, target_text="Hola.")

    assert speech.about["model"] == "multilingual"
    assert speech.duration_s == pytest.approx(0.8, abs=0.1)
    assert any("did not stop within 20 tokens" in warning for warning in speech.about["warnings"])


@pytest.mark.slow
def test_the_example_speaks_its_arguments(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "voice_cloner.py"))
    monkeypatch.chdir(tmp_path)
    example["main"](str(checkpoint("csm")), str(recording), WORDS, "One.", "...")

    assert "'One.': 20.0 s, seed 7" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cloned-1.wav"]


def test_importing_the_package_does_not_import_a_model_stack() -> None:
    program = "import sys, chatterbox_worker; print({'torch', 'transformers', 'pydantic', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
