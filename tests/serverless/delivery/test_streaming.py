"""A stream: the same samples as the whole, in pieces that fit, and a job's result that fits, too."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed
from chatterbox_worker.serverless.delivery import Answer, Delivery, Route, Unlogged, serialized_bytes, streaming
from chatterbox_worker.serverless.delivery.answer import NotDelivered
from chatterbox_worker.serverless.delivery.s3 import Bucket
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from chatterbox_worker.serverless.delivery.streaming import stream as stream_job
from chatterbox_worker.serverless.job import SpeechJob, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support import fakes
from support.fakes import ToneEngine, ToneTake

TEXT = "This is a sentence of a story that is told in some detail. " * 60  # 36 s at the tone's 10 ms a character


@pytest.fixture
def asked(settings: Settings) -> Any:
    def ask(**fields: Any) -> SpeechJob:
        request = parse({"text": TEXT, "seed": 5, **fields}, settings)
        assert isinstance(request, SpeechJob)
        return request

    return ask


def stream(synthesizer: Synthesizer, settings: Settings, job: SpeechJob, limit: int = 10_000_000) -> Iterator[Unlogged]:
    return stream_job(synthesizer, Delivery(settings), job, Route(limit), CancelScope())


def as_the_sdk_does(pieces: Iterator[Unlogged]) -> tuple[list[dict[str, Any]], list[Unlogged]]:
    """What was posted to the stream, and what is posted as the result afterwards."""
    posted, collected = [], []
    for piece in pieces:
        assert len(json.dumps(piece, ensure_ascii=False)) <= CHUNK_BYTES
        collected.append(piece)
        posted.append(dict(piece))
    return posted, collected


def data(chunks: list[dict[str, Any]]) -> list[bytes]:
    return [base64.b64decode(chunk["audio_base64"]) for chunk in chunks]


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 48_000])
def test_pcm_in_pieces_is_the_unstreamed_audio_to_the_bit(
    synthesizer: Synthesizer, settings: Settings, asked: Any, rate: int
) -> None:
    whole = synthesizer.speak(asked(format="pcm", sample_rate=rate, cache=False).request, CancelScope())

    (*chunks, summary), _ = as_the_sdk_does(
        stream(synthesizer, settings, asked(format="pcm", sample_rate=rate, cache=False))
    )

    assert b"".join(data(chunks)) == whole.audio
    assert len(chunks) > 2
    assert summary["size_bytes"] == len(whole.audio)
    said = whole.inline()
    del said["audio_base64"]
    measured = ("timings", "generation_time_ms", "cache_key")  # the stream's entry in the cache is a wav
    assert {k: v for k, v in summary.items() if k not in (*measured, "chunks_streamed")} == {
        k: v for k, v in said.items() if k not in measured
    }
    assert summary["chunks_streamed"] == len(chunks)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"pcm", "mp3"}))
def test_each_chunk_is_a_file_of_its_own(synthesizer: Synthesizer, settings: Settings, asked: Any, name: str) -> None:
    (*chunks, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked(format=name)))

    for chunk, file in zip(chunks, data(chunks), strict=True):
        assert _seconds(file, name) == pytest.approx(chunk["duration_s"], abs=0.1)
    assert (summary["format"], summary["mimetype"]) == (name, FORMATS[name].mimetype)
    assert sum(chunk["duration_s"] for chunk in chunks) == pytest.approx(summary["duration_s"], abs=0.01)


def test_mp3_in_pieces_is_one_file(synthesizer: Synthesizer, settings: Settings, asked: Any) -> None:
    (*chunks, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked(format="mp3")))

    assert _seconds(b"".join(data(chunks)), "mp3") == pytest.approx(summary["duration_s"], abs=0.15)
    assert summary["size_bytes"] == sum(map(len, data(chunks)))


def _seconds(file: bytes, name: str) -> float:
    if name == "aac":
        import av

        with av.open(io.BytesIO(file)) as container:
            return float(sum(frame.samples for frame in container.decode(audio=0)) / 24_000)
    return float(soundfile.info(io.BytesIO(file)).duration)


@pytest.mark.parametrize("name", ["wav", "opus", pytest.param("mp3", marks=pytest.mark.slow)])
def test_a_hit_is_streamed_like_a_miss(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine, asked: Any, name: str
) -> None:
    (*first, said), _ = as_the_sdk_does(stream(synthesizer, settings, asked(format=name)))
    takes = len(engine.takes)
    (*second, again), _ = as_the_sdk_does(stream(synthesizer, settings, asked(format=name)))

    assert len(engine.takes) == takes
    assert (said["cache_hit"], again["cache_hit"]) == (False, True)
    assert (again["duration_s"], again["chunks"], again["seed"]) == (said["duration_s"], said["chunks"], said["seed"])
    if name == "wav":  # the others may be cut elsewhere
        assert b"".join(file[44:] for file in data(first)) == b"".join(file[44:] for file in data(second))


def test_a_finished_stream_serves_the_same_wav_request_without_a_stream(
    synthesizer: Synthesizer, settings: Settings, asked: Any
) -> None:
    (*chunks, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked()))
    whole = synthesizer.speak(asked().request, CancelScope())

    (*_, uncached), _ = as_the_sdk_does(stream(synthesizer, settings, asked(cache=False)))

    assert whole.hit
    assert whole.key == summary["cache_key"]
    assert whole.audio[44:] == b"".join(file[44:] for file in data(chunks))
    assert not uncached["cache_hit"]


def test_the_first_chunk_comes_before_the_last_is_spoken(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine, asked: Any
) -> None:
    pieces = stream(synthesizer, settings, asked(text=TEXT + "Explode."))

    assert next(pieces)["index"] == 0
    with pytest.raises(SynthesisFailed):
        list(pieces)
    assert all(take.cancelled.is_set() for take in engine.takes)


def test_a_bad_request_fails_before_the_first_chunk(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine, asked: Any
) -> None:
    with pytest.raises(InvalidRequest):
        next(stream(synthesizer, settings, asked(split_text=False)))
    assert not engine.takes


@pytest.mark.parametrize("rate", [8000, 24_000])
def test_words_come_with_the_chunk_in_which_they_begin(
    synthesizer: Synthesizer, settings: Settings, asked: Any, rate: int
) -> None:
    job = asked(timestamps="word", sample_rate=rate, format="pcm")
    plain, _ = as_the_sdk_does(stream(synthesizer, settings, asked(sample_rate=rate, format="pcm", cache=False)))
    (*chunks, summary), collected = as_the_sdk_does(stream(synthesizer, settings, job))
    (*again, _), _ = as_the_sdk_does(stream(synthesizer, settings, job))

    assert not any("words" in item for item in plain)
    assert len(chunks) > 2
    assert [word for chunk in chunks for word in chunk["words"]] == summary["words"]
    for chunk in (*chunks, *again):  # a hit knows every word from the start
        ends_s = chunk["start_s"] + chunk["duration_s"]
        assert all(chunk["start_s"] <= word["start_s"] < ends_s for word in chunk["words"])
    assert len(summary["words"]) == len(TEXT.split())
    assert collected[0]["words"] == chunks[0]["words"]


def test_words_that_do_not_fit_into_a_chunk_are_in_a_later_one(
    synthesizer: Synthesizer, settings: Settings, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "SECONDS_PER_CHARACTER", 0.003)  # as no one speaks: 100 words in a second
    monkeypatch.setattr(streaming, "CHUNK_BYTES", 490_000)  # little more than the audio of seven seconds
    job = asked(text="𐐀𐐁 𐐂. " * 1200, timestamps="word", language="en")
    as_the_sdk_does(stream(synthesizer, settings, job))
    (*chunks, summary), collected = as_the_sdk_does(stream(synthesizer, settings, job, 1_500_000))

    sent = [word for chunk in chunks for word in chunk["words"]]
    assert len(chunks) > 2
    assert sent == summary["words"]
    assert all(chunk["words"][0]["start_s"] < chunk["start_s"] for chunk in chunks[1:])
    assert "words" not in collected[0]  # a result that is too large has neither its audio nor its words


def test_a_result_that_fits_keeps_the_audio(synthesizer: Synthesizer, settings: Settings, asked: Any) -> None:
    posted, collected = as_the_sdk_does(stream(synthesizer, settings, asked()))

    assert collected == posted


@pytest.mark.parametrize("limit", [1_000_000, 2_000_000])
def test_a_result_too_large_loses_the_audio_and_says_where_the_whole_is(
    synthesizer: Synthesizer, settings: Settings, asked: Any, tmp_path: Path, limit: int
) -> None:
    settings = replace(settings, outputs_dir=tmp_path / "outputs")
    posted, collected = as_the_sdk_does(stream(synthesizer, settings, asked(), limit))

    assert all("audio_base64" in chunk for chunk in posted[:-1])
    assert not any("audio_base64" in chunk for chunk in collected)
    assert serialized_bytes({"output": collected}) < limit
    file = Path(posted[-1]["audio_path"]).read_bytes()
    assert file[44:] == b"".join(part[44:] for part in data(posted[:-1]))
    assert posted[-1]["warnings"] == []


def test_a_bucket_that_fails_is_a_warning_of_the_summary(
    synthesizer: Synthesizer, settings: Settings, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise NotDelivered("the bucket answered AccessDenied")

    monkeypatch.setattr(Bucket, "put", fail)
    monkeypatch.setattr(ToneTake, "warnings", ("of the engine",))
    settings = replace(
        settings, outputs_dir=tmp_path / "outputs", bucket_endpoint_url="http://127.0.0.1:9", bucket_name="b",
        bucket_access_key_id="i", bucket_secret_access_key="s",
    )  # fmt: skip
    (*_, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked(), 1_000_000))

    assert Path(summary["audio_path"]).is_file()
    assert summary["warnings"] == ["of the engine", "the bucket answered AccessDenied"]


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [({}, "the list of chunks is"), ({"timestamps": "word"}, "the lists of chunks and words are")],
)
def test_lists_that_a_piece_of_a_stream_cannot_hold_are_left_out(
    synthesizer: Synthesizer, settings: Settings, asked: Any, monkeypatch: pytest.MonkeyPatch,
    *, fields: dict[str, Any], left_out: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(streaming, "CHUNK_BYTES", 1000)
    (*_, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked(**fields)))

    assert not {"chunks", "words"} & set(summary)
    assert summary["warnings"] == [f"{left_out} left out: too long to be streamed"]


def test_a_result_too_large_for_anywhere_says_so(synthesizer: Synthesizer, settings: Settings, asked: Any) -> None:
    posted, collected = as_the_sdk_does(stream(synthesizer, settings, asked(), 1_000_000))

    assert not any("audio_base64" in chunk for chunk in collected)
    assert posted[-1]["warnings"] == ["the whole is too large for the job's result: it is in the stream only"]


@pytest.mark.parametrize("has_volume", [False, True])
def test_a_refused_result_loses_its_audio_and_says_where_the_whole_is(
    synthesizer: Synthesizer, settings: Settings, asked: Any, tmp_path: Path, has_volume: bool
) -> None:
    settings = replace(settings, outputs_dir=tmp_path / "outputs") if has_volume else settings
    posted, collected = as_the_sdk_does(stream(synthesizer, settings, asked()))
    last = collected[-1]
    assert isinstance(last, Answer)

    again = last.shrink(100_000)

    assert serialized_bytes({"output": again}) < 100_000
    assert [item.get("index") for item in again] == [item.get("index") for item in posted]
    assert not any("audio_base64" in item for item in again)
    assert ("audio_path" in again[-1]) is has_volume
    assert len(again[-1]["warnings"]) == int(not has_volume)


def test_speech_of_one_letter_is_one_chunk(synthesizer: Synthesizer, settings: Settings, asked: Any) -> None:
    (chunk, summary), _ = as_the_sdk_does(stream(synthesizer, settings, asked(text="A.", sample_rate=48_000)))

    assert (chunk["index"], chunk["start_s"]) == (0, 0.0)
    assert chunk["duration_s"] == pytest.approx(summary["duration_s"], abs=1e-3)


def test_what_is_yielded_does_not_show_itself_in_a_log() -> None:
    assert "hidden" not in f"{ {'output': Unlogged(audio_base64='hidden')} }"
    assert json.loads(json.dumps(Unlogged(a=1))) == {"a": 1}
    assert np.isfinite(serialized_bytes(Unlogged(a=1)))
