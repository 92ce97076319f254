"""Long answers, sent in slices: the event loop copies little at a time and waits for a slow reader."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
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


def ranged_response(data: bytes, http: Request, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """`data`, or the one range of it that the request asks for (RFC 9110 section 14); for several ranges all of it, and
    with `If-Range`, as no validator is sent that it could name.
    """
    ranges = "" if "if-range" in http.headers else http.headers.get("range", "")
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", ranges.strip())
    headers = {**headers, "Accept-Ranges": "bytes"}
    if asked is None or not any(asked.groups()):
        return SlicedResponse(data, media_type=media_type, headers=headers)
    first, last = asked.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if not start < end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return SlicedResponse(data[start:end], 206, headers, media_type)


class SlicedJsonResponse(SlicedResponse, JSONResponse):
    pass


async def json_response(build: Callable[[], Mapping[str, Any]], headers: Mapping[str, str] | None = None) -> Response:
    """The object that `build` returns, which may contain audio: built and serialized in a thread."""
    return await asyncio.to_thread(lambda: SlicedJsonResponse(build(), headers=headers))
