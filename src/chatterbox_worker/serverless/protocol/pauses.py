"""How long to wait before the same request is sent again. Pure."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_S = 60.0
"""The most that a `Retry-After` is followed for: the job of a waiting answer lives no longer because of it."""


def pause_s(failures: int, retry_after: str | None, *, longest_s: float) -> float:
    """After so many failures in a row: half a second, doubled with each, with jitter; at least the `Retry-After`."""
    own_s = min(longest_s, 0.5 * 2.0 ** min(failures - 1, 16)) * random.uniform(0.75, 1.25)
    return max(own_s, retry_after_s(retry_after, datetime.now(UTC)))


def retry_after_s(header: str | None, now: datetime) -> float:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); 0 for what is neither."""
    if header is None:
        return 0.0
    try:
        seconds = float(header) if header.strip().isdecimal() else (_date(header) - now).total_seconds()
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _date(header: str) -> datetime:
    date = parsedate_to_datetime(header)
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
