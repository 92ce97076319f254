"""Which way an answer goes: by size, by wish, by what there is; and that a way that fails loses nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import httpx
import numpy as np
import pytest
import soundfile

from chatterbox_worker.answer import Recording, SpeechInfo
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import AnswerTooLarge, InvalidRequest
from chatterbox_worker.serverless.delivery import Delivery, Route, choose, serialized_bytes
from chatterbox_worker.serverless.delivery.answer import NotDelivered
from chatterbox_worker.serverless.delivery.s3 import Bucket
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.job import SpeechJob, parse
from support.buckets import KEYS, client, running_bucket

RATE = 24_000
HOST = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture(scope="module")
def s3_config() -> Iterator[dict[str, str]]:
    with running_bucket() as config:
        yield config


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A limit of 100 kB, no bucket, no volume."""
    return Settings(
        payload_limit_bytes=100_000, runsync_limit_bytes=200_000, outputs_dir=tmp_path / "none" / "outputs",
        allow_private_urls=True,
    )  # fmt: skip


def with_volume(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, outputs_dir=tmp_path / "outputs")


def with_bucket(settings: Settings, config: dict[str, str]) -> Settings:
    return replace(
        settings,
        bucket_endpoint_url=config["endpointUrl"],
        bucket_name=config["bucketName"],
        bucket_access_key_id=config["accessId"],
        bucket_secret_access_key=config["accessSecret"],
    )


def recording(seconds: float = 3.0) -> Recording:
    """Noise, 144 kB in three seconds: 192 kB in base64. Opus makes 15 kB of it, flac little less than it was."""
    noise = (0.1 * np.random.default_rng(7).standard_normal(round(seconds * RATE))).astype(np.float32)
    info = SpeechInfo(
        mimetype="audio/wav", format="wav", sample_rate=RATE, duration_s=seconds, seed=7, model="multilingual",
        language="en", voice="default", device="cpu", chunks=(),
    )  # fmt: skip
    return Recording(encode(Audio(noise, RATE), "wav", RATE), info, "k" * 64, hit=False, timings={"total_s": 1.0})


def asked(**fields: Any) -> SpeechJob:
    request = parse({"text": "Hello.", **fields}, Settings())
    assert isinstance(request, SpeechJob)
    return request


def deliver(
    settings: Settings, job: dict[str, Any] | None = None, seconds: float = 3.0, **fields: Any
) -> dict[str, Any]:
    delivery = Delivery(settings)
    route = delivery.route({"id": "1-u1", **(job or {})})
    request = asked(**fields)
    delivery.check(request, route)
    answer = delivery.deliver(recording(seconds), request, route)
    assert serialized_bytes(answer) <= route.limit_bytes
    return answer


def test_what_fits_goes_inline_even_where_there_is_a_bucket(settings: Settings, s3_config: dict[str, str]) -> None:
    answer = deliver(with_bucket(settings, s3_config), seconds=1.0)

    assert base64.b64decode(answer["audio_base64"]) == recording(1.0).audio
    assert answer["warnings"] == []


def test_a_job_of_runsync_has_the_larger_limit(settings: Settings) -> None:
    assert "audio_base64" in deliver(settings, {"id": "sync-1-u1"})
    with pytest.raises(AnswerTooLarge):
        deliver(settings)


def test_the_jobs_own_bucket_comes_before_the_workers(settings: Settings, s3_config: dict[str, str]) -> None:
    client(s3_config["endpointUrl"]).create_bucket(Bucket="own")

    answer = deliver(with_bucket(settings, s3_config), {"s3Config": {**s3_config, "bucketName": "own"}})

    assert "/own/chatterbox/" in answer["audio_url"]
    got = httpx.get(answer["audio_url"], timeout=60)
    assert (got.content, got.headers["Content-Type"]) == (recording().audio, "audio/wav")
    assert "X-Amz-Expires=604800" in answer["audio_url"]
    assert answer["expires_s"] == 604_800
    assert not {"audio_base64", "audio_path"} & set(answer)


def test_two_uploads_have_names_that_have_nothing_in_common(settings: Settings, s3_config: dict[str, str]) -> None:
    urls = [deliver(with_bucket(settings, s3_config), output="s3", seconds=0.1)["audio_url"] for _ in range(2)]

    names = [url.partition("?")[0].rpartition("/")[2] for url in urls]
    assert names[0] != names[1]
    assert all(len(name) == 32 + len(".wav") for name in names)


