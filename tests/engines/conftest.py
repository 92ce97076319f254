"""Fixtures for the tests of engines."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def always_one_thread(one_thread: None) -> None:
    """Also ends with the number that was set before: an engine sets its own."""
