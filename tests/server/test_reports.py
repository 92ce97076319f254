"""Requests of clients that nobody here wrote, each with the right answer. A new report adds a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai import AsyncOpenAI

from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.in_process import LocalBackend
from support.audio_clips import wav_bytes
from support.serving import HeldEngine, Open, decoded_s

KEY = "k" * 32
RECORDING = wav_bytes()
_TTS = {  # SillyTavern's Chatterbox provider, with its sliders at the left
    "text": "Hello! This is a preview of the selected voice.", "voice_mode": "predefined", "temperature": 0,
    "exaggeration": 0, "cfg_weight": 0, "seed": 5, "speed_factor": 1, "language": "en", "split_text": True,
    "chunk_size": 120, "output_format": "wav", "predefined_voice_id": "default",
}  # fmt: skip
_NULLS = dict.fromkeys(
    ("model", "language", "voice", "reference_audio", "voice_url", "speaker", "context", "sample_rate", "bitrate_kbps",
     "speed", "seed", "temperature", "split_text", "chunk_size", "cache", "prompt", "stream", "captions", "output")
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """A request and what its answer must have."""

    method: str
    path: str
    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    has: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer."""
    text: str = ""
    """Part of the answer."""


_ORIGIN = {"Origin": "https://friend.example"}
_FRIEND = {"cors_origins": ("https://friend.example",)}


def _preflight(origin: str, headers: str, **settings: Any) -> Report:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    allowed = {"access-control-allow-origin": "*" if settings["cors_origins"] == ("*",) else origin}
    return Report("OPTIONS", "/v1/audio/speech", 200, headers=asked, settings=settings,
                  has=allowed | {"access-control-allow-headers": headers})  # fmt: skip


