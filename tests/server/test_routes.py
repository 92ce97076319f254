"""Every route answers as docs/HTTP.md states, with the examples of the APIs that the server replaces."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest

from chatterbox_worker.request import ALIASES
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.routes import watermark
from support import http_calls
from support.audio_clips import wav_bytes
from support.paths import ROOT
from support.serving import Open, decoded_s

RECORDING = wav_bytes()
DOCUMENT = ROOT / "docs" / "HTTP.md"

_TTS = {  # the README of Chatterbox ES-LATAM
    "text": "Texto a sintetizar en español latinoamericano.", "voice_mode": "predefined",
    "predefined_voice_id": "default.wav", "temperature": 0.8, "exaggeration": 1.0, "cfg_weight": 0.5,
    "speed_factor": 1.0, "output_format": "wav", "split_text": True, "chunk_size": 120, "language": "es",
}  # fmt: skip
_SPEECH = {
    "model": "chatterbox-es-latam", "input": "Hola, bienvenido al sistema TTS.", "voice": "default.wav",
    "response_format": "mp3", "speed": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A request of an API's documentation, and what that documentation states of the answer."""

    method: str
    path: str
    json: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    file: bool = False
    status: int = 200
    mimetype: str = "application/json"
    answer: Any = None
    keys: tuple[str, ...] = field(default=())


ROWS = [
    # Chatterbox ES-LATAM
    Row("GET", "/health", keys=("status",)),
    Row("POST", "/v1/audio/speech", _SPEECH, mimetype="audio/mpeg"),
    Row("POST", "/tts", _TTS, mimetype="audio/wav"),
    Row(
        "POST",
        "/tts",
        {"text": "Hola.", "voice_mode": "clone", "reference_audio_filename": "alice.wav"},
        mimetype="audio/wav",
    ),
    Row("POST", "/tts", {"text": "Hola.", "output_format": "mp3", "seed": 0, "stream": True}, mimetype="audio/mpeg"),
    Row("GET", "/v1/audio/voices", keys=("voices",)),
    Row("GET", "/v1/voices", keys=("voices",)),
    Row("GET", "/v1/audio/models", keys=("models",)),
    Row("GET", "/v1/models", keys=("data",)),
    # Kokoro-FastAPI
    Row(
        "POST",
        "/dev/captioned_speech",
        {
            "model": "multilingual",
            "input": "Hello world!",
            "voice": "default",
            "speed": 1.0,
            "response_format": "mp3",
            "stream": False,
            "return_timestamps": True,
            "lang_code": "a",
            "volume_multiplier": 1.0,
        },
        keys=("audio", "audio_format", "timestamps"),
    ),
    # the voice cloning system
    Row("GET", "/voices"),
    Row("POST", "/clone-voice", data={"text": "Hola mundo", "voice_name": "alice"}, mimetype="audio/wav"),
    Row("POST", "/upload-voice", data={"voice_name": "bob"}, file=True, keys=("voice_name", "message")),
    Row("GET", "/docs", mimetype="text/html"),
    # the pod API
    Row("POST", "/tts/generate", {"text": "Hello, this is a test.", "voice_id": "alice"}, mimetype="audio/wav"),
    Row("POST", "/tts/generate", {"text": "Hello, this is a test of the live demo."}, mimetype="audio/wav"),
    Row("POST", "/tts/generate", {"text": "Hello.", "voice_id": "cloned_voice_alpha"}, status=404, keys=("detail",)),
    Row("POST", "/voices", file=True, status=201, keys=("voice_id", "message")),
    Row("GET", "/voices", answer=["default", "alice"]),
    Row("DELETE", "/voices/alice", answer={"message": "Voice 'alice' deleted successfully."}),
    # OpenAI's libraries
    Row("DELETE", "/v1/audio/voices/alice", answer={"id": "alice", "object": "audio.voice.deleted", "deleted": True}),
    Row("DELETE", "/v1/audio/voices/default", status=400, keys=("error",)),
    Row("DELETE", "/v1/audio/voices/nobody", status=404, keys=("error",)),
    # what Open WebUI and SillyTavern send with the settings of docs/HTTP.md
    Row(
        "POST", "/v1/audio/speech", {"model": "multilingual", "input": "Hi.", "voice": "default"}, mimetype="audio/mpeg"
    ),
    Row(
        "POST",
        "/v1/audio/speech",
        {"model": "multilingual", "input": "Hi.", "voice": "default", "response_format": "mp3", "speed": 1},
        mimetype="audio/mpeg",
    ),
    # our own
    Row("GET", "/voices/default", answer={"id": "default", "name": "default", "built_in": True}),
    Row("GET", "/voices/alice", keys=("id", "name", "built_in", "size_bytes", "modified", "duration_s", "digest")),
    Row("GET", "/voices/alice/audio", mimetype="audio/flac"),
    Row("GET", "/voices/alice/file", mimetype="application/octet-stream"),
    Row("GET", "/v1/models/turbo", keys=("id", "sampling")),
    Row("GET", "/v1/models/tts-1", status=404, keys=("error",)),
    Row("GET", "/v1/models/Turbo", keys=("id", "sampling")),
    Row("GET", "/v1/models/openai/tts-1", status=404, keys=("error",)),
    Row("GET", "/languages", keys=("languages",)),
    Row("POST", "/captions", {"text": "One. Two."}, mimetype="application/x-subrip"),
    Row("POST", "/dialogue", {"turns": [{"text": "Ready?"}, {"text": "Ready."}]}, mimetype="audio/wav"),
    Row("POST", "/voice-conversion", {"audio": base64.b64encode(RECORDING).decode()}, mimetype="audio/wav"),
    Row("POST", "/transcode", data={"format": "mp3"}, file=True, mimetype="audio/mpeg"),
    Row("POST", "/convert", data={"format": "mp3"}, file=True, mimetype="audio/mpeg"),
    Row("POST", "/watermark/detect", file=True, keys=("watermarked", "confidence", "duration_s")),
    Row("GET", "/ping", mimetype=""),
    Row("GET", "/metrics", mimetype="text/plain"),
    Row("GET", "/openapi.json", keys=("paths",)),
]


