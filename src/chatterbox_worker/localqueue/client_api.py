"""The routes for clients: run, runsync, status, status-sync, stream, cancel, retry, purge-queue, health."""

from __future__ import annotations

from aiohttp import web

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.localqueue.context import Context
from chatterbox_worker.localqueue.jobs import QueuedJob
from chatterbox_worker.localqueue.wire import check_size
from chatterbox_worker.strict_json import parse_json


class ClientApi:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self, prefix: str) -> list[web.RouteDef]:
        routes = [
            web.post(prefix + "/run", self.run),
            web.post(prefix + "/runsync", self.runsync),
            web.get(prefix + "/status-sync/{job}", self.status_sync),
            web.post(prefix + "/cancel/{job}", self.cancel),
            web.post(prefix + "/retry/{job}", self.retry),
            web.post(prefix + "/purge-queue", self.purge),
            web.get(prefix + "/health", self.health),
        ]
        for method in (web.get, web.post):
            routes += [method(prefix + "/status/{job}", self.status), method(prefix + "/stream/{job}", self.stream)]
        return routes

    async def run(self, request: web.Request) -> web.Response:
        job = await self._submit(request, is_sync=False)
        return web.json_response({"id": job.id, "status": job.state})

    async def runsync(self, request: web.Request) -> web.Response:
        wait_s = self._wait_s(request, self._context.limits.runsync_wait_s)
        job = await self._submit(request, is_sync=True)
        return await self._answer_when_final(job, wait_s)

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response(self._job(request).answer())

    async def status_sync(self, request: web.Request) -> web.Response:
        return await self._answer_when_final(
            self._job(request), self._wait_s(request, self._context.limits.runsync_wait_s)
        )

    async def stream(self, request: web.Request) -> web.Response:
        job = self._job(request)
        wait_s = self._wait_s(request, self._context.limits.stream_wait_s)
        await self._context.condition.until(lambda: bool(job.chunks) or self._is_over(job), wait_s)
        # The state is read together with the chunks: if it is final, these are the last.
        chunks = self._context.store.read_chunks(job)
        return web.json_response({"status": job.state, "stream": [{"output": chunk} for chunk in chunks]})

    async def cancel(self, request: web.Request) -> web.Response:
        job = self._context.store.cancel(request.match_info["job"], self._context.now())
        self._context.condition.notify()
        return web.json_response({"id": job.id, "status": job.state})

    async def retry(self, request: web.Request) -> web.Response:
        job = self._context.store.retry(request.match_info["job"], self._context.now())
        self._context.condition.notify()
        return web.json_response({"id": job.id, "status": job.state})

    async def purge(self, request: web.Request) -> web.Response:
        del request
        removed = self._context.store.purge(self._context.now())
        self._context.condition.notify()
        return web.json_response({"removed": removed, "status": "completed"})

    async def health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self._context.health())

    async def _submit(self, request: web.Request, *, is_sync: bool) -> QueuedJob:
        context = self._context
        body = await request.read()
        check_size(body, context.limits.runsync_bytes if is_sync else context.limits.run_bytes, "the request")
        job = context.store.submit(parse_json(body), is_sync=is_sync, now=context.now())
        context.condition.notify()
        return job

    async def _answer_when_final(self, job: QueuedJob, wait_s: float) -> web.Response:
        await self._context.condition.until(lambda: self._is_over(job), wait_s)
        return web.json_response(job.answer())

    def _is_over(self, job: QueuedJob) -> bool:
        return job.state.is_final or self._context.is_closing

    def _job(self, request: web.Request) -> QueuedJob:
        return self._context.store.get(request.match_info["job"])

    def _wait_s(self, request: web.Request, default_s: float) -> float:
        """`?wait=` in milliseconds, limited to the documented range."""
        wait = request.query.get("wait")
        if wait is None:
            return default_s
        if not wait.isdecimal():
            raise InvalidRequest(f"wait must be milliseconds, not {wait!r}", field="wait")
        low_s, high_s = self._context.limits.wait_range_s
        return min(max(int(wait) / 1000, low_s), high_s)
