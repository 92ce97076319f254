"""What a test replaces for its own thread only: servers of other tests run in others of the same process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_this_thread(replacement: Callable[P, T], original: Callable[P, T]) -> Callable[P, T]:
    own = threading.get_ident()

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return (replacement if threading.get_ident() == own else original)(*args, **kwargs)

    return call
