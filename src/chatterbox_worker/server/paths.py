"""What the routes answer to, for requests that none of them takes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

_ALIKE = 0.75  # "completions" and "captions" have 0.74, "speeches" and "speech" 0.86


class KnownRoutes:
    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]

    def methods_of(self, path: str) -> set[str]:
        """The methods that the route of `path` has; empty if there is no such route."""
        matching = (route.methods or () for route in self._routes if route.path_regex.match(path))
        methods = {method for methods in matching for method in methods}
        return methods | {"HEAD"} if "GET" in methods else methods

    def nearest(self, method: str, path: str) -> str:
        """The route that was probably meant, such as "POST /v1/audio/speech"; empty if none is near.

        Their last parts are alike, too: /v1/audio/transcriptions asks for something else than /v1/audio/voices.
        """
        path = path.rstrip("/")
        for route_method in (method, "POST", "GET"):
            known = [route.path_format for route in self._routes if route_method in (route.methods or ())]
            alike = [route for route in known if _likeness(_last_part(route), _last_part(path)) >= _ALIKE]
            if found := difflib.get_close_matches(path, alike, n=1):
                return f"{route_method} {found[0]}"
        return ""


def _last_part(path: str) -> str:
    return path.rpartition("/")[2]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
