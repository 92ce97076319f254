"""What a test replaces for its own thread only: servers of other tests run in others of the same process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def in_this_thread(replacement: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    own = threading.get_ident()

    def call(*args: Any) -> Any:
        return (replacement if threading.get_ident() == own else original)(*args)

    return call
