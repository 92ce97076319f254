"""What the routes answer to, for requests that none of them takes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from starlette.routing import BaseRoute, Route


class KnownRoutes:
    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]

    def methods_of(self, path: str) -> set[str]:
        """The methods that the route of `path` has; empty if there is no such route."""
        matching = (route.methods or () for route in self._routes if route.path_regex.match(path))
        methods = {method for methods in matching for method in methods}
        return methods | {"HEAD"} if "GET" in methods else methods

    def nearest(self, method: str, path: str) -> str:
        """The route that was probably meant, such as "POST /v1/audio/speech"; empty if none is near."""
        for route_method in (method, "POST", "GET"):
            known = [route.path_format for route in self._routes if route_method in (route.methods or ())]
            if found := difflib.get_close_matches(path.rstrip("/"), known, n=1):
                return f"{route_method} {found[0]}"
        return ""