REPORTS = [
    # preflights: openai-node's own headers, SillyTavern's Cache-Control, pages that are no web sites
    _preflight("https://friend.example", "authorization,content-type,x-stainless-arch,x-stainless-os", **_FRIEND),
    _preflight("http://localhost:8000", "cache-control,content-type", cors_origins=("http://localhost:8000",)),
    _preflight("https://any.example", "x-anything", cors_origins=("*",)),
    *(_preflight(origin, "content-type", cors_origins=(origin,))
      for origin in ("null", "app://obsidian.md", "tauri://localhost", "chrome-extension://abcdef")),
    # HEAD wherever there is GET
    *(Report("HEAD", path, 200)
      for path in ("/", "/v1/models", "/v1/voices", "/voices", "/health", "/metrics", "/docs", "/openapi.json")),
    Report("HEAD", "/voices/alice/audio", 200, has={"content-type": "audio/flac", "accept-ranges": "bytes"}),
    Report("HEAD", "/voices/nobody", 404),
    Report("HEAD", "/tts-stream?text=Hello&language=en&output_format=mp3", 200,
           has={"content-type": "audio/mpeg", "cache-control": "no-store"}),
    Report("HEAD", "/tts-stream?text=&language=en", 400),
    # a compressed body
    *(Report("POST", path, 415, {"text": "Hello."}, {"Content-Encoding": "gzip"}, text="Content-Encoding 'gzip'")
      for path in ("/tts", "/voices")),
    # paths that are nearly right
    Report("POST", "/audio/speech", 404, {"input": "x"}, text="did you mean POST /v1/audio/speech?"),
    Report("POST", "/v1/v1/audio/speech", 404, {"input": "x"}, text="did you mean POST /v1/audio/speech?"),
    Report("POST", "/v1/audio/speech/", 404, {"input": "x"}, text="did you mean POST /v1/audio/speech?"),
    Report("GET", "/models", 404, text="did you mean GET /v1/models?"),
    Report("GET", "/;x;%2f../", 404),
    Report("GET", "/css%2f../css/base.css", 404),
    Report("GET", "/v1/v1/models", 404, text="did you mean GET /v1/models?"),
    Report("PUT", "/v1/models", 405, has={"allow": "GET, HEAD"}),
    Report("GET", "/v1/audio/speech", 405, has={"allow": "POST"}),
    # parts of a recording
    Report("GET", "/voices/alice/audio", 206, headers={"Range": "bytes=0-3"}, text="fLaC", has={"content-length": "4"}),
    Report("GET", "/voices/alice/audio", 206, headers={"Range": "bytes=-100"}, has={"content-length": "100"}),
    Report("GET", "/voices/alice/audio", 206, headers={"Range": "bytes=4-"}),
    Report("GET", "/voices/alice/audio", 416, headers={"Range": "bytes=99999999-"}),
    Report("GET", "/voices/alice/audio", 200, headers={"Range": "bytes=0-1,4-5"}),
    Report("GET", "/voices/alice/audio", 200, headers={"Range": "lines=1-2"}),
    Report("GET", "/voices/alice/audio", 200, headers={"Range": "bytes=0-3", "If-Range": '"another"'}),
    Report("GET", "/voices/alice/audio", 200, headers={"Range": f"bytes={'9' * 5000}-"}),
    # errors in the words of the route
    Report("POST", "/v1/audio/speech", 400, {"input": ""}, text='"input is empty"'),
    Report("POST", "/v1/audio/speech", 400, {}, text='"input is required"'),
    Report("POST", "/v1/audio/speech", 400, {"input": None}, text='"input is required"'),
    Report("POST", "/v1/audio/speech", 400, {"input": "x" * 60_000}, text='"message":"input has 60000'),
    Report("POST", "/v1/audio/speech", 400, {"input": "x", "response_format": "midi"}, text="response_format must be"),
    Report("POST", "/v1/audio/speech", 400, {"text": "", "format": "wav"}, text='"text is empty"'),
    Report("POST", "/tts", 400, {"text": "x", "language": "en", "speed_factor": 9}, text="speed_factor must be"),
    Report("POST", "/tts/generate", 400, {"text": "x", "voice_id": 3}, text='"field":"voice_id"'),
    Report("POST", "/tts/generate", 400, {"text": "x", "voice_id": ""}, text='"field":"voice_id"'),
    Report("POST", "/tts", 400, {"text": "x", "output_format": "midi"}, text="output_format must be"),
    Report("POST", "/tts", 404, {"text": "x", "predefined_voice_id": "S1"}, text='"field":"predefined_voice_id"'),
    # nulls are the same as leaving a field out
    Report("POST", "/v1/audio/speech", 200, {"input": "Hello.", "response_format": None, "instructions": None,
                                             "stream_format": None, **_NULLS}),
    Report("POST", "/tts", 200, {"text": "Hola.", "voice_mode": None, "predefined_voice_id": None, "seed": None,
                                 "output_format": None, "speed_factor": None, "exaggeration": None}),
    Report("POST", "/tts/generate", 200, {"text": "Hello.", "voice_id": None}),
    Report("POST", "/captions", 200, {**_NULLS, "text": "Hello.", "captions": None}),
    Report("POST", "/dialogue", 200, {**_NULLS, "pause_s": None, "format": None,
                                      "turns": [{**_NULLS, "text": "Hello.", "pause_s": None, "format": None}]}),
    # SillyTavern
    Report("GET", "/get_predefined_voices", 200, text='{"display_name":"default","filename":"default.wav"'),
    Report("GET", "/get_reference_files", 200, text='["alice.wav"]'),
    Report("POST", "/tts", 200, _TTS, {"Cache-Control": "no-cache"}),
    Report("POST", "/tts", 200, _TTS | {"voice_mode": "clone", "reference_audio_filename": "alice.wav"}),
    Report("GET", "/tts-stream?text=Hello&voice_mode=clone&reference_audio_filename=alice.wav&temperature=0.8"
                  "&exaggeration=0.5&cfg_weight=0.5&seed=-1&speed_factor=1&language=en&output_format=wav", 200,
           has={"content-type": "audio/wav"}),
    Report("GET", "/tts-stream?text=Hello&temperature=warm", 400, text='"field":"temperature"'),
    Report("GET", "/tts-stream?text=Hello", 403, headers={"Sec-Fetch-Site": "cross-site"}),
    Report("GET", "/tts-stream?text=Hello&language=en", 200, settings=_FRIEND,
           headers={"Sec-Fetch-Site": "cross-site", "Referer": "https://friend.example/chat"}),
    # another site's page, as a browser reports it, or not: to http on a LAN it sends no Sec-Fetch-Site
    *(Report("POST", "/v1/audio/speech", status, {"input": "x"}, headers)
      for status, headers in (
          (403, {"Origin": "https://evil.example"}),
          (403, {"Origin": "http://192.168.1.5:8004", "Host": "192.168.1.6:8004"}),
          (403, {"Origin": "null"}),
          (403, {"Referer": "https://evil.example/page"}),
          (403, {"Origin": "http://[::1"}),
          (403, {"Referer": "http://[::1"}),
          (403, {"Origin": "http://server", "Sec-Fetch-Site": "cross-site"}),
          (200, {"Origin": "http://192.168.1.6:8004", "Host": "192.168.1.6:8004"}),
          (200, {"Origin": "https://tts.example", "X-Forwarded-Host": "tts.example"}),
          (200, {"Origin": "https://tts.example", "Sec-Fetch-Site": "same-origin"}),
          (200, {}),
      )),
    Report("POST", "/v1/audio/speech", 200, {"input": "x"}, {"Origin": "null"}, {"cors_origins": ("null",)}),
    Report("POST", "/v1/audio/speech", 200, {"input": "x"}, {"Origin": "https://a.example"}, {"cors_origins": ("*",)}),
    # a name that someone else can make lead here
    *(Report("GET", "/v1/voices", status, headers={"Host": host}, settings=settings)
      for host, status, settings in (
          ("evil.example:8004", 403, {}),
          ("localhost.evil.example", 403, {}),
          ("127.0.0.1.evil.example", 403, {}),
          ("127.0.0.1:8004", 200, {}),
          ("[::1]:8004", 200, {}),
          ("localhost:8004", 200, {}),
          ("chatterbox:8004", 200, {}),
          ("host.docker.internal:8004", 200, {}),
          ("homeassistant.local:8004", 200, {}),
          ("abc-8004.proxy.runpod.net", 200, {}),
          ("TTS.example.org.:443", 200, {"hosts": ("tts.example.org",)}),
          ("tts.example.org", 200, {"hosts": ("*",)}),
          ("other.example.org", 403, {"hosts": ("tts.example.org",)}),
      )),
    Report("GET", "/v1/voices", 200, headers={"Host": "tts.example.org", "X-API-Key": KEY},
           settings={"api_keys": (KEY,)}),
    Report("GET", "/v1/voices", 403, headers={"Host": "tts.example.org", "X-API-Key": KEY},
           settings={"api_keys": (KEY,), "hosts": ("other.example.org",)}),
    Report("GET", "/health", 200, headers={"Host": "evil.example"}),
    # the documentation, with keys and behind a prefix
    Report("GET", "/docs", 200, settings={"api_keys": (KEY,)}, text="docs/swagger/swagger-ui-bundle.js",
           has={"content-security-policy": "frame-ancestors 'self'"}),
    Report("GET", "/openapi.json", 200, settings={"api_keys": (KEY,)}, text='"HTTPBearer"'),
    *(Report("GET", f"/docs/swagger/{name}", 200, settings={"api_keys": (KEY,)})
      for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")),
    Report("GET", "/tts-server/docs", 200, settings={"root_path": "/tts-server"}),
    Report("GET", "/docs", 200, settings={"root_path": "/tts-server"}),
    Report("GET", "/tts-server/openapi.json", 200, settings={"root_path": "/tts-server"},
           text='[{"url":"/tts-server"}]'),
    Report("GET", "/tts-server/v1/models", 200, settings={"root_path": "/tts-server"}),
    Report("GET", "/tts-server/health", 200, settings={"root_path": "/tts-server", "api_keys": (KEY,)}),
    Report("GET", "/tts-server/v1/models", 401, text='"type"',
           settings={"root_path": "/tts-server", "api_keys": (KEY,)}),
    Report("POST", "/tts/tts", 200, {"text": "Hola."}, settings={"root_path": "/tts"}),
    Report("GET", "/tts-server/tts-server/tts-stream?text=Hola.", 404, settings={"root_path": "/tts-server"}),
    # numbers that are too long
    Report("POST", "/dev/captioned_speech", 400, {"input": "Hello.", "volume_multiplier": 10**400},
           text="volume_multiplier must be 0.01 to 10, not 1000"),
    Report("GET", f"/lexicon?offset={'9' * 5000}", 400, text="offset must be a whole number"),
    # bit rates
    Report("POST", "/v1/audio/speech", 200, {"input": "x" * 200, "bitrate_kbps": 32}),
    Report("POST", "/v1/audio/speech", 200, {"input": "x" * 200, "bitrate_kbps": 160, "stream": True}),
    Report("POST", "/v1/audio/speech", 400, {"input": "x", "bitrate_kbps": 100}, text="bitrate_kbps must be 8, 16,"),
    Report("POST", "/v1/audio/speech", 400, {"input": "x", "bitrate_kbps": 96, "response_format": "wav"},
           text="bitrate_kbps is for mp3 only, not for wav"),
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("report", REPORTS, ids=lambda r: f"{r.method} {r.path[:40]} {r.status} {dict(r.headers)}"[:90])
async def test_a_reported_request_has_the_right_answer(open_server: Open, engine: HeldEngine, report: Report) -> None:
    async with open_server(**report.settings) as http:
        key = {"X-API-Key": KEY} if "api_keys" in report.settings else {}
        if "alice" in repr(report):
            await http.post("/voices", files={"file": ("alice.wav", RECORDING)}, headers=key | {"Host": "localhost"})
        answer = await http.request(report.method, report.path, json=report.json, headers=dict(report.headers))

    assert answer.status_code == report.status, answer.text[:500]
    assert report.text in answer.text
    for name, value in report.has.items():
        assert answer.headers[name] == value
    assert answer.headers["x-request-id"]
    if answer.status_code == 206:
        first, last, size = map(int, re.findall(r"\d+", answer.headers["content-range"]))
        assert last - first + 1 == len(answer.content) <= size
    if report.method == "HEAD":
        assert answer.content == b""
        assert engine.takes == []


@pytest.mark.anyio
async def test_a_request_id_is_echoed_or_made(open_server: Open) -> None:
    async with open_server(cors_origins=("https://friend.example",)) as http:
        kept = await http.get("/v1/nope", headers={"X-Request-Id": "abc-123"})
        made = [await http.get("/health", headers={"X-Request-Id": bad}) for bad in ("", "two words", "x" * 200)]
        shown = await http.get("/health", headers={"Origin": "https://friend.example"})

    assert kept.headers["x-request-id"] == "abc-123"
    assert len({answer.headers["x-request-id"] for answer in made}) == 3
    assert "X-Request-Id" in shown.headers["access-control-expose-headers"]


@pytest.mark.anyio
async def test_every_route_answers_with_a_request_id(open_server: Open) -> None:
    async with open_server() as http:
        routes = (await http.get("/openapi.json")).json()["paths"]
        for path, methods in (routes | {"/": {"GET"}, "/docs": {"GET"}, "/nope": {"GET"}}).items():
            for method in (*methods, "HEAD", "OPTIONS", "PATCH"):
                answer = await http.request(method.upper(), re.sub(r"{.*?}", "x", path))
                assert answer.headers["x-request-id"], (method, path)
                assert answer.status_code < 500, (method, path)

    assert len(routes) > 25


@pytest.mark.anyio
async def test_a_bug_is_answered_with_the_headers_of_every_answer(
    open_server: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Backend) -> list[Any]:
        raise RuntimeError("secret")

    monkeypatch.setattr(LocalBackend, "voices", fail)
    headers = {"Origin": "https://friend.example", "X-Request-Id": "abc-123"}
    async with open_server(cors_origins=("https://friend.example",), root_path="/tts") as http:
        answer = await http.get("/tts/v1/voices", headers=headers)
        counted = (await http.get("/metrics")).text

    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert (answer.headers["x-request-id"], answer.headers["access-control-allow-origin"]) == (
        "abc-123", "https://friend.example"
    )  # fmt: skip
    assert 'route="/v1/voices",status="500"' in counted
    assert "secret" not in answer.text
    assert "GET /v1/voices failed (request abc-123)" in caplog.text


@pytest.mark.anyio
async def test_an_error_is_short_whatever_the_field_is_called(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post("/text", json={"text": "Hello.", "x" * 1_000_000: 1})

    assert (answer.status_code, answer.json()["field"]) == (400, "x" * 200)
    assert len(answer.content) < 2000


@pytest.mark.anyio
async def test_mp3_has_the_bit_rate_that_was_asked_for(open_server: Open) -> None:
    sizes = {}
    async with open_server() as http:
        for kbps in (32, 64, None, 160):
            body = {"input": "x" * 400, "bitrate_kbps": kbps}
            first, again = [await http.post("/v1/audio/speech", json=body) for _ in range(2)]
            sizes[kbps] = len(first.content) * 8 / decoded_s(first.content, "mp3") / 1000
            assert (first.headers["x-chatterbox-cache"], again.headers["x-chatterbox-cache"]) == ("miss", "hit")
            streamed = await http.post("/v1/audio/speech", json=body | {"stream": True})
            assert len(streamed.content) == pytest.approx(len(first.content), rel=0.05)
        converted = await http.post(
            "/convert", files={"file": ("a.wav", RECORDING)}, data={"format": "mp3", "bitrate_kbps": "32"}
        )
        refused = await http.post(
            "/convert", files={"file": ("a.wav", RECORDING)}, data={"format": "wav", "bitrate_kbps": "32"}
        )

    assert sizes[32] == pytest.approx(32, rel=0.05)
    assert sizes[64] == pytest.approx(64, rel=0.05)
    assert sizes[None] == pytest.approx(128, rel=0.05)
    assert sizes[160] == pytest.approx(160, rel=0.05)
    assert len(converted.content) * 8 / 6.0 == pytest.approx(32_000, rel=0.05)
    assert (refused.status_code, refused.json()["field"]) == (400, "bitrate_kbps")


@pytest.mark.anyio
async def test_a_turn_without_words_is_silence(open_server: Open) -> None:
    turns = [
        {"text": "...", "pause_s": 1.0},
        {"text": "Hello there."},
        {"text": "***", "pause_s": 2.0},
        {"text": "Bye now."},
    ]
    async with open_server() as http:
        answer = (await http.post("/dialogue", json={"turns": turns, "captions": "json", "pause_s": 0.5})).json()
        silent = await http.post("/dialogue", json={"turns": [{"text": "..."}]})

    assert [chunk["turn"] for chunk in answer["chunks"]] == [1, 3]
    assert answer["chunks"][0]["start_s"] == pytest.approx(1.0)
    assert answer["chunks"][1]["start_s"] - answer["chunks"][0]["end_s"] == pytest.approx(2.5)
    assert answer["seeds"][0] is None
    assert (silent.status_code, silent.json()["field"]) == (400, "turns")


@pytest.mark.anyio
async def test_voices_are_made_as_openais_library_and_others_make_them(open_server: Open) -> None:
    async with open_server() as http:
        client = AsyncOpenAI(api_key="none", base_url="http://server/v1", http_client=http, max_retries=0)
        made = await client.audio.voices.create(name="nora", audio_sample=("n.wav", RECORDING), consent="cons_1")
        form = {"voice_name": "olaf"}
        olaf = await http.post("/v1/voices", data=form, files={"voice_file": ("x.wav", RECORDING)})
        files = [("files", ("pia.wav", RECORDING)), ("files", ("quin.wav", RECORDING))]
        uploaded = await http.post("/upload_reference", files=files)
        mixed = await http.post("/upload_reference", files=[("files", ("bad.wav", b"no audio")), files[0]])
        bad = await http.post("/upload_reference", files=[("files", ("bad.wav", b"no audio"))])
        prompt = await http.post(
            "/v1/audio/voices", data={"name": "x", "type": "prompt"}, files={"audio_sample": ("x", RECORDING)}
        )
        listed = (await http.get("/voices")).json()

    assert (made.id, made.name, made.object, made.type) == ("nora", "nora", "audio.voice", "audio_sample")
    assert (olaf.status_code, olaf.json()["id"]) == (201, "olaf")
    assert uploaded.json()["uploaded_files"] == ["pia.wav", "quin.wav"]
    assert uploaded.json()["all_reference_files"] == ["nora.wav", "olaf.wav", "pia.wav", "quin.wav"]
    assert uploaded.json()["errors"] == []
    assert (mixed.status_code, mixed.json()["uploaded_files"]) == (200, ["pia.wav"])
    (error,) = mixed.json()["errors"]
    assert (error["filename"], "not audio that can be read" in error["error"]) == ("bad.wav", True)
    assert (bad.status_code, bad.json()["field"]) == (400, "file")
    assert (prompt.status_code, prompt.json()["error"]["param"]) == (400, "type")
    assert listed == ["default", "nora", "olaf", "pia", "quin"]


@pytest.mark.anyio
async def test_aliases_are_listed_and_answered(open_server: Open) -> None:
    async with open_server(aliases=("openai", "openai/tts-1=turbo")) as http:
        models = (await http.get("/v1/models")).json()["data"]
        model = (await http.get("/v1/models/TTS-1")).json()
        slashed = await http.get("/v1/models/openai%2Ftts-1")
        voices = (await http.get("/v1/voices")).json()["data"]
        plain = (await http.get("/voices")).json()
        body = {"model": "gpt-4o-mini-tts", "voice": "coral", "input": "Hello."}
        spoken = await http.post("/v1/audio/speech", json=body | {"captions": "json"})
        saved = await http.post("/voices", files={"file": ("nova.wav", wav_bytes())})

    assert [entry["id"] for entry in models] == [
        "multilingual", "turbo", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "openai/tts-1"
    ]  # fmt: skip
    assert (model["alias_of"], model["owned_by"]) == ("multilingual", "resemble-ai")
    assert model == models[2]
    assert slashed.json()["alias_of"] == "turbo"
    assert "alias_of" not in models[0]
    assert {"id": "alloy", "name": "alloy", "object": "voice", "built_in": True, "alias_of": "default"} in voices
    assert plain == ["default"]
    assert (spoken.json()["voice"], spoken.json()["model"]) == ("default", "multilingual")
    assert (saved.status_code, saved.json()["field"]) == (400, "voice_id")
