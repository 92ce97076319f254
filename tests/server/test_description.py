"""The description at /openapi.json is true: what it says of answers, errors and fields is what the routes do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from server.test_routes import ROWS
from support.audio_clips import wav_bytes
from support.serving import Open

KEY = "k" * 32
_LEAST = {
    "text": "Hi.", "input": "Hi.", "spoken": "b", "entries": {"a": "b"}, "turns": [{"text": "Hi."}],
    "audio": "",
}  # fmt: skip
_DIALOGUE = "/dialogue"


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _documented(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """The answers of the route that this path has."""
    found: dict[str, dict[str, Any]] = {
        route: operation["responses"] for known, route, operation in _operations(document)
        if known == method and re.fullmatch(re.sub(r"{.*?}", ".+", route), path)
    }  # fmt: skip
    assert found, f"{method} {path} is not described"
    return found[path] if path in found else found[max(found, key=len)]


def _check(document: dict[str, Any], answer: httpx2.Response) -> None:
    """Status, media type and, of an error, the shape."""
    request = answer.request
    described = _documented(document, request.method, request.url.path)
    assert str(answer.status_code) in described, (request.method, request.url.path, answer.status_code)
    response = described[str(answer.status_code)]
    content = response.get("content", {})
    mimetype = answer.headers.get("content-type", "")
    kinds = {mimetype, mimetype.partition(";")[0], re.sub("/.*", "/*", mimetype)}
    assert kinds & set(content) if answer.content else not content, (request.url.path, mimetype, list(content))
    assert {"X-Request-Id"} <= set(response["headers"])
    if answer.status_code >= 400:
        shape = document["components"]["schemas"][content[mimetype]["schema"]["$ref"].rpartition("/")[2]]
        body = answer.json()
        while set(shape["required"]) == {"error"}:  # OpenAI's
            shape, body = shape["properties"]["error"], body["error"]
        assert set(shape["required"]) <= set(body) <= set(shape["properties"]), request.url.path
        assert body["code"]


@pytest.mark.anyio
async def test_good_answers_are_those_that_are_described(open_server: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatterbox_worker.wiring.watermark_detector", lambda _: lambda _: 0.9)
    rows = [row for row in ROWS if row.path not in ("/docs", "/openapi.json")]
    async with open_server() as http:
        document = (await http.get("/openapi.json")).json()
        for row in rows:
            files = {"file": ("alice.wav", wav_bytes())} if row.file else None
            await http.post("/voices", files={"file": ("alice.wav", wav_bytes())})
            _check(document, await http.request(row.method, row.path, json=row.json, data=row.data, files=files))
        await http.post("/voices", files={"file": ("alice.wav", wav_bytes())})
        for headers in ({}, {"Range": "bytes=0-9"}):
            _check(document, await http.get("/voices/alice/audio", headers=headers))
        for path in ("/voices/alice/file", "/metrics", "/ping", "/v1/audio/voices", "/tts-stream?text=Hola."):
            _check(document, await http.get(path))
        for kind in ("srt", "vtt", "json"):
            _check(document, await http.post("/captions", json={"text": "Hi.", "captions": kind}))
        _check(document, await http.post("/clone-voice", files={"text": (None, "Hi.")}))
        wanted: dict[str, Any] = {"file": ("a.wav", wav_bytes()), "format": (None, "opus")}
        _check(document, await http.post("/transcode", files=wanted))

    assert len(rows) > 15


@pytest.mark.anyio
async def test_every_refusal_is_described_with_its_shape(open_server: Open) -> None:
    async with open_server() as http:
        document = (await http.get("/openapi.json")).json()
        for method, path, operation in _operations(document):
            url = re.sub(r"{.*?}", "nobody", path)
            if "requestBody" in operation:
                for given in ({"content": "Hi."}, {"json": {"colour": "red"}}, {"files": {"colour": (None, "red")}}):
                    _check(document, await http.request(method, url, **given))
                long = {"Content-Length": str(10**9)}
                _check(document, await http.request(method, url, content=b"", headers=long))
            elif "{" in path:
                _check(document, await http.request(method, url))
            elif operation.get("parameters"):
                _check(document, await http.request(method, f"{url}?colour=red"))
            if path not in ("/health", "/ping"):
                _check(document, await http.request(method, url, headers={"Host": "stranger.example"}))
    async with open_server(api_keys=(KEY,), rate_limit_per_minute=1) as http:
        document = (await http.get("/openapi.json")).json()
        for method, path, operation in _operations(document):
            assert ("security" in operation) == (path not in ("/health", "/ping"))
            for _ in range(2):
                url = re.sub(r"{.*?}", "nobody", path)
                answer = await http.request(method, url, headers={} if _ else {"X-API-Key": KEY})
                if "security" in operation:
                    _check(document, answer)


@pytest.mark.anyio
async def test_any_field_that_is_not_required_may_be_null_as_described(open_server: Open) -> None:
    async with open_server() as http:
        document = (await http.get("/openapi.json")).json()
        checked = 0
        for method, path, operation in _operations(document):
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" not in content or path == "/voice-conversion":
                continue
            schema = content["application/json"]["schema"]
            required = ["turns"] if path == _DIALOGUE else schema["required"] or ["text"]
            optional = [name for name in schema["properties"] if name not in required]
            nulls = dict.fromkeys(optional)
            answer = await http.request(
                method, path.replace("{word}", "a"), json=nulls | {name: _LEAST[name] for name in required}
            )
            assert answer.status_code == 200, (path, answer.text[:300])
            for name in optional:
                assert {"type": "null"} in schema["properties"][name].get("anyOf", []), (path, name)
            checked += 1

    assert checked == 9


@pytest.mark.anyio
async def test_a_field_that_is_given_twice_is_refused(open_server: Open) -> None:
    """One of the values would be lost without a word."""
    json = {"Content-Type": "application/json"}
    async with open_server() as http:
        answers = [
            (name, await http.request(method, url, content=content, headers=json))
            for method, url, content, name in (
                ("POST", "/tts", b'{"text": "a", "text": "b"}', "text"),
                ("POST", "/dialogue", b'{"turns": [{"text": "a", "seed": 1, "seed": 2}]}', "seed"),
                ("POST", "/lexicon", b'{"entries": {"a": "b", "a": "c"}}', "a"),
                ("GET", "/tts-stream?text=a&text=b", b"", "text"),
                ("GET", "/lexicon?offset=1&offset=2", b"", "offset"),
                ("DELETE", "/lexicon/a?language=en&language=es", b"", "language"),
            )
        ]
        form: dict[str, Any] = {"text": (None, "Hi."), "pronunciations": (None, '{"a": "b", "a": "c"}')}
        answers.append(("pronunciations", await http.post("/clone-voice", files=form)))

    for name, answer in answers:
        assert (answer.status_code, answer.json()["field"]) == (400, name)
        assert "appears twice" in answer.json()["error"]
