"""One signal for all open polls: a change calls `notify`, and each poll checks its predicate again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Condition:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, predicate: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the predicate is true; returns whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not predicate():
                    await self._event.wait()
        except TimeoutError:
            return predicate()
        return True