def test_an_endpoint_that_names_its_bucket_needs_no_bucket_name(settings: Settings, s3_config: dict[str, str]) -> None:
    named = replace(
        with_bucket(settings, s3_config), bucket_name=None,
        bucket_endpoint_url=f"{s3_config['endpointUrl']}/{s3_config['bucketName']}",
    )  # fmt: skip
    assert httpx.get(deliver(named)["audio_url"], timeout=60).content == recording().audio


def test_without_a_bucket_a_large_answer_goes_over_the_volume(settings: Settings, tmp_path: Path) -> None:
    answer = deliver(with_volume(settings, tmp_path))

    path = Path(answer["audio_path"])
    assert path.read_bytes() == recording().audio
    assert (path.parent, path.suffix, answer["expires_s"]) == (tmp_path / "outputs", ".wav", 7 * 86_400)


@pytest.mark.parametrize(("rate", "chosen"), [(24_000, "opus"), (22_050, "mp3")])
def test_auto_takes_a_smaller_format_that_has_the_rate_where_nothing_else_holds_the_wav(
    settings: Settings, rate: int, chosen: str
) -> None:
    delivery = Delivery(settings)
    made = recording()
    made = replace(made, info=replace(made.info, sample_rate=rate))

    answer = delivery.deliver(made, asked(format="auto", sample_rate=rate), Route(100_000))

    assert answer["format"] == chosen
    data = base64.b64decode(answer["audio_base64"])
    assert len(data) == answer["size_bytes"]
    assert data[:4] == b"OggS" or data[0] == 0xFF


def test_auto_stays_lossless_where_that_is_enough(settings: Settings) -> None:
    quiet = recording()
    silence = replace(quiet, audio=encode(Audio(np.full(RATE * 3, 0.1, np.float32), RATE), "wav", RATE))

    answer = Delivery(settings).deliver(silence, asked(format="auto"), Route(100_000))

    assert answer["format"] == "flac"
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(answer["audio_base64"])), dtype="int16")
    assert samples.tobytes() == silence.audio[44:]


def test_auto_is_smaller_before_it_goes_over_the_volume(settings: Settings, tmp_path: Path) -> None:
    answer = deliver(with_volume(settings, tmp_path), format="auto")

    assert answer["format"] == "opus"
    assert answer["warnings"] == []


@pytest.mark.parametrize(("asked_for", "chosen"), [("wav", "opus"), ("flac", "opus"), ("pcm", "opus")])
def test_the_public_shape_always_gets_a_url(settings: Settings, tmp_path: Path, asked_for: str, chosen: str) -> None:
    job = parse({"prompt": "Hello.", "format": asked_for}, Settings())
    assert isinstance(job, SpeechJob)
    made = recording()
    audio = encode(decode(made.audio, field="audio", max_s=10.0), asked_for, RATE)
    made = replace(made, audio=audio, info=replace(made.info, format=asked_for, warnings=("its own",)))

    answer = Delivery(with_volume(settings, tmp_path)).deliver(made, job, Route(100_000))

    assert answer["audio_url"].startswith("data:audio/ogg; codecs=opus;base64,")
    assert answer["format"] == chosen
    assert answer["warnings"] == ["its own", f"{asked_for} is too large for the answer: delivered as {chosen}"]
    data = base64.b64decode(answer["audio_url"].partition(",")[2])
    assert soundfile.info(io.BytesIO(data)).duration == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("asked_for", ["mp3", "opus"])
def test_the_public_shape_in_a_small_format_has_only_the_volume_left(
    settings: Settings, tmp_path: Path, asked_for: str
) -> None:
    job = parse({"prompt": "Hello.", "format": asked_for}, Settings())
    assert isinstance(job, SpeechJob)

    answer = Delivery(with_volume(settings, tmp_path)).deliver(recording(), job, Route(100_000))

    assert "audio_path" in answer


def test_the_public_shape_prefers_a_bucket_to_another_format(settings: Settings, s3_config: dict[str, str]) -> None:
    job = parse({"prompt": "Hello."}, Settings())
    assert isinstance(job, SpeechJob)

    answer = Delivery(with_bucket(settings, s3_config)).deliver(recording(), job, Route(100_000))

    assert (answer["audio_url"][:4], answer["format"]) == ("http", "wav")


@pytest.mark.parametrize("fields", [{}, {"format": "auto"}, {"format": "auto", "output": "inline"}])
def test_a_refused_answer_is_delivered_another_way(settings: Settings, tmp_path: Path, fields: dict[str, Any]) -> None:
    """What posts results asks for fewer bytes than the limit that we know."""
    answer = Delivery(with_volume(settings, tmp_path)).answer(recording(), asked(**fields), Route(10_000_000))
    assert "audio_base64" in answer

    again = answer.shrink(100_000)

    assert serialized_bytes(again) <= 100_000
    assert ("audio_path" in again) is (not fields)