@pytest.mark.anyio
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
async def test_a_route_answers_as_documented(open_server: Open, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatterbox_worker.wiring.watermark_detector", lambda _: lambda _: 0.9)
    files = {"file": ("new_voice_name.wav", RECORDING)} if row.file else None
    async with open_server() as http:
        await http.post("/voices", files={"file": ("alice.wav", RECORDING)})
        answer = await http.request(row.method, row.path, json=row.json, data=row.data, files=files)

    assert answer.status_code == row.status, answer.text
    assert answer.headers.get("content-type", "").startswith(row.mimetype)
    if row.answer is not None:
        assert answer.json() == row.answer
    for key in row.keys:
        assert key in answer.json()
    if row.mimetype.startswith("audio/"):
        assert decoded_s(answer.content, row.mimetype.removeprefix("audio/")) > 0.02


@pytest.mark.anyio
async def test_the_document_has_every_route_and_no_other(open_server: Open) -> None:
    async with open_server() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    served = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    served |= {
        "WS /tts/stream",
        "GET /docs",
        "GET /openapi.json",
        "GET /",
    }

    table = DOCUMENT.read_text().partition("## Routes")[2].partition("## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    documented = {name.replace("models/{id}", "models/{model_id}").replace("{id}", "{voice_id}") for name in names}

    assert documented == served


@pytest.mark.anyio
async def test_the_document_names_the_fields_of_every_body(open_server: Open) -> None:
    async with open_server() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    table = DOCUMENT.read_text().partition("## Routes")[2].partition("## ")[0]
    compared = 0
    for method, path, cell in re.findall(r"^\| `([A-Z]+) (/\S+?)` \| (\w+: `.+?) \|", table, re.MULTILINE):
        if "fields" in cell or "turns" in cell:  # of speech, which API.md has
            continue
        operation = paths[path][method.lower()]
        if "requestBody" in operation:
            (content,) = operation["requestBody"]["content"].values()
            fields = content["schema"]["properties"]
        else:
            fields = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        compared += 1
        assert set(re.findall(r"`(\w+)`", cell)) == set(fields), path

    assert compared > 10


@pytest.mark.anyio
async def test_a_missing_voice_has_exactly_the_pod_apis_message(open_server: Open) -> None:
    async with open_server() as http:
        for voice in ("cloned_voice_alpha", "../../etc/passwd", "gone.pth"):
            answer = await http.post("/tts/generate", json={"text": "Hello.", "voice_id": voice})
            assert answer.status_code == 404
            assert answer.json()["detail"] == f"Voice '{voice}' not found."


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"text": "x", "voice_mode": "random"}, "voice_mode", "predefined or clone"),
        ({"text": "x", "voice_mode": ["clone"]}, "voice_mode", "predefined or clone"),
        ({"text": "x", "voice_mode": "clone"}, "reference_audio_filename", "must name a voice"),
        ({"text": "x", "reference_audio": "UklG"}, "reference_audio", "unknown field"),
        ({"text": "x", "model": "turbo", "language": "en", "exaggeration": 0.7}, "exaggeration", "turbo cannot use"),
        ({"text": "x", "model": "turbo"}, "language", "turbo speaks en"),
        ({"text": "x", "chunk_size": 20}, "chunk_size", "50"),
        ({"text": "x", "seed": -1}, "seed", "0"),
        ({"text": "x", "seed": False}, "seed", "a whole number"),
        ({"text": "x", "speed_factor": "fast"}, "speed_factor", "number"),
    ],
)
async def test_tts_refuses_by_name_what_it_cannot_do(open_server: Open, body: Any, field: str, message: str) -> None:
    async with open_server() as http:
        answer = await http.post("/tts", json=body)

    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert message in answer.json()["error"]


