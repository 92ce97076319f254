"""A recording of a reader, converted over the queue, HTTP and the command line on tiny random weights; and memory."""

from __future__ import annotations

import asyncio
import base64
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile

from chatterbox_worker import convert, wiring
from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Passage
from chatterbox_worker.request import ConversionRequest, parse
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.checkpoints import linked
from support.fakes import ConvertedTake, ToneEngine
from support.recordings import buzz, real_speech

MODEL = "nano"


@pytest.fixture(scope="module")
def recording() -> bytes:
    return encode(real_speech("1688", 8.13), "flac", 16_000)


@pytest.fixture(scope="module")
def reference() -> bytes:
    return encode(real_speech("2033", 7.0), "flac", 16_000)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Synthesizer]]:
    folder = tmp_path_factory.mktemp("tiny")
    settings = Settings(
        models=(MODEL,), weights_dir=linked(MODEL, folder / "weights"), device="cpu", cache_dir=folder / "cache",
        voices_dir=folder / "voices", lexicon=folder / "lexicon.json",
    )  # fmt: skip
    synthesizer = wiring.build(settings)
    yield settings, synthesizer
    synthesizer.close()


@pytest.mark.slow
def test_a_readers_recording_is_converted_the_same_on_every_edge(
    tiny: tuple[Settings, Synthesizer],
    recording: bytes,
    reference: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, synthesizer = tiny
    synthesizer.library.save("reader", reference, field="file")
    audio = base64.b64encode(recording).decode()
    fields = {"voice": "reader", "seed": 5, "cache": False}

    job = {"id": "1", "input": {"action": "convert", "audio": audio, **fields}}
    answer = asyncio.run(Worker(settings, synthesizer)(job))
    by_queue = base64.b64decode(answer["audio_base64"])

    async def over_http() -> httpx2.Response:
        app = create_app(settings, LocalBackend(settings, lambda _: synthesizer))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server") as client:
            form = {"voice": "reader", "seed": "5", "cache": "false"}
            return await client.post("/voice-conversion", files={"audio": recording}, data=form)

    by_http = asyncio.run(over_http())

    source, out = tmp_path / "in.flac", tmp_path / "out.wav"
    source.write_bytes(recording)
    for name, value in {
        "CHATTERBOX_MODELS": MODEL, "CHATTERBOX_WEIGHTS_DIR": str(settings.weights_dir), "CHATTERBOX_DEVICE": "cpu",
        "CHATTERBOX_VOICES_DIR": str(settings.voices_dir), "CHATTERBOX_CACHE_DIR": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert convert.main([str(source), "--voice", "reader", "-o", str(out), "--seed", "5"]) == 0

    assert by_http.status_code == 200, by_http.text
    assert soundfile.info(io.BytesIO(by_queue)).duration == pytest.approx(8.13, abs=0.001)
    assert by_http.content == by_queue
    assert out.read_bytes() == by_queue
    assert (answer["voice"], answer["warnings"]) == ("reader", [])
    converted = decode(by_queue, field="answer", max_s=60)
    assert wiring.watermark_detector(settings)(converted) > 0.5


@pytest.fixture
def a_folder_with_a_letter(
    tmp_path: Path, settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.wav").write_bytes(b"Dear Sir")
    monkeypatch.setenv("CHATTERBOX_MODELS", "multilingual")
    monkeypatch.setenv("CHATTERBOX_VOICES_DIR", str(settings.voices_dir))
    monkeypatch.setattr(wiring, "build", lambda _: synthesizer)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.wav", "-o", "out.wav"], "missing.wav"),
        (["text.wav", "-o", "out.wav"], "audio is not audio that can be read"),
        (["text.wav", "-o", "out.doc"], "no audio format's name"),
        (["text.wav", "-o", "out.wav", "--voice", "nobody"], "voice"),
    ],
)
@pytest.mark.usefixtures("a_folder_with_a_letter")
def test_the_command_line_says_what_is_wrong(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert.main(arguments) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not Path("out.wav").exists()


class _Quick(ToneEngine):
    """Keeps nothing."""

    def convert(self, passage: Passage) -> ConvertedTake:
        return ConvertedTake(passage)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(settings: Settings, synthesizer: Synthesizer) -> None:
    synthesizer.engines = {"multilingual": _Quick()}

    def peak_of(minutes: int) -> tuple[int, int]:
        """Bytes at most, without the recording; and those of the answer."""
        minute: Samples = np.round(buzz(60.0, 16_000).samples * 32_767).astype(np.int16)
        file = io.BytesIO()
        soundfile.write(file, np.tile(minute, minutes), 16_000, format="FLAC")
        parsed = parse({"action": "convert", "audio": "AAAA", "cache": False}, settings)
        assert isinstance(parsed, ConversionRequest)
        request = replace(parsed, audio=file.getvalue())
        del file
        tracemalloc.start()
        recording = synthesizer.speak(request, CancelScope())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert recording.info.duration_s == pytest.approx(60 * minutes, abs=0.01)
        return peak, len(recording.audio)

    (short, small), (long, large) = peak_of(2), peak_of(10)
    assert long - short < 1.5 * (large - small)  # 35 MB; eight minutes of samples would add 31 to the answer's 23
