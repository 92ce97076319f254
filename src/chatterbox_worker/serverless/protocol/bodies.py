"""The bodies to try for one result, as JSON: each smaller than the one that the platform refused."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from chatterbox_worker.errors import INTERNAL_ERROR, AnswerTooLarge, WorkerError, for_caller
from chatterbox_worker.serverless.delivery.answer import Answer, Failure, Shrink
from chatterbox_worker.serverless.protocol.send import Post

log = logging.getLogger(__name__)

Result = dict[str, Any]
"""`output`, `error` and `stopPod`, each only if there is one."""

_SMALL_BYTES = 50_000  # a refused body of so few bytes was not refused for its size
_MOST_SMALLER = 4  # each has at most half of the bytes that were refused


async def versions(result: Result, post: Post) -> AsyncIterator[tuple[bytes, bool]]:
    """The bodies to try, one after the other, and whether each is the answer and not an error.

    First the result, then the same in fewer bytes, then why it cannot be delivered.
    """
    is_success = "error" not in result
    body = await asyncio.to_thread(serialize, result)
    yield body, is_success
    if is_success:
        rest = {name: value for name, value in result.items() if name != "output"}
        async for output in _smaller(result.get("output"), post, len(body)):
            body = await asyncio.to_thread(serialize, {**rest, "output": output})
            yield body, True
        log.warning("the platform refused the answer with HTTP %s: the job fails", post.status)
        yield serialize({**rest, **_refused(len(body), post.status)}), False
    log.error("the platform refused even an error of this job with HTTP %s: nothing is posted", post.status)


async def _smaller(output: object, post: Post, size: int) -> AsyncIterator[Any]:
    """The output in at most half of the bytes that were refused, again and again."""
    for _ in range(_MOST_SMALLER):
        shrink = _shrink_of(output)
        if shrink is None or size <= _SMALL_BYTES:
            return
        log.warning("the platform refused an answer of %d bytes with HTTP %s", size, post.status)
        size //= 2
        try:
            output = await asyncio.to_thread(shrink, size)
        except WorkerError as error:
            log.warning("it cannot be delivered in %d bytes: %s", size, error.code)
            return
        yield output


def serialize(result: Result) -> bytes:
    """The body of a post. What is not JSON becomes an error: an answer that cannot be written is a bug, not a hang."""
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        for_caller(error, log)
        text = json.dumps({"error": INTERNAL_ERROR, "output": {"code": WorkerError.code, "message": INTERNAL_ERROR}})
    return text.encode(errors="replace")  # half of a surrogate pair, which UTF-8 does not have


def _shrink_of(output: object) -> Shrink | None:
    """How to deliver an output in fewer bytes; a stream's is a list whose last item has the function."""
    last = output[-1] if isinstance(output, list) and output else output
    return last.shrink if isinstance(last, Answer) else None


def _refused(size: int, status: int | None) -> Result:
    if size <= _SMALL_BYTES:
        error = WorkerError(f"RunPod refused the answer with HTTP {status}, although it is small")
    else:
        error = AnswerTooLarge(
            f"RunPod refused the answer of {size / 1e6:.1f} MB with HTTP {status}, and there is no other way to "
            'deliver it: ask for a compressed format ("mp3", "opus" or "auto") or a shorter text, give an s3Config '
            "with the job, or set a bucket or a network volume up for the endpoint",
            field="format",
        )
    return {"error": error.message, "output": Failure.of(error)}
