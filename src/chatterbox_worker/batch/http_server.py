"""The rows by an HTTP server of this product, one request each."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx

from chatterbox_worker.batch.backends import RETRYABLE_CODES, RowFailed, RowSynthesizer, Stopped, SynthesizedRow
from chatterbox_worker.client.endpoint import open_http

_PATH = "/v1/audio/speech"
_CONNECT_S = 10.0
_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


class ServerSynthesizer:
    def __init__(self, http: httpx.AsyncClient, *, with_chunks: bool = False) -> None:
        """`with_chunks`: the answers say when each part of the text is spoken."""
        self._http = http
        self._with_chunks = with_chunks

    async def synthesize(
        self, request: dict[str, Any], job: str | None, on_submitted: Callable[[str], None]
    ) -> SynthesizedRow:
        del job, on_submitted  # a request has no job
        audio_format = request.get("format", "wav")
        audio_format = "wav" if audio_format == "auto" else audio_format  # no answer is too large for HTTP
        form = {"format": audio_format} | ({"captions": "json"} if self._with_chunks else {})
        try:
            answer = await self._http.post(_PATH, json=request | form)
        except httpx.TimeoutException:
            raise RowFailed(f"{self._http.base_url} did not answer in time", "timed_out") from None
        except httpx.RequestError as error:
            reason = f"{self._http.base_url} cannot be reached: {type(error).__name__} {error}".strip()
            raise RowFailed(reason, "unavailable", can_retry=True) from error
        if answer.status_code != HTTPStatus.OK:
            raise _to_failure(answer)
        try:
            if self._with_chunks:
                about = dict(answer.json())
                return SynthesizedRow(base64.b64decode(about.pop("audio_base64"), validate=True), about)
            about = {
                "format": audio_format,
                "duration_s": float(answer.headers["X-Chatterbox-Duration"]),
                "seed": int(answer.headers["X-Chatterbox-Seed"]),
                "model": request.get("model"),
            }
        except (KeyError, TypeError, ValueError):
            raise RowFailed(f"{self._http.base_url} is not a server of Chatterbox worker", "bad_answer") from None
        return SynthesizedRow(answer.content, about)


def _to_failure(answer: httpx.Response) -> RowFailed:
    """The failure that an answer states; raises Stopped if the key is wrong."""
    try:
        error = answer.json()["error"]
        message, code, field = str(error["message"]), str(error["code"]), error.get("param")
    except (ValueError, KeyError, TypeError):
        message, code, field = f"{answer.url} answered {answer.status_code}", "bad_answer", None
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise Stopped(f"{message}; is the API key right?")
    can_retry = answer.status_code in _LATER or code in RETRYABLE_CODES
    return RowFailed(message, code, field=field, can_retry=can_retry)


@asynccontextmanager
async def server(
    url: str, key: str | None, timeout_s: float, *, with_chunks: bool = False
) -> AsyncIterator[RowSynthesizer]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    base_url = url.rstrip("/").removesuffix("/v1")
    timeout = httpx.Timeout(timeout_s, connect=_CONNECT_S)
    limits = httpx.Limits(max_connections=None)
    options: dict[str, Any] = {"base_url": base_url, "headers": headers, "timeout": timeout, "limits": limits}
    async with open_http(httpx.AsyncClient, base_url, **options) as http:
        yield ServerSynthesizer(http, with_chunks=with_chunks)
