"""What the pages of a test asked for and showed, for the report when it fails."""

from __future__ import annotations

import time
from collections import deque

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response

_LINES = 60
_CHARS = 4000
_MOST_MS = 5_000
"""For a look at a page that may hang."""


class Record:
    """The latest requests, answers and messages of a context's pages, and what the pages show now."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._begun_s = time.monotonic()
        self._lines: deque[str] = deque(maxlen=_LINES)
        context.on("request", self._requested)
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)
        context.on("console", self._logged)

    def report(self) -> str:
        shown = [_shown(page) for page in self._context.pages]
        return "\n".join([*shown, f"the latest requests and messages (at most {_LINES}):", *self._lines])

    def _note(self, what: str) -> None:
        self._lines.append(f"{time.monotonic() - self._begun_s:7.2f} s  {what}")

    def _requested(self, request: Request) -> None:
        body = request.post_data if "json" in request.headers.get("content-type", "") else None
        self._note(f"{request.method} {request.url[:200]} {(body or '')[:200]}")

    def _answered(self, response: Response) -> None:
        self._note(f"{response.status} {response.url[:200]}")

    def _failed(self, request: Request) -> None:
        self._note(f"failed: {request.url[:200]}: {request.failure}")

    def _logged(self, message: ConsoleMessage) -> None:
        self._note(f"console, {message.type}: {message.text[:500]}")


def _shown(page: Page) -> str:
    try:
        body = page.locator("body")
        stage = body.get_attribute("data-stage", timeout=_MOST_MS)
        lines = [line for line in body.inner_text(timeout=_MOST_MS).splitlines() if line.strip()]
    except Error as error:
        return f"{page.url} cannot be looked at: {error.message.splitlines()[0]}"
    return f"{page.url} (stage: {stage}) shows:\n" + "\n".join(lines)[:_CHARS]
