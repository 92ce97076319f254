"""/openai/*: a request becomes a job of {"openai_route", "openai_input"}, and the job's output becomes the answer.

How RunPod's gateway turns an output into an answer is not documented. This does what RunPod's own workers rely on: a
list of one element is unwrapped, and strings streamed by a generator are relayed unchanged. The status of a failed job,
500, is our choice.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from chatterbox_worker.localqueue.context import Context
from chatterbox_worker.localqueue.jobs import JobState, QueuedJob
from chatterbox_worker.localqueue.wire import check_size
from chatterbox_worker.strict_json import parse_json

_EDGE_TIMED_OUT = 524  # Cloudflare's "a timeout occurred"


class OpenAiApi:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [method(prefix + "/openai/{path:.+}", self.call) for method in (web.get, web.post)]

    async def call(self, request: web.Request) -> web.StreamResponse:
        context = self._context
        body = await request.read()
        check_size(body, context.limits.runsync_bytes, "the request")
        job_input: dict[str, Any] = {"openai_route": "/" + request.match_info["path"]}
        if body:
            job_input["openai_input"] = parse_json(body)
        job = context.store.submit({"input": job_input}, is_sync=True, now=context.now())
        context.condition.notify()
        openai_input = job_input.get("openai_input")
        if isinstance(openai_input, dict) and openai_input.get("stream") is True:
            return await self._relay(request, job)
        await context.condition.until(lambda: job.state.is_final or context.is_closing, context.limits.gateway_s)
        return _answer(job)

    async def _relay(self, request: web.Request, job: QueuedJob) -> web.StreamResponse:
        context = self._context

        def has_news() -> bool:
            return bool(job.chunks) or job.state.is_final or context.is_closing

        await context.condition.until(has_news, context.limits.gateway_s)
        if not job.chunks:
            return _answer(job)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            is_last = job.state.is_final or context.is_closing
            for chunk in context.store.read_chunks(job):
                text = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
                await response.write(text.encode())
            if is_last:
                break
            await context.condition.until(has_news, context.limits.gateway_s)
        await response.write_eof()
        return response


def _answer(job: QueuedJob) -> web.Response:
    if not job.state.is_final:
        return web.json_response({"error": "the job took too long for a synchronous answer"}, status=_EDGE_TIMED_OUT)
    if job.state is not JobState.COMPLETED:
        return web.json_response({"error": job.result.get("error", str(job.state))}, status=500)
    output = job.result.get("output")
    return web.json_response(output[0] if isinstance(output, list) and len(output) == 1 else output)
