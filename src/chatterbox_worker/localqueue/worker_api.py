"""The routes for workers: job-take, job-stop, job-done, job-stream, ping.

Bodies are raw JSON, whatever their content type says. A post that breaks a limit is answered 400 and dropped. The SDK
logs that and goes on, so the job is lost, here as on the platform.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.localqueue.context import Context, WorkerCall, WorkerState
from chatterbox_worker.localqueue.fault import Fault, Route
from chatterbox_worker.localqueue.wire import check_size, worker_and_query
from chatterbox_worker.strict_json import parse_json

_log = logging.getLogger(__name__)

_SPIN_GUARD_S = 0.1  # until its signal arrives, a retired worker polls again at once
_MAX_BATCH = 1000
_DISMISSED = (WorkerState.UNHEALTHY, WorkerState.RETIRED, WorkerState.GONE)


class WorkerApi:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [
            web.get(prefix + "/job-take/{worker}", self.take),
            web.get(prefix + "/job-take-batch/{worker}", self.take_batch),
            web.get(prefix + "/job-stop/{worker}", self.stop),
            web.post(prefix + "/job-done/{worker}/{job}", self.done),
            web.post(prefix + "/job-stream/{worker}/{job}", self.stream),
            web.get(prefix + "/ping/{worker}", self.ping),
        ]

    async def take(self, request: web.Request) -> web.StreamResponse:
        worker_id, query = worker_and_query(request.match_info["worker"], request.query)
        bad_reply = await self._poll(request, "job-take", worker_id, query)
        jobs = [] if bad_reply else self._take(worker_id, 1)
        return bad_reply or (web.json_response(jobs[0]) if jobs else web.Response(status=204))

    async def take_batch(self, request: web.Request) -> web.StreamResponse:
        worker_id, query = worker_and_query(request.match_info["worker"], request.query)
        size = query.get("batch_size", "1")
        if not size.isdecimal() or not 1 <= int(size) <= _MAX_BATCH:
            raise InvalidRequest(f"batch_size must be 1 to {_MAX_BATCH}, not {size!r}", field="batch_size")
        bad_reply = await self._poll(request, "job-take", worker_id, query)
        jobs = [] if bad_reply else self._take(worker_id, int(size))
        return bad_reply or (web.json_response(jobs) if jobs else web.Response(status=204))

    async def stop(self, request: web.Request) -> web.StreamResponse:
        worker_id, query = worker_and_query(request.match_info["worker"], request.query)
        bad_reply = await self._poll(request, "job-stop", worker_id, query)
        if bad_reply:
            return bad_reply
        job_ids = self._context.store.take_stops(worker_id)
        return web.json_response({"jobsToStop": job_ids}) if job_ids else web.Response(status=204)

    async def done(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, "job-done", self._finish)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, "job-stream", self._add_chunk)

    async def _post(
        self, request: web.Request, route: Route, act: Callable[[str, str, bytes], None]
    ) -> web.StreamResponse:
        context, worker_id, job_id = self._context, request.match_info["worker"], request.match_info["job"]
        body = await request.read()
        query = dict(request.query)
        context.calls.append(WorkerCall(route, worker_id, query, context.now(), job_id, len(body)))
        fault = context.faults.take(route, body)
        acts_first = fault is not None and fault.is_after
        bad_reply = None if acts_first else await self._apply_fault(request, fault)
        if bad_reply is None:
            act(job_id, worker_id, body)
            context.condition.notify()
        if acts_first:
            bad_reply = await self._apply_fault(request, fault)
        return bad_reply or web.json_response({})

    def _finish(self, job_id: str, worker_id: str, body: bytes) -> None:
        context = self._context
        job = context.store.get(job_id)
        try:
            check_size(body, job.result_limit_bytes(context.limits), "the result")
            result = _check_object(parse_json(body))
        except InvalidRequest:
            context.store.count_refused(job_id, is_final=True)
            raise
        if result.get("status") == "IN_PROGRESS":
            context.store.progress(job_id, worker_id, result.get("output"))
        else:
            context.store.done(job_id, worker_id, result, context.now())
            if result.get("stopPod"):
                context.workers.set(worker_id, WorkerState.RETIRED)

    def _add_chunk(self, job_id: str, worker_id: str, body: bytes) -> None:
        context = self._context
        try:
            check_size(body, context.limits.chunk_bytes, "the chunk")
            chunk = _check_object(parse_json(body))
        except InvalidRequest:
            context.store.count_refused(job_id, is_final=False)
            raise
        context.store.chunk(job_id, worker_id, chunk.get("output"))

    async def ping(self, request: web.Request) -> web.StreamResponse:
        context, worker_id = self._context, request.match_info["worker"]
        context.calls.append(WorkerCall("ping", worker_id, dict(request.query), context.now()))
        if bad_reply := await self._apply_fault(request, context.faults.take("ping")):
            return bad_reply
        if request.query.get("status") == "unhealthy":
            _log.warning("worker %s failed its check %s: %s", worker_id, *map(request.query.get, ("check", "reason")))
            context.workers.set(worker_id, WorkerState.UNHEALTHY)
        context.store.ping(worker_id, request.query.get("job_id", "").split(","), context.now())
        return web.json_response({})

    async def _poll(
        self, request: web.Request, route: Route, worker_id: str, query: dict[str, str]
    ) -> web.StreamResponse | None:
        """Keep the request open until there is something to answer. Returns a response if a fault is planned."""
        context = self._context
        context.calls.append(WorkerCall(route, worker_id, query, context.now()))
        if route == "job-take":
            context.workers.note_take(worker_id)
        has_news = context.store.has_waiting if route == "job-take" else lambda: context.store.has_stops(worker_id)
        await context.condition.until(
            lambda: context.is_closing or has_news() or context.faults.is_due(route) or self._is_dismissed(worker_id),
            context.limits.poll_s,
        )
        if self._is_dismissed(worker_id) or context.is_closing:
            await asyncio.sleep(_SPIN_GUARD_S)
        return await self._apply_fault(request, context.faults.take(route))

    def _is_dismissed(self, worker_id: str) -> bool:
        return self._context.workers.states.get(worker_id) in _DISMISSED

    def _take(self, worker_id: str, count: int) -> list[dict[str, Any]]:
        context = self._context
        if context.is_closing or not context.workers.may_take(worker_id):
            return []
        taken = context.store.take(worker_id, count, context.now())
        if taken:
            context.condition.notify()
        return [job.payload() for job in taken]

    async def _apply_fault(self, request: web.Request, fault: Fault | None) -> web.StreamResponse | None:
        if fault is None:
            return None
        await asyncio.sleep(fault.delay_s)
        if fault.drop and request.transport is not None:
            request.transport.abort()
            return web.Response(status=500)  # never sent
        if fault.status is None and fault.body is None:
            return None
        return web.Response(
            status=fault.status or 200,
            body=b'{"error": "planned fault"}' if fault.body is None else fault.body,
            content_type=fault.content_type,
            headers=fault.headers,
        )


def _check_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {quote(value)}")
    return value