@pytest.mark.anyio
async def test_tts_leaves_out_what_a_model_cannot_use_if_it_has_the_default_value(
    open_server: Open,
) -> None:
    async with open_server() as http:
        answer = await http.post("/tts", json=_TTS | {"model": "turbo", "language": "en"})

    assert answer.status_code == 200


@pytest.mark.anyio
async def test_tts_picks_a_random_seed_for_seed_0_alone(open_server: Open) -> None:
    async with open_server() as http:
        seeds = [
            (await http.post("/tts", json={"text": "Hola.", "seed": seed}, headers={})).headers["x-chatterbox-seed"]
            for seed in (0, 7)
        ]

    assert seeds[0] != "0"
    assert seeds[1] == "7"


@pytest.mark.anyio
async def test_the_lists_show_what_is_served_and_what_a_page_needs(open_server: Open) -> None:
    async with open_server() as http:
        models = (await http.get("/v1/models")).json()
        voices = (await http.get("/v1/voices")).json()
        languages = (await http.get("/languages")).json()["languages"]

    assert [model["id"] for model in models["data"]] == ["multilingual", "turbo"]
    assert models["data"][0]["sampling"]["exaggeration"] == {"default": 0.5, "min": 0, "max": 2}
    assert "exaggeration" not in models["data"][1]["sampling"]
    assert [entry["identifies_languages"] for entry in models["data"]] == [True, False]
    assert voices["voices"][0] == {"id": "default", "name": "default", "object": "voice", "built_in": True}
    assert {"code": "en", "name": "English", "models": ["multilingual", "turbo"], "regions": []} in languages
    assert len(languages) == 23


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", "/nope", "not_found", "there is no such route; GET /docs lists all"),
        ("GET", "/v1/model", "not_found", "did you mean GET /v1/models?"),
        ("POST", "/v1/audio/transcriptions", "not_found", "GET /docs lists all"),
        ("POST", "/v1/chat/completions", "not_found", "GET /docs lists all"),
        ("PUT", "/tts", "method_not_allowed", "PUT /tts: this route takes POST"),
        ("GET", "/tts", "method_not_allowed", "this route takes POST"),
        ("GET", "/v1/audio/speech", "method_not_allowed", "this route takes POST"),
        ("DELETE", "/voices", "method_not_allowed", "this route takes GET, HEAD or POST"),
    ],
)
async def test_a_missing_route_is_reported_in_its_protocols_shape(
    open_server: Open, method: str, path: str, code: str, message: str
) -> None:
    async with open_server() as http:
        answer = await http.request(method, path)

    assert answer.status_code == {"not_found": 404, "method_not_allowed": 405}[code]
    body = answer.json()
    assert (body["error"]["code"] if path.startswith("/v1/") else body["code"]) == code
    assert (body["error"]["message"] if path.startswith("/v1/") else body["error"]).endswith(message)


