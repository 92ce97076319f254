"""Long answers, sent in slices: the event loop copies little at a time and waits for a slow reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

_SLICE_BYTES = 1_000_000  # under a millisecond to copy


class SlicedResponse(Response):
    """A body of known length."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, len(body), _SLICE_BYTES):
            piece = bytes(body[start : start + _SLICE_BYTES])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


class SlicedJsonResponse(SlicedResponse, JSONResponse):
    pass


async def json_response(build: Callable[[], Mapping[str, Any]]) -> Response:
    """The object that `build` returns, which may contain audio: built and serialized in a thread."""
    return await asyncio.to_thread(lambda: SlicedJsonResponse(build()))
