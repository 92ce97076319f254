"""Whatever arrives as jobs: what can be answered is passed on, the rest is left out, and nothing ends the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from runpod.serverless.modules.worker_state import JobsProgress

from chatterbox_worker.serverless.protocol import pauses, take
from chatterbox_worker.serverless.protocol.take import Taker, digest
from support.threads import in_this_thread

JOB = {"id": "a-u1", "input": {"text": "Hi."}}

DIGESTED: list[tuple[str, Any, list[dict[str, Any]]]] = [
    ("one job", JOB, [JOB]),
    ("a batch", [JOB, {**JOB, "id": "b"}], [JOB, {**JOB, "id": "b"}]),
    ("null in a batch", [None, JOB], [JOB]),
    ("null alone", None, []),
    ("a string in a batch", ["x", JOB], [JOB]),
    ("a list in a batch", [[JOB], JOB], [JOB]),
    ("a number", 5, []),
    ("an empty batch", [], []),
    ("a number as the id", [{"id": 5, "input": {}}], [{"id": "5", "input": {}}]),
    ("true as the id", [{**JOB, "id": True}], []),
    ("a fraction as the id", [{**JOB, "id": 1.5}], []),
    ("null as the id", [{**JOB, "id": None}], []),
    ("no id", [{"input": {}}], []),
    ("an empty id", [{**JOB, "id": ""}], []),
    ("an id with a line break", [{**JOB, "id": "a\r\nX-Evil: 1"}], []),
    ("half of a surrogate pair as the id", [{**JOB, "id": "\ud800"}], []),
    ("an endless id", [{**JOB, "id": "a" * 10_000}], []),
    ("an id that is a path", [{**JOB, "id": "../../b"}], [{**JOB, "id": "../../b"}]),
    ("no input", [{"id": "a"}], [{"id": "a", "input": None}]),
    ("an input that is no object", [{"id": "a", "input": "Hi."}], [{"id": "a", "input": "Hi."}]),
    ("the same job twice", [JOB, JOB], [JOB]),
    ("a job that runs", [{**JOB, "id": "running"}], []),
    ("keys that no object can have", [{**JOB, "self": 1, "__class__": 2, "a b": 3}], [{**JOB, "a b": 3}]),
]


@pytest.mark.parametrize(("taken", "jobs"), [row[1:] for row in DIGESTED], ids=[row[0] for row in DIGESTED])
def test_what_arrives_becomes_jobs_that_the_sdk_can_hold(taken: Any, jobs: list[dict[str, Any]]) -> None:
    digested = digest(taken, {"running"})

    assert digested == jobs
    progress = JobsProgress()
    for job in digested:
        progress.add(job)
        assert isinstance(progress.get_job_list(), str)
        progress.remove(job)


Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _taken(replies: list[web.Response]) -> list[list[dict[str, Any]]]:
    left = iter(replies)

    async def answer(_: web.Request) -> web.StreamResponse:
        return next(left)

    app = web.Application()
    app.router.add_get("/take", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/take"
            taker = Taker(lambda _: url, lambda: ())
            return [await taker(session, 3) for _ in replies]
    finally:
        await runner.cleanup()


def test_bad_replies_are_no_jobs_and_the_next_good_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", in_this_thread(wait, asyncio.sleep))
    bad = [web.Response(status=status) for status in (204, 400, 401, 404, 500, 502, 503)]
    bad += [
        web.Response(status=429, headers={"Retry-After": "7"}),
        web.Response(body=b"{", content_type="application/json"),
        web.Response(body=b"\xff\xfe\xff"),
        web.Response(body=b"<html>", content_type="text/html"),
        web.Response(body=b"", content_type="application/json"),
    ]
    good = web.json_response(JOB, content_type="text/plain")

    taken = asyncio.run(_taken([*bad, good]))

    assert taken == [[]] * len(bad) + [[JOB]]
    assert len([pause for pause in waited if pause > 0]) >= 10
    assert any(pause >= 7 for pause in waited)


@pytest.mark.parametrize(("status", "least_s", "most_s"), [(400, 0.375, 0.625), (500, 3.75, 6.25)])
def test_a_400_that_flashboot_expects_is_followed_by_short_pauses(
    monkeypatch: pytest.MonkeyPatch, status: int, least_s: float, most_s: float
) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", in_this_thread(wait, asyncio.sleep))
    asyncio.run(_taken([web.Response(status=status) for _ in range(8)]))

    pauses_s = [pause for pause in waited if pause > 0]
    assert len(pauses_s) == 8
    assert least_s <= pauses_s[-1] <= most_s


def test_a_queue_that_cannot_be_reached_is_no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take, "pause_s", lambda *_, **__: 0.0)

    async def ask() -> list[Any]:
        async with aiohttp.ClientSession() as session:
            return await Taker(lambda _: "http://127.0.0.1:9/", lambda: ())(session)

    assert asyncio.run(ask()) == []


def test_pauses_grow_to_a_limit() -> None:
    longest = [max(pauses.pause_s(n, None, longest_s=5.0) for _ in range(20)) for n in (1, 2, 3, 10, 10_000)]

    assert longest == sorted(longest[:3]) + longest[3:]
    assert longest[0] <= 0.625
    assert max(longest) <= 6.25


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("3", 3), ("0", 0), ("100000", pauses.LONGEST_RETRY_AFTER_S), ("-3", 0), ("soon", 0), ("", 0),
        ("Thu, 26 Nov 2026 12:00:10 GMT", 10), ("Thu, 26 Nov 2026 12:00:10 -0000", 10),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0), ("²", 0),
    ],
)  # fmt: skip
def test_both_forms_of_retry_after_are_understood(header: str | None, seconds: float) -> None:
    from datetime import UTC, datetime

    assert pauses.retry_after_s(header, datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)) == seconds
