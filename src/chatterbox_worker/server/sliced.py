"""Answers that are long: sent in slices, so that the event loop copies little at a time and a slow reader is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

_SLICE_BYTES = 1_000_000  # under a millisecond to copy


class Sliced(Response):
    """A file of known length."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, len(body), _SLICE_BYTES):
            piece = bytes(body[start : start + _SLICE_BYTES])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


class SlicedJson(Sliced, JSONResponse):
    pass


async def json_of(tell: Callable[[], Mapping[str, Any]]) -> Response:
    """What `tell` says, which may hold audio: gathered and written down in a thread."""
    return await asyncio.to_thread(lambda: SlicedJson(tell()))