def test_a_refused_answer_without_another_way_is_an_error(settings: Settings) -> None:
    answer = Delivery(settings).answer(recording(), asked(), Route(10_000_000))

    with pytest.raises(AnswerTooLarge):
        answer.shrink(100_000)


def test_auto_is_wav_where_the_wav_fits(settings: Settings) -> None:
    assert deliver(settings, seconds=1.0, format="auto")["format"] == "wav"


def test_nowhere_to_go_is_an_error_with_the_size_and_the_ways_out(settings: Settings) -> None:
    with pytest.raises(AnswerTooLarge, match=r"has 0\.2 MB and at most 0\.1 MB can go back: .*mp3.*s3Config.*volume"):
        deliver(settings)


def test_inline_is_kept_to_where_it_was_asked_for(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(AnswerTooLarge):
        deliver(with_volume(settings, tmp_path), output="inline")
    assert deliver(with_volume(settings, tmp_path), output="inline", format="auto")["format"] == "opus"


@pytest.mark.parametrize(
    ("fields", "tried"),
    [
        ({"format": "auto"}, ["wav", "own", "workers", "flac", "opus", "mp3", "volume"]),
        ({"prompt": "Hello."}, ["wav", "own", "workers", "flac", "opus", "mp3", "volume"]),
        ({"output": "inline", "format": "auto"}, ["wav", "flac", "opus", "mp3"]),
        ({"output": "s3", "format": "auto"}, ["own", "workers", "wav", "flac", "opus", "mp3", "volume"]),
        ({"output": "volume", "format": "auto"}, ["volume", "wav", "own", "workers", "flac", "opus", "mp3"]),
        ({"output": "auto"}, ["wav", "own", "workers", "volume"]),
    ],
)
def test_methods_are_tried_in_the_documented_order(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], tried: list[str]
) -> None:
    seen: list[str] = []

    def fail(place: Bucket | Volume, *_: Any, **__: Any) -> NoReturn:
        seen.append(place.name if isinstance(place, Bucket) else "volume")
        raise NotDelivered("no")

    def measure(recording: Recording) -> int:
        seen.append(recording.info.format)
        return 10**9

    monkeypatch.setattr(Bucket, "put", fail)
    monkeypatch.setattr(Volume, "put", fail)
    monkeypatch.setattr(choose, "inline_bytes", measure)
    config = {"endpointUrl": HOST, "bucketName": "workers", **KEYS}
    delivery = Delivery(with_volume(with_bucket(settings, config), tmp_path))
    route = delivery.route({"id": "1-u1", "s3Config": config | {"bucketName": "own"}})
    job = parse({"text": "Hello."} | fields if "prompt" not in fields else fields, Settings())
    assert isinstance(job, SpeechJob)

    with pytest.raises(AnswerTooLarge):
        delivery.deliver(recording(0.5), job, route)

    assert seen[:-1] == tried  # the last one is measured for the error


def test_a_small_answer_goes_where_it_was_asked_to(
    settings: Settings, tmp_path: Path, s3_config: dict[str, str]
) -> None:
    both = with_volume(with_bucket(settings, s3_config), tmp_path)

    assert "audio_url" in deliver(both, output="s3", seconds=0.1)
    assert "audio_path" in deliver(both, output="volume", seconds=0.1)


