"""API keys, rate limits, origins and body sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI, AuthenticationError

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server import limits
from chatterbox_worker.server.limits import Admission, RateLimit
from chatterbox_worker.server.refusals import RateLimited, TryLater
from support.serving import HeldEngine, Open

KEY, OTHER = "k" * 32, "o" * 32
SPEECH = {"input": "Hello.", "response_format": "pcm"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong-wrong-wrong"}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"X-API-Key": "schlüssel".encode("latin-1")}, 401),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": f"bearer {OTHER}"}, 200),
        ({"X-API-Key": KEY}, 200),
    ],
)
async def test_a_key_opens_every_route(open_server: Open, headers: dict[str, str], status: int) -> None:
    async with open_server(api_keys=(KEY, OTHER)) as http:
        for path in ("/v1/models", "/voices", "/metrics", "/languages"):
            assert (await http.get(path, headers=headers)).status_code == status, path
        assert (await http.post("/v1/audio/speech", json=SPEECH, headers=headers)).status_code == status


@pytest.mark.anyio
async def test_health_needs_no_key_and_shows_none(open_server: Open) -> None:
    async with open_server(api_keys=(KEY,)) as http:
        health, ping = await http.get("/health"), await http.get("/ping")

    assert (health.status_code, ping.status_code) == (200, 200)
    assert KEY not in health.text


@pytest.mark.anyio
async def test_the_openai_client_understands_the_refusal(open_server: Open) -> None:
    async with open_server(api_keys=(KEY,)) as http:
        client = AsyncOpenAI(api_key="wrong", base_url="http://server/v1", http_client=http, max_retries=0)
        with pytest.raises(AuthenticationError) as refused:
            await client.audio.speech.create(model="multilingual", voice="default", input="Hello.")

    assert refused.value.code == "invalid_api_key"


@pytest.mark.anyio
async def test_a_page_of_another_site_may_not_use_a_server_without_keys(open_server: Open) -> None:
    other_site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    same_site = {"Sec-Fetch-Site": "same-site", "Origin": "https://other.server"}
    same_origin = {"Sec-Fetch-Site": "same-origin", "Origin": "http://server"}
    allowed_origin = {"Sec-Fetch-Site": "cross-site", "Origin": "https://friend.example"}
    async with open_server(cors_origins=("https://friend.example",)) as http:
        statuses = [
            (await http.post("/v1/audio/speech", json=SPEECH, headers=h)).status_code
            for h in (other_site, same_site, same_origin, allowed_origin)
        ]
        paths = (await http.get("/openapi.json")).json()["paths"]
        writes = [(method, path) for path, item in paths.items() for method in item if method != "get"]
        of_writes = {(await http.request(method, path, headers=other_site)).status_code for method, path in writes}

    assert statuses == [403, 403, 200, 200]
    assert {method for method, _ in writes} == {"post", "put", "delete"}
    assert of_writes == {403}


@pytest.mark.anyio
async def test_the_pages_own_files_need_no_key(
    open_server: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "static"
    page.mkdir()
    (page / "index.html").write_text("<h1>Studio</h1>")
    (page / "app.js").write_text("//")
    monkeypatch.setattr("chatterbox_worker.server.app.PAGE", page)
    async with open_server(api_keys=(KEY,)) as http:
        statuses = [
            (await http.get(path)).status_code for path in ("/", "/app.js", "/index.html", "/voices", "/none.js")
        ]
        page_text = (await http.get("/")).text
        missing = await http.get("/none.js", headers={"X-API-Key": KEY})

    assert statuses == [200, 200, 200, 401, 401]
    assert "Studio" in page_text
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


@pytest.mark.anyio
async def test_cors_is_off_unless_configured_and_then_allows_only_those_origins(open_server: Open) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with open_server(api_keys=(KEY,)) as http:
        off = await http.options("/v1/audio/speech", headers=ask | {"Origin": "https://friend.example"})
    async with open_server(api_keys=(KEY,), cors_origins=("https://friend.example",)) as http:
        allowed = await http.options("/v1/audio/speech", headers=ask | {"Origin": "https://friend.example"})
        refused = await http.options("/v1/audio/speech", headers=ask | {"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in off.headers
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.anyio
async def test_each_key_has_its_own_rate_and_gets_the_time_to_retry_after(open_server: Open) -> None:
    async with open_server(api_keys=(KEY, OTHER), rate_limit_per_minute=2) as http:
        answers = [await http.post("/v1/audio/speech", json=SPEECH, headers={"X-API-Key": KEY}) for _ in range(3)]
        other = await http.post("/v1/audio/speech", json=SPEECH, headers={"X-API-Key": OTHER})
        lists = await http.get("/v1/models", headers={"X-API-Key": KEY})

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert (other.status_code, lists.status_code) == (200, 200)


def test_a_bucket_fills_up_again_with_time() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    for _ in range(60):
        limit.take("alice")
    with pytest.raises(RateLimited) as refused:
        limit.take("alice")
    assert refused.value.retry_after_s == 1
    for now[0], takes in ((1.0, 1), (3600.0, 60)):
        for _ in range(takes):
            limit.take("alice")
        with pytest.raises(RateLimited):
            limit.take("alice")


def test_a_caller_who_has_not_asked_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_BUCKETS", 2)
    limit = RateLimit(1, clock=lambda: 0.0)
    for caller in ("alice", "bob"):
        limit.take(caller)
    with pytest.raises(RateLimited):
        limit.take("alice")
    limit.take("carol")

    with pytest.raises(RateLimited):
        limit.take("alice")
    limit.take("bob")


@pytest.mark.anyio
async def test_a_declared_length_over_the_limit_is_refused_before_reading(open_server: Open) -> None:
    async with open_server() as http:
        answer = await http.post(
            "/v1/audio/speech",
            content=b"x",
            headers={"Content-Length": "99999999999", "Content-Type": "application/json"},
        )

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/audio/speech", "/voices"])
async def test_a_chunked_body_is_read_no_further_than_the_limit(open_server: Open, path: str) -> None:
    sent = 0

    async def endless() -> Iterator[bytes]:  # type: ignore[misc]
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        while sent < 200:
            sent += 1
            yield b" " * 1_000_000

    kind = "multipart/form-data; boundary=x" if path == "/voices" else "application/json"
    async with open_server() as http:
        answer = await http.post(path, content=endless(), headers={"Content-Type": kind})

    assert answer.status_code == 413
    assert sent < 50


@pytest.mark.anyio
async def test_a_full_queue_answers_when_to_retry_and_health_still_answers(
    open_server: Open, engine: HeldEngine
) -> None:
    async with open_server(concurrency=3, queue_limit=2) as http:
        engine.hold_after(0)
        waiting = [
            asyncio.create_task(http.post("/v1/audio/speech", json=SPEECH | {"input": f"Number {n}."}))
            for n in range(5)
        ]
        while (await http.get("/health")).json()["requests"]["inside"] < 5:  # noqa: ASYNC110 - as a monitor would
            await asyncio.sleep(0.01)
        refused = [
            await http.post("/v1/audio/speech", json=SPEECH | more)
            for more in ({}, {"stream": True}, {"stream_format": "sse"})
        ]
        engine.release()
        answers = await asyncio.gather(*waiting)
        after = (await http.get("/health")).json()["requests"]["inside"]

    assert [answer.status_code for answer in refused] == [429, 429, 429]
    assert int(refused[0].headers["retry-after"]) >= 1
    assert [answer.status_code for answer in answers] == [200] * 5
    assert after == 0


def test_a_place_in_the_queue_is_freed_once() -> None:
    admission = Admission(1, 0)
    ticket = admission.enter()
    with pytest.raises(TryLater):
        admission.enter()
    ticket.leave()
    ticket.leave()
    assert admission.inside == 0


def test_a_full_queue_says_how_long_the_last_requests_took() -> None:
    admission = Admission(2, 1)

    def retry_after_s() -> int:
        for _ in range(3):
            admission.enter()
        with pytest.raises(TryLater) as refused:
            admission.enter()
        admission.inside = 0
        return refused.value.retry_after_s

    said = [retry_after_s()]
    for took_s in (40.0, 10_000.0):
        for _ in range(10):
            admission.enter()
            admission.leave(took_s)
        said.append(retry_after_s())

    assert said == [1, 14, 60]  # 2 s at first; ten times 40 s make the mean 26.8 s; two at a time


def test_a_request_that_generates_nothing_gives_its_place_to_one_more() -> None:
    admission = Admission(1, 0)
    first = admission.enter()
    first.use(needed=False)
    first.use(needed=False)
    second = admission.enter()
    second.use(needed=False)  # not given back: as many wait outside as there are places
    assert admission.inside == 1
    with pytest.raises(TryLater):
        admission.enter()
    first.use(needed=True)
    assert admission.inside == 2
    second.use(needed=False)
    second.leave()
    first.leave()
    first.use(needed=False)
    assert admission.inside == 0


@pytest.mark.parametrize(
    ("name", "text", "setting", "value"),
    [
        ("CHATTERBOX_API_KEYS", f"{KEY}, {OTHER}", "api_keys", (KEY, OTHER)),
        ("PORT", "80", "port", 80),
        ("RUNPOD_API_KEY", "rpa_x", "runpod_api_key", "rpa_x"),
        ("RUNPOD_ENDPOINT_BASE_URL", "http://127.0.0.1:1/v2/", "runpod_base_url", "http://127.0.0.1:1/v2"),
        ("CHATTERBOX_BACKEND", "runpod:abc-123", "backend", "runpod:abc-123"),
        (
            "CHATTERBOX_CORS_ORIGINS",
            "https://a.example http://b:1",
            "cors_origins",
            ("https://a.example", "http://b:1"),
        ),
    ],
)
def test_a_setting_of_the_server_is_read(name: str, text: str, setting: str, value: object) -> None:
    settings = Settings.from_env({name: text})

    assert getattr(settings, setting) == value


def test_keys_are_never_shown() -> None:
    settings = Settings.from_env({"CHATTERBOX_API_KEYS": KEY, "RUNPOD_API_KEY": OTHER})

    assert KEY not in repr(settings)
    assert OTHER not in repr(settings)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CHATTERBOX_API_KEYS", "short"),
        ("CHATTERBOX_BACKEND", "runpod:"),
        ("CHATTERBOX_BACKEND", "runpod:../x"),
        ("CHATTERBOX_CORS_ORIGINS", "example.org"),
        ("CHATTERBOX_HOSTS", "http://a.example"),
        ("CHATTERBOX_ROOT_PATH", "tts"),
        ("PORT", "0"),
    ],
)
def test_an_invalid_setting_of_the_server_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Settings.from_env({name: text})

    assert refused.value.field == name
