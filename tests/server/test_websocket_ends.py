"""`WS /tts/stream` when one side closes while the other still sends, message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.types import Message, Send

from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.backend import Backend

_SCOPE = {
    "type": "websocket", "path": "/tts/stream", "raw_path": b"/tts/stream", "root_path": "", "query_string": b"",
    "headers": [(b"host", b"localhost")], "subprotocols": [], "client": ("127.0.0.1", 1), "scheme": "ws",
}  # fmt: skip


def _said(**message: Any) -> Message:
    return {"type": "websocket.receive", "text": json.dumps(message)}


@pytest.fixture
async def converse(settings: Settings, backend: Callable[[Settings], Backend]) -> AsyncIterator[Callable[..., Any]]:
    app = create_app(settings, backend(settings))

    async def run(messages: AsyncIterator[Message], send: Send) -> None:
        async with asyncio.timeout(30):
            await app(dict(_SCOPE), messages.__anext__, send)

    async with app.router.lifespan_context(app):
        yield run


@pytest.mark.anyio
async def test_a_cancel_that_meets_the_servers_close_is_no_failure(converse: Callable[..., Any]) -> None:
    is_closing, sent = asyncio.Event(), []

    async def messages() -> AsyncIterator[Message]:
        yield {"type": "websocket.connect"}
        yield _said(type="start")
        yield _said(type="end")
        await is_closing.wait()
        yield _said(type="cancel")

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.close":
            is_closing.set()
            await asyncio.Event().wait()  # the client reads slowly

    await converse(messages(), send)

    assert sent[-1] == "websocket.close"


@pytest.mark.anyio
async def test_a_client_that_leaves_before_the_first_answer_leaves_no_task(converse: Callable[..., Any]) -> None:
    async def messages() -> AsyncIterator[Message]:
        yield {"type": "websocket.connect"}
        yield _said(type="start")
        yield {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise OSError("the connection is gone")

    before = asyncio.all_tasks()
    await converse(messages(), send)

    assert asyncio.all_tasks() <= before
