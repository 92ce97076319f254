"""Every error in the shape of its route's protocol; no handler inspects a message.

/v1/...          {"error": {"message", "type", "param", "code"}}     OpenAI's
/tts/generate    {"detail": "Voice 'x' not found.", "error", "code"}
all others       {"error": "<sentence>", "code", "field"}
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from chatterbox_worker.errors import INTERNAL_ERROR, Cancelled, VoiceNotFound, WorkerError, choices
from chatterbox_worker.server.middleware import HttpMiddleware
from chatterbox_worker.server.refusals import BodyTooSlow, TryLater, Unauthorised

log = logging.getLogger(__name__)


def handle_errors(app: FastAPI) -> None:
    app.add_exception_handler(WorkerError, _worker_error)
    app.add_exception_handler(HTTPException, _http_exception)


class CatchBugs(HttpMiddleware):
    """Middleware: answers 500 to what no handler expects.

    A handler that FastAPI has for it would stand outside of all middleware: its answer would have neither an id nor the
    headers by which a page of another site may read it.
    """

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def note_start(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:  # while its body was read
            await response(scope["path"], Cancelled("the client went away"))(scope, receive, send)
        except Exception:
            if has_started:
                raise  # the server breaks the connection off, and logs it
            request_id = scope.get("state", {}).get("request_id")
            log.exception("%s %s failed (request %s)", scope["method"], scope["path"], request_id)
            await response(scope["path"], WorkerError(INTERNAL_ERROR))(scope, receive, send)


def response(path: str, error: WorkerError) -> JSONResponse:
    """`error` as an answer to a request for `path`."""
    return JSONResponse(_body(path, error), error.status, headers=_headers(error))


def openai_error(error: WorkerError) -> dict[str, Any]:
    """OpenAI's error object."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    else:
        kind = "invalid_request_error" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    return {"message": error.message, "type": kind, "param": error.field, "code": error.code}


@contextmanager
def caller_names(names: Mapping[str, str]) -> Iterator[None]:
    """Errors of the block have the names that the caller used for our fields. A message names its field first."""
    try:
        yield
    except WorkerError as error:
        field = error.field or ""
        if field in names:
            error.message = re.sub(rf"\b{field}\b", names[field], error.message, count=1)
            error.field = names[field]
        raise


def _body(path: str, error: WorkerError) -> dict[str, Any]:
    if path.startswith("/v1/"):
        return {"error": openai_error(error)}
    if path == "/tts/generate":
        return {"detail": error.message, **error.answer()}
    return error.answer()


def _headers(error: WorkerError) -> dict[str, str]:
    if isinstance(error, TryLater):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, BodyTooSlow):
        return {"Connection": "close"}  # the rest of the body would be taken for another request
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorised) else {}


async def _worker_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WorkerError)  # noqa: S101 - registered for this class only
    return response(request.scope["path"], error)


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    """The router's own errors: no such route, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    path = request.scope["path"]
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        near = request.app.state.routes.nearest(request.method, path)
        hint = f"did you mean {near}?" if near else "GET /docs lists all"
        detail = f"there is no such route; {hint}"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"this route takes {choices(sorted(request.app.state.routes.methods_of(path)))}"
    return _refused_route(path, error.status_code, f"{request.method} {path}: {detail}", error.headers)


def _refused_route(path: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = _body(path, WorkerError(message))
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    if isinstance(inner := body["error"], dict):
        inner.update(code=code, type="invalid_request_error")
    else:
        body["code"] = code
    return JSONResponse(body, status, headers=headers)


def no_such_web_socket(path: str) -> JSONResponse:
    return _refused_route(
        path, HTTPStatus.NOT_FOUND, f"WS {path}: there is no such route; did you mean WS /tts/stream?"
    )


def voice_not_found(voice: str) -> VoiceNotFound:
    """In the words that clients of `/tts/generate` expect."""
    return VoiceNotFound(f"Voice '{voice}' not found.", field="voice_id")
