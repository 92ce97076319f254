"""uvicorn's connections, with an end for clients that take nothing or never finish a request.

h11 rather than httptools: it reads the body of a request that offers `Upgrade: h2c`, as every POST of Java's HttpClient
does (uvicorn #2722), and answers HTTP/1.0 without chunks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server import failures
from chatterbox_worker.server.middleware import REQUEST_ID, new_request_id

log = logging.getLogger(__name__)

STALLED_S = 60.0
"""A client that takes no byte of what waits for it for so long, in seconds, is disconnected."""
KEEP_ALIVE_S = 75
"""For the next request of a connection. Proxies keep theirs for 60 s by default (nginx, ingress-nginx, AWS's ALB) and
must be the first to close: a request that meets a closing connection is a 502. uvicorn's default is 5 s."""
_UNSENT_BYTES = 128 * 1024  # what the system holds besides what is on its way
_HEAD_S = 30.0  # for a request's head: clients send it at once
_MESSAGE_BYTES = 36_000_000  # a WebSocket's start message may carry a reference, as a body may
_MOST_FRAGMENTS = 16_384  # of such a message: parts of 2 kB; empty ones would otherwise be kept without an end
_SLICE_BYTES = 1024  # parsed at once: at most 170 frames
_TURN_S = 0.002  # of parsing, then others have the event loop
_REST = 3.0  # times what parsing took, until the next turn of any WebSocket


class Server(uvicorn.Server):
    """Cuts the connections off whose answers are not sent `shutdown_s` seconds after it was stopped. uvicorn alone
    would cancel their tasks, with a traceback of each in the log, and leave the connections open.
    """

    def __init__(self, app: Any, *, host: str, port: int, shutdown_s: float) -> None:
        super().__init__(_config(app, host, port))
        self._shutdown_s = shutdown_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(self._shutdown_s, self._cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    def _cut_off(self) -> None:
        connections = list(self.server_state.connections)
        log.warning(
            "%d connections were cut off: their answers took more than %g s", len(connections), self._shutdown_s
        )
        for each in connections:
            each.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


def _config(app: Any, host: str, port: int) -> uvicorn.Config:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        with suppress(asyncio.CancelledError):  # at the shutdown; uvicorn would log it as a failure
            await app(scope, receive, send)

    return uvicorn.Config(
        run,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=_MESSAGE_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


async def check_address(host: str, port: int) -> None:
    """Before models are loaded for a server there, because uvicorn opens the port last.

    Raises:
        OSError: it cannot be listened on, as when it is in use.
    """
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    except socket.gaierror as error:
        raise OSError(f"{host!r} is no address to listen on: {error.strerror}") from None
    server.close()


class _DropsStalled(asyncio.Protocol):
    """Ends a connection whose full write buffer does not shrink. `close` would wait for the client."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        opened = transport.get_extra_info("socket")
        if opened is not None and opened.family in (socket.AF_INET, socket.AF_INET6):
            # otherwise the system takes megabytes for a client that reads nothing, and it looks like a fast one
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._check_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _check_later(self) -> None:
        waiting_bytes = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(STALLED_S, self._check, waiting_bytes)

    def _check(self, before_bytes: int) -> None:
        if self.transport.get_write_buffer_size() >= before_bytes:
            self.transport.abort()
        else:
            self._check_later()

    def _forget(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class WebSocketConnection(_DropsStalled, WebSocketsSansIOProtocol):
    """Parses in turns, because a frame takes far longer than its bytes: a read of 256 KiB may be 40 000 frames.

    What is left is parsed later, and nothing more is read until then. All connections together have a share of the
    event loop, one turn after another.
    """

    _free_s = 0.0  # of all connections: when the next turn may begin, on the loop's clock
    _turn: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._unparsed = bytearray()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_unparsed()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        if self._turn is not None or self.loop.time() < self._free_s:
            self._wait()
        else:
            self._parse()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # otherwise uvicorn logs that nothing was answered

    async def receive(self) -> Any:
        message = await super().receive()  # it reads on
        if self._unparsed:
            self.transport.pause_reading()
        return message

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > _MOST_FRAGMENTS and not self.close_sent:
            self.conn.fail(CloseCode.POLICY_VIOLATION, f"a message has more than {_MOST_FRAGMENTS} fragments")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()

    def _drop_unparsed(self) -> None:
        """Its answers could not be sent."""
        self._unparsed.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _wait(self) -> None:
        self.transport.pause_reading()
        if self._turn is None:
            self._turn = self.loop.call_at(WebSocketConnection._free_s, self._parse)

    def _parse(self) -> None:
        self._turn = None
        began_s = ended_s = self.loop.time()
        while self._unparsed and ended_s - began_s < _TURN_S:
            data = bytes(self._unparsed[:_SLICE_BYTES])
            del self._unparsed[:_SLICE_BYTES]
            super().data_received(data)
            ended_s = self.loop.time()
            if self.transport.is_closing():
                self._drop_unparsed()
        WebSocketConnection._free_s = max(ended_s, WebSocketConnection._free_s) + _REST * (ended_s - began_s)
        if self._unparsed:
            self._wait()
        elif not self.read_paused:
            self.transport.resume_reading()

    def handle_ping(self) -> None:
        """Answers, unless the client takes nothing: the answers to a million pings would fill the memory, and RFC 6455
        (section 5.5.3) asks for an answer to the last one only.
        """
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # dropped


class HttpConnection(_DropsStalled, H11Protocol):
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            self._end_head()  # it is a WebSocket now
            return
        self._watch_head()
        offers_upgrade = self.conn.their_state is h11.MIGHT_SWITCH_PROTOCOL  # type: ignore[attr-defined]  # import *
        if offers_upgrade and not self.conn.trailing_data[0]:
            self.flow.resume_reading()  # h11 waits for the answer, but a client that hangs up must be noticed

    def _watch_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_head()
        elif self._head is None:
            self._head = self.loop.call_later(_HEAD_S, self.transport.abort)

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP as any other bad request, unless an answer has begun, after which none can follow."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = failures.response("", InvalidRequest(msg))
            own = [(REQUEST_ID.encode(), new_request_id().encode()), (b"Connection", b"close")]
            reason = HTTPStatus(answer.status_code).phrase.encode()
            head = h11.Response(status_code=answer.status_code, headers=[*answer.raw_headers, *own], reason=reason)
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Silent: Java's client offers h2c with every request."""