@pytest.mark.anyio
async def test_a_method_that_a_client_invents_makes_no_new_series(open_server: Open) -> None:
    series = []
    async with open_server() as http:
        for number in range(3):
            await http.request(f"METHOD{number}", f"/nope/{number}")
            page = (await http.get("/metrics")).text
            series.append({line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")})

    assert series[1] == series[2]
    assert re.search(r'requests_total{method="other",route="other",status="40\d"} 3.0', page)


def test_the_description_shows_every_field_of_a_request(settings: Any) -> None:
    from chatterbox_worker.request import SpeechBody
    from chatterbox_worker.server import schemas

    openai_names = {"text", "format"}
    assert set(SpeechBody.model_fields) - {"action", "turns", *openai_names} <= set(schemas.OPENAI_SPEECH["properties"])
    assert set(SpeechBody.model_fields) - {"action"} <= set(schemas.PREVIEW["properties"])
    assert set(SpeechBody.model_fields) - {"action", "context"} <= set(schemas.DIALOGUE["properties"])
    assert json.dumps(schemas.DIALOGUE)


@pytest.mark.anyio
async def test_an_existing_voice_that_the_model_cannot_use_is_not_called_missing(settings: Any) -> None:
    """The preview has one voice; a voice of the library is not "not found"."""
    app = create_app(replace(settings, models=("preview",)))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://server") as http:
        await http.post("/voices", files={"file": ("alice.wav", RECORDING)})
        answer = await http.post("/tts/generate", json={"text": "Hello.", "voice_id": "alice"})

    assert answer.status_code == 400
    assert answer.json()["detail"] == "voice_id must be left out: preview speaks with its own voice only"


@pytest.mark.anyio
async def test_an_unknown_field_of_openais_route_lists_that_routes_names(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json={"input": "x", "emotion": 1})

    for name in ("input", "response_format", "stream_format", "seed"):
        assert name in answer.json()["error"]["message"]


def _listed(answer: httpx2.Response) -> list[str]:
    """The fields that the error names."""
    error = answer.json()["error"]
    message = error if isinstance(error, str) else error["message"]
    assert message.startswith("unknown field 'colour'; known fields are ")
    return re.split(", | or ", message.partition(" are ")[2])


@pytest.mark.anyio
async def test_an_unknown_field_is_answered_with_those_that_the_route_takes(open_server: Open) -> None:
    older = {"/v1/audio/speech": {"text", "format"}, "/dev/captioned_speech": {"text", "format"}}
    async with open_server() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
        of_json = [
            (method, path, operation["requestBody"]["content"]["application/json"]["schema"]["properties"])
            for path, item in paths.items() for method, operation in item.items()
            if "application/json" in operation.get("requestBody", {}).get("content", ())
        ]  # fmt: skip
        for method, path, described in of_json:
            listed = _listed(await http.request(method, path, json={"colour": "red"}))
            assert set(listed) - set(ALIASES) == {*described, *older.get(path, ())}, path
            taken = await http.request(method, path, json={name: [[]] for name in listed})
            assert (taken.status_code, "unknown field" in taken.text) == (400, False), path
        of_query = _listed(await http.get("/tts-stream?colour=red"))
        form = await http.post("/voice-conversion", files={"audio": RECORDING}, data={"colour": "red"})

    assert len(of_json) == 10
    assert "predefined_voice_id" in of_query
    assert not {"stream", "captions", "action", *ALIASES} & set(of_query)
    assert {"audio", "stream", "progress"} <= set(_listed(form))


@pytest.mark.anyio
async def test_without_a_watermark_detector_the_route_is_not_offered(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a gateway, which needs no torch."""
    watermark._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    async with open_server() as http:
        answer = await http.post("/watermark/detect", files={"file": ("a.wav", RECORDING)})

    assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")
    assert "torch" in answer.json()["error"]


def test_a_long_answer_is_complete_in_slices(live_url: str) -> None:
    body = {"input": "A sentence that is spoken again and again. " * 200, "response_format": "wav", "cache": False}
    whole = http_calls.post(f"{live_url}/v1/audio/speech", json=body)
    with_captions = http_calls.post(f"{live_url}/v1/audio/speech", json=body | {"captions": "json"})

    assert len(whole.content) == int(whole.headers["content-length"]) > 3_000_000
    assert len(with_captions.content) == int(with_captions.headers["content-length"])
    assert len(base64.b64decode(with_captions.json()["audio_base64"])) == len(whole.content)