@pytest.mark.parametrize("output", ["s3", "volume"])
def test_a_way_that_does_not_exist_is_refused_before_anything_is_spoken(settings: Settings, output: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Delivery(settings).check(asked(output=output), Route(100_000))
    assert refused.value.field == "output"


def test_a_bucket_that_fails_is_a_warning_and_the_next_way_is_taken(
    settings: Settings, tmp_path: Path, s3_config: dict[str, str]
) -> None:
    missing = {**s3_config, "bucketName": "nobody-made-me"}

    own = deliver(with_bucket(settings, s3_config), {"s3Config": missing})
    volume = deliver(with_volume(with_bucket(settings, missing), tmp_path))
    smaller = deliver(with_bucket(settings, missing), format="auto")

    assert own["warnings"] == ["the bucket answered NoSuchBucket; delivered another way"]
    assert "/speech/" in own["audio_url"]
    assert ("audio_path" in volume, len(volume["warnings"])) == (True, 1)
    assert (smaller["format"], len(smaller["warnings"])) == ("opus", 1)
    with pytest.raises(AnswerTooLarge, match="the bucket answered NoSuchBucket"):
        deliver(with_bucket(settings, missing))


def test_a_wish_for_a_bucket_that_fails_is_answered_inline(settings: Settings, s3_config: dict[str, str]) -> None:
    answer = deliver(settings, {"s3Config": {**s3_config, "bucketName": "nobody-made-me"}}, output="s3", seconds=0.5)

    assert base64.b64decode(answer["audio_base64"]) == recording(0.5).audio
    assert len(answer["warnings"]) == 1


@pytest.mark.slow
def test_a_bucket_that_cannot_be_reached_is_named_without_its_keys(settings: Settings, tmp_path: Path) -> None:
    answer = deliver(
        with_volume(settings, tmp_path), {"s3Config": {"endpointUrl": HOST, "bucketName": "speech", **KEYS}}
    )

    (warning,) = answer["warnings"]
    assert warning.startswith("the bucket cannot be reached")
    assert not any(key in warning for key in KEYS.values())


GOOD = {"endpointUrl": HOST, "bucketName": "b", "accessId": "i", "accessSecret": "s"}


@pytest.mark.parametrize(
    "config",
    [
        "https://bucket", [], {}, {**GOOD, "accessId": ""}, {**GOOD, "accessSecret": 7}, {**GOOD, "region": "x"},
        {**GOOD, "endpointUrl": "ftp://x"}, {**GOOD, "endpointUrl": "https://me:secret@x"},
        {name: value for name, value in GOOD.items() if name != "bucketName"}, {**GOOD, "bucketName": None},
        {**GOOD, "endpointUrl": "https://[::1"},
    ],
)  # fmt: skip
def test_a_bad_s3_config_is_refused_before_anything_is_spoken(settings: Settings, config: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Delivery(settings).route({"id": "1", "s3Config": config})
    assert refused.value.field == "s3Config"
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("url", [HOST, "http://169.254.169.254", "http://10.0.0.1:9000", "http://[::1]:9000"])
def test_a_jobs_bucket_must_be_at_a_public_address(settings: Settings, url: str) -> None:
    with pytest.raises(InvalidRequest, match="not a public address"):
        Delivery(replace(settings, allow_private_urls=False)).route(
            {"id": "1", "s3Config": {**GOOD, "endpointUrl": url}}
        )


@pytest.mark.parametrize(
    ("env", "field"),
    [
        ({"BUCKET_ENDPOINT_URL": "https://b.s3.amazonaws.com"}, "BUCKET_ACCESS_KEY_ID"),
        ({"BUCKET_ACCESS_KEY_ID": "i", "BUCKET_SECRET_ACCESS_KEY": "s"}, "BUCKET_ENDPOINT_URL"),
        ({"BUCKET_ENDPOINT_URL": "https://minio.example.org", "BUCKET_ACCESS_KEY_ID": "i",
          "BUCKET_SECRET_ACCESS_KEY": "s"}, "BUCKET_NAME"),
    ],
)  # fmt: skip
def test_half_a_bucket_is_a_start_up_error_that_names_the_other_half(env: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Bucket.of_worker(Settings.from_env(env))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("url", "name", "endpoint", "bucket"),
    [
        ("https://b.s3.eu-west-1.amazonaws.com", None, "https://s3.eu-west-1.amazonaws.com", "b"),
        ("https://b.s3.eu-west-1.amazonaws.com", "b", "https://s3.eu-west-1.amazonaws.com", "b"),
        ("https://s3.eu-west-1.amazonaws.com", "b", "https://s3.eu-west-1.amazonaws.com", "b"),
        ("https://my.b.nyc3.digitaloceanspaces.com/", None, "https://nyc3.digitaloceanspaces.com", "my.b"),
        ("http://127.0.0.1:9000/b", None, "http://127.0.0.1:9000", "b"),
        ("http://127.0.0.1:9000/b", "b", "http://127.0.0.1:9000", "b"),
    ],
)
def test_the_bucket_is_found_wherever_it_stands(url: str, name: str | None, endpoint: str, bucket: str) -> None:
    found = Bucket.of_worker(
        Settings(bucket_endpoint_url=url, bucket_name=name, bucket_access_key_id="i", bucket_secret_access_key="s")
    )
    assert found is not None
    assert (found.endpoint_url.rstrip("/"), found.name) == (endpoint, bucket)
    assert "secret_access_key" not in repr(found)
